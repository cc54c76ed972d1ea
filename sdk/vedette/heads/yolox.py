"""YOLOX: for each place of three grids a box, objectness and a score of each class.

Source: Megvii-BaseDetection/YOLOX, `yolox/models/yolo_head.py`, `decode_outputs`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vedette.heads.places import MAX_LOG_SIZE
from vedette.heads.yolo import MAX_CANDIDATES, passing
from vedette.ops.boxes import best, nms
from vedette.ops.quant import to_real
from vedette.types import Tensor

__all__ = ["decode", "grid"]

Found = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]


def grid(size_wh: tuple[int, int], strides: Sequence[int]) -> NDArray[np.float32]:
    """Return (n, 3) column, row and stride of each place, row by row, stride after stride."""
    levels = []
    for stride in strides:
        rows, columns = np.mgrid[: size_wh[1] // stride, : size_wh[0] // stride]
        levels.append(np.stack([columns.ravel(), rows.ravel(), np.full(rows.size, stride)], 1))
    return np.concatenate(levels).astype(np.float32)


def decode(
    predictions: Tensor,
    places: NDArray[np.float32],
    *,
    decoded: bool,
    min_score: float,
    nms_iou: float,
) -> Found:
    """Return what is found: xyxy (n, 4) in input pixels, score (n,), class_id (n,) int32; best first.

    Args:
        predictions: (1, n, 5 + classes); objectness and scores are 0..1.
        places: of `grid`.
        decoded: boxes are the middle, width and height in input pixels; else the middle's distance from its place and
            the logarithms of width and height, in strides.
        min_score: 0..1; lower ones are left out.
        nms_iou: 0..1; of two of one class that overlap more, the better one stays.
    """
    codes = predictions.data[0].T
    rows, class_id, score = passing(codes, predictions, objectness=True, min_score=min_score)
    few = best(score, MAX_CANDIDATES)
    rows, class_id, score = rows[few], class_id[few], score[few]
    box = to_real(codes[:4, rows].T, predictions)
    if not decoded:
        stride = places[rows, 2:]
        middle = (box[:, :2] + places[rows, :2]) * stride
        size = np.exp(np.minimum(box[:, 2:], np.float32(MAX_LOG_SIZE))) * stride
        box = np.concatenate([middle, size], 1)
    xyxy = np.concatenate([box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2], 1)
    kept = nms(xyxy, score, iou=nms_iou, class_id=class_id)
    return xyxy[kept], score[kept], class_id[kept]
