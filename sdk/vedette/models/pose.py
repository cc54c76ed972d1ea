"""Find people's key points."""

from __future__ import annotations

from typing import ClassVar

from vedette.answers import BODY_POINTS, Poses
from vedette.contract import ModelFile
from vedette.heads import movenet
from vedette.models.task import PictureModel, refuse_output
from vedette.types import Engine, Image

__all__ = ["PoseEstimator"]


class PoseEstimator(PictureModel):
    """The key points of the person in a picture; see `vedette.models.task.PictureModel`.

    A person counts when the mean of its points' scores reaches `min_score`.
    """

    heads: ClassVar = ("movenet",)
    finds: ClassVar[str] = "pose"

    def __init__(self, engine: Engine, model: ModelFile, *, min_score: float | None = None) -> None:
        super().__init__(engine, model, min_score=min_score)
        wanted = (1, 1, len(BODY_POINTS), 3)
        if [spec.shape for spec in self.outputs] != [wanted]:
            raise refuse_output(model, self.outputs, str(wanted))

    def estimate(self, image: Image) -> Poses:
        """Return who is in `image`, (H, W, 3) uint8 RGB of any size.

        Raises:
            EngineError: the model failed while running.
        """
        (keypoints,), box = self.infer(image)
        points, score = movenet.decode(keypoints, size_wh=self.model.contract.input.size_wh)
        sure = score.mean(1) >= self.min_score
        return Poses(box.to_picture(points)[sure], score[sure])
