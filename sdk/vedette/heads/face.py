"""Anchor-free faces: per stride s one map each of scores, boxes and landmarks.

The place in row r and column c of a map answers for x = (c + 0.5) s, y = (r + 0.5) s. ``score_s`` is a logit;
``box_s`` is dx, dy, log w, log h in units of s, the centre being x + dx s, y + dy s; ``points_s`` are five offsets
x, y in units of s, in the order of `vedette.types.FACE_POINTS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.heads.places import MAX_LOG_SIZE, logit, real
from vedette.ops.boxes import best, blend, nms
from vedette.ops.quant import least_code
from vedette.types import Tensor

__all__ = ["decode"]

MAX_CANDIDATES = 750
BLEND_IOU = 0.6


def decode(
    tensors: Sequence[Tensor], strides: Sequence[int], *, min_score: float, nms_iou: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the faces that raw outputs tell of: xyxy (n, 4) and landmarks (n, 5, 2) in input pixels, score (n,).

    Scores are compared as they lie in the tensor; only what passes is converted to real numbers.

    Args:
        tensors: for each stride its score, box and points map, (1, h, w, 1), (1, h, w, 4) and (1, h, w, 10).
        strides: input pixels per place, in the same order.
        min_score: 0..1; lower ones are left out.
        nms_iou: 0..1; of two faces that overlap more, the better one stays, moved to where the places around agree.

    Returns:
        xyxy, score, landmarks; best first.
    """
    least = logit(min_score)
    rows = [
        _passing(*tensors[3 * i : 3 * i + 3], stride=stride, least_logit=least)
        for i, stride in enumerate(strides)
    ]
    found = np.concatenate(rows)
    xyxy, score, landmarks = _place(found[best(found[:, 3], MAX_CANDIDATES)])
    kept = nms(xyxy, score, iou=nms_iou)
    told = np.concatenate([xyxy, landmarks.reshape(-1, 10)], 1)
    mean = blend(told, xyxy, score, kept=kept, iou=BLEND_IOU)
    return mean[:, :4], score[kept], mean[:, 4:].reshape(-1, 5, 2)


def _passing(
    score: Tensor, box: Tensor, points: Tensor, *, stride: int, least_logit: float
) -> NDArray[np.float32]:
    """Return (n, 18) of the places that pass: x and y of their centres, stride, logit, four of box, ten of points."""
    raw: NDArray[Any] = score.data.reshape(-1)
    places = np.flatnonzero(raw >= least_code(score, least_logit))
    rows = np.empty((len(places), 18), np.float32)
    if len(places):
        row, column = np.divmod(places, score.data.shape[2])
        rows[:, 0], rows[:, 1], rows[:, 2] = (column + 0.5) * stride, (row + 0.5) * stride, stride
        rows[:, 3:4], rows[:, 4:8], rows[:, 8:] = (real(tensor, places) for tensor in (score, box, points))
    return rows


def _place(found: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """Return xyxy (n, 4), score (n,) and landmarks (n, 5, 2) of rows from `_passing`."""
    center, stride = found[:, :2], found[:, 2:3]
    middle = center + found[:, 4:6] * stride
    half = np.exp(np.minimum(found[:, 6:8], np.float32(MAX_LOG_SIZE))) * (stride * np.float32(0.5))
    score = np.float32(1) / (np.float32(1) + np.exp(-found[:, 3]))
    landmarks = found[:, 8:].reshape(-1, 5, 2) * stride[:, None] + center[:, None]
    return np.concatenate([middle - half, middle + half], -1), score, landmarks
