"""Say what a picture shows."""

from __future__ import annotations

from typing import ClassVar

from vedette.answers import Classes
from vedette.contract import ModelFile
from vedette.heads import classify
from vedette.models.task import PictureModel, parameter, refuse_output
from vedette.types import Engine, Image

__all__ = ["Classes", "Classifier"]


class Classifier(PictureModel):
    """A classifier by one model on one engine; see `vedette.models.task.PictureModel`."""

    heads: ClassVar = ("classify",)
    finds: ClassVar[str] = "a classifier of picture"

    def __init__(self, engine: Engine, model: ModelFile, *, min_score: float | None = None) -> None:
        super().__init__(engine, model, min_score=min_score)
        head, count = model.contract.head, len(model.contract.labels)
        self._activation = (
            parameter(model, "activation", classify.ACTIVATIONS) if "activation" in head else "softmax"
        )
        shapes = [spec.shape for spec in self.outputs]
        if not count or shapes not in ([(1, count)], [(1, 1, 1, count)]):
            raise refuse_output(model, self.outputs, f"{(1, count)} with its labels")

    def classify(self, image: Image, *, top: int = 5) -> Classes:
        """Return what `image`, (H, W, 3) uint8 RGB of any size, shows: at most `top` classes, best first.

        Raises:
            EngineError: the model failed while running.
        """
        (row,), _ = self.infer(image)
        found = classify.decode(row, min_score=self.min_score, top=top, activation=self._activation)
        return Classes(*found, self.model.contract.labels)
