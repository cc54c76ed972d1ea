"""Find objects of several classes in a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from vedette.contract import Contract
from vedette.heads import detect
from vedette.models.maps import MapDetector
from vedette.ops.images import Letterbox
from vedette.types import Detections, Tensor

__all__ = ["Detector"]


class Detector(MapDetector[Detections]):
    """Objects of the classes in the model's labels; see `vedette.models.maps.MapDetector`."""

    head: ClassVar[str] = "detect"
    finds: ClassVar[str] = "object"

    @staticmethod
    def maps(contract: Contract) -> Mapping[str, int]:
        """Return the outputs for each stride, in order: role -> channels."""
        return {"score": len(contract.labels), "box": 4}

    def decode(self, tensors: tuple[Tensor, ...], box: Letterbox, shape_hw: tuple[int, int]) -> Detections:
        """Return the objects that raw outputs tell of, in pixels of the picture of `shape_hw`, inside it."""
        xyxy, score, class_id = detect.decode(
            tensors, self._strides, min_score=self.min_score, nms_iou=self._nms_iou
        )
        limits = np.array((*shape_hw[::-1], *shape_hw[::-1]), np.float32)
        inside = np.clip(box.to_picture(xyxy), np.float32(0), limits)
        return Detections.of(inside, score, class_id, labels=self.model.contract.labels)
