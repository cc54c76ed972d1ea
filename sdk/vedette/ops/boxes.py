"""Boxes as (n, 4) float32 arrays of x1, y1, x2, y2."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["area", "best", "blend", "iou_matrix", "nms", "shared_areas", "survivors"]

Floats = NDArray[np.float32]


def area(xyxy: Floats) -> Floats:
    """Return (n,) areas of boxes (n, 4)."""
    areas: Floats = (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1])
    return areas


def shared_areas(a: Floats, b: Floats) -> Floats:
    """Return (n, m) areas that boxes `a` (n, 4) share with `b` (m, 4)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    size = np.minimum(a[:, None, 2:], b[None, :, 2:]) - low
    np.maximum(size, 0, out=size)
    shared: Floats = size[..., 0] * size[..., 1]
    return shared


def iou_matrix(a: Floats, b: Floats) -> Floats:
    """Return (n, m) intersection over union of boxes `a` (n, 4) with `b` (m, 4); boxes without area give 0."""
    shared = shared_areas(a, b)
    union = area(a)[:, None] + area(b)[None, :] - shared
    iou: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return iou


def nms(
    xyxy: Floats, score: Floats, *, iou: float, class_id: NDArray[np.int32] | None = None
) -> NDArray[np.intp]:
    """Return indices of the boxes kept by greedy non-maximum suppression, best first.

    A box falls when its overlap with a better kept box is above `iou`, 0..1; where `class_id` (n,) is given, only when
    both are of one class.
    """
    order = np.argsort(-score, kind="stable")
    if len(order) < 2:
        return order
    sorted_boxes = xyxy[order]
    over = iou_matrix(sorted_boxes, sorted_boxes) > iou
    if class_id is not None:
        over &= class_id[order][:, None] == class_id[order][None, :]
    return order[survivors(over)]


def survivors(over: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which rows stay when each that stays takes the later ones that it is `over` (n, n) away."""
    alive = np.ones(len(over), bool)
    for i in np.flatnonzero(np.triu(over, 1).any(1)):
        if alive[i]:
            alive[i + 1 :] &= ~over[i, i + 1 :]
    return alive


def best(score: Floats, most: int) -> NDArray[np.intp]:
    """Return indices of the `most` best of `score` (n,), in no order: what a hostile picture can make NMS cost."""
    return np.argpartition(-score, most)[:most] if len(score) > most else np.arange(len(score))


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
