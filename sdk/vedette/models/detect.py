"""Find objects of several classes in a picture."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from vedette.contract import ModelFile
from vedette.models.maps import BoxDetector
from vedette.models.readers import READERS
from vedette.ops.images import Letterbox
from vedette.types import Detections, Engine, Tensor

__all__ = ["Detector"]


class Detector(BoxDetector[Detections]):
    """Objects of the classes in the model's labels; see `vedette.models.task.PictureModel`."""

    heads: ClassVar = tuple(READERS)
    finds: ClassVar[str] = "object"

    def __init__(self, engine: Engine, model: ModelFile, *, min_score: float | None = None) -> None:
        super().__init__(engine, model, min_score=min_score)
        self._read = READERS[str(model.contract.head["type"])](model, self.outputs)

    def decode(self, tensors: tuple[Tensor, ...], box: Letterbox, shape_hw: tuple[int, int]) -> Detections:
        """Return the objects that raw outputs tell of, in pixels of the picture of `shape_hw`, inside it."""
        xyxy, score, class_id = self._read(tensors, self.min_score)
        limits = np.array((*shape_hw[::-1], *shape_hw[::-1]), np.float32)
        inside = np.clip(box.to_picture(xyxy), np.float32(0), limits)
        return Detections.of(inside, score, class_id, labels=self.model.contract.labels)
