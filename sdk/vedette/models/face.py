"""Find faces and their landmarks in a picture."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from vedette.contract import ModelFile
from vedette.models.maps import BoxDetector
from vedette.models.network import check_image
from vedette.models.readers import FACE_READERS
from vedette.ops.images import Letterbox
from vedette.types import Engine, Faces, Tensor

__all__ = ["FaceDetector", "check_image"]


class FaceDetector(BoxDetector[Faces]):
    """Faces with five landmarks each; see `vedette.models.task.PictureModel`."""

    heads: ClassVar = tuple(FACE_READERS)
    finds: ClassVar[str] = "face"

    def __init__(self, engine: Engine, model: ModelFile, *, min_score: float | None = None) -> None:
        super().__init__(engine, model, min_score=min_score)
        self._read = FACE_READERS[str(model.contract.head["type"])](model, self.outputs)

    def decode(self, tensors: tuple[Tensor, ...], box: Letterbox, shape_hw: tuple[int, int]) -> Faces:
        """Return the faces that raw outputs tell of, in pixels of the picture; landmarks may lie outside."""
        xyxy, score, landmarks = self._read(tensors, self.min_score)
        limits = np.array((*shape_hw[::-1], *shape_hw[::-1]), np.float32)
        n = len(score)
        return Faces(
            np.clip(box.to_picture(xyxy), np.float32(0), limits),
            score,
            np.zeros(n, np.int32),
            np.full(n, -1, np.int32),
            self.model.contract.labels,
            box.to_picture(landmarks),
        )
