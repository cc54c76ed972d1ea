"""Boxes as (n, 4) float32 arrays of x1, y1, x2, y2."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["blend", "iou_matrix", "nms"]

Floats = NDArray[np.float32]


def iou_matrix(a: Floats, b: Floats) -> Floats:
    """Return (n, m) intersection over union of boxes `a` (n, 4) with `b` (m, 4); boxes without area give 0."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    size = np.minimum(a[:, None, 2:], b[None, :, 2:]) - low
    np.maximum(size, 0, out=size)
    shared = size[..., 0] * size[..., 1]
    area_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    union = area_a[:, None] + area_b[None, :] - shared
    iou: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return iou


def nms(xyxy: Floats, score: Floats, *, iou: float) -> NDArray[np.intp]:
    """Return indices of the boxes kept by greedy non-maximum suppression, best first.

    A box falls when its overlap with a better kept box is above `iou`, 0..1.
    """
    order = np.argsort(-score, kind="stable")
    if len(order) < 2:
        return order
    sorted_boxes = xyxy[order]
    over = iou_matrix(sorted_boxes, sorted_boxes) > iou
    alive = np.ones(len(order), bool)
    for i in np.flatnonzero(np.triu(over, 1).any(1)):
        if alive[i]:
            alive[i + 1 :] &= ~over[i, i + 1 :]
    return order[alive]


def blend(values: Floats, xyxy: Floats, score: Floats, *, kept: NDArray[np.intp], iou: float) -> Floats:
    """Return (m, k) values of the `kept` boxes, each the mean of those of all boxes (n, k) that overlap it.

    Votes steady what a single place says (Bazarevsky et al., BlazeFace, 2019, section 3.4). Each votes with the fourth
    power of its `score`, 0..1, where it overlaps by more than `iou`.
    """
    weight = (iou_matrix(xyxy[kept], xyxy) > iou) * score**4
    weight[np.arange(len(kept)), kept] += np.float32(
        1e-12
    )  # a box without area overlaps nothing, itself included
    mean: Floats = weight @ values / weight.sum(1, keepdims=True)
    return mean
