"""SSD and its like with `TFLite_Detection_PostProcess` inside: boxes that are decoded and suppressed already."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vedette.types import Tensor

__all__ = ["decode"]

Found = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]


def decode(
    boxes: Tensor,
    classes: Tensor,
    scores: Tensor,
    count: Tensor,
    *,
    size_wh: tuple[int, int],
    min_score: float,
    label_offset: int = 0,
) -> Found:
    """Return what the operator found: xyxy (n, 4) in input pixels, score (n,), class_id (n,) int32; best first.

    Rows beyond `count` hold what an earlier run left there, and are not read.

    Args:
        boxes: (1, m, 4) float32; y1, x1, y2, x2 in parts of the input.
        classes: (1, m) float32.
        scores: (1, m) float32.
        count: (1,) float32.
        size_wh: width and height of the input, pixels.
        min_score: 0..1; lower ones are left out.
        label_offset: what to add to a class for its label.
    """
    score = scores.data.reshape(-1).astype(np.float32)
    filled = np.arange(len(score)) < float(count.data.reshape(-1)[0])
    rows = np.flatnonzero(filled & (score >= min_score))
    rows = rows[np.argsort(-score[rows], kind="stable")]
    yxyx = boxes.data.reshape(-1, 4)[rows].astype(np.float32)
    class_id = classes.data.reshape(-1)[rows].astype(np.int32) + np.int32(label_offset)
    return yxyx[:, [1, 0, 3, 2]] * np.array((*size_wh, *size_wh), np.float32), score[rows], class_id
