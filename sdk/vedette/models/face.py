"""Find faces and their landmarks in a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from vedette.contract import Contract
from vedette.heads import face
from vedette.models.maps import MapDetector, check_image
from vedette.ops.images import Letterbox
from vedette.types import Faces, Tensor

__all__ = ["FaceDetector", "check_image"]


class FaceDetector(MapDetector[Faces]):
    """Faces with five landmarks each; see `vedette.models.maps.MapDetector`."""

    head: ClassVar[str] = "face"
    finds: ClassVar[str] = "face"

    @staticmethod
    def maps(contract: Contract) -> Mapping[str, int]:
        """Return the outputs for each stride, in order: role -> channels."""
        return {"score": 1, "box": 4, "points": 10}

    def decode(self, tensors: tuple[Tensor, ...], box: Letterbox, shape_hw: tuple[int, int]) -> Faces:
        """Return the faces that raw outputs tell of, in pixels of the picture; landmarks may lie outside."""
        xyxy, score, landmarks = face.decode(
            tensors, self._strides, min_score=self.min_score, nms_iou=self._nms_iou
        )
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
