"""Say for each pixel what it belongs to."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from vedette.answers import Matte, Segmentation
from vedette.contract import ModelFile
from vedette.errors import ModelError
from vedette.heads import matting, segment
from vedette.models.task import PictureModel, parameter, refuse_output
from vedette.ops.images import map_to_picture
from vedette.types import Engine, Image

__all__ = ["Segmenter"]

HALF = 0.5


class Segmenter(PictureModel):
    """A class for each pixel, or how far it belongs to the subject; see `vedette.models.task.PictureModel`.

    Of a matting model `min_score` is the part from which a pixel counts as the subject's; a half where the model says
    nothing.
    """

    heads: ClassVar = ("segment", "matting")
    finds: ClassVar[str] = "segment"

    def __init__(self, engine: Engine, model: ModelFile, *, min_score: float | None = None) -> None:
        super().__init__(engine, model, min_score=min_score)
        self._matting = model.contract.head["type"] == "matting"
        self._how = (
            parameter(model, "activation", matting.ACTIVATIONS)
            if self._matting
            else parameter(model, "kind", segment.KINDS)
        )
        self._check_output()

    def _check_output(self) -> None:
        shapes, labels = [spec.shape for spec in self.outputs], self.model.contract.labels
        channels = len(labels) if self._how == "logits" else 1
        ranks = (4,) if self._how == "logits" or self._matting else (3, 4)
        if len(shapes) != 1 or len(shapes[0]) not in ranks or (*shapes[0], 1)[3] != channels:
            raise refuse_output(self.model, self.outputs, f"one map with {channels} channel(s)")
        if 0 in self.model.contract.input.size_wh:
            raise ModelError(f"{self.model.path}: maps of models without a fixed input size are not read.")
        if len(labels) > 256:
            raise ModelError(f"{self.model.path} has {len(labels)} classes; up to 256 are read.")

    def segment(self, image: Image) -> Segmentation:
        """Return what each pixel of `image`, (H, W, 3) uint8 RGB of any size, belongs to; a `Matte` by matting models.

        Raises:
            EngineError: the model failed while running.
        """
        (output,), box = self.infer(image)
        size_wh, labels = self.model.contract.input.size_wh, self.model.contract.labels
        shape_hw = (image.shape[0], image.shape[1])
        if not self._matting:
            places = segment.decode(output, kind=self._how)
            return Segmentation(map_to_picture(places, box, size_wh, shape_hw, smooth=False), labels)
        alpha = matting.decode(output, activation=self._how)
        fine = np.clip(
            map_to_picture(alpha, box, size_wh, shape_hw, smooth=True), np.float32(0), np.float32(1)
        )
        subject = (fine >= (self.min_score or HALF)).astype(np.uint8)
        return Matte(subject, labels or ("background", "subject"), fine)
