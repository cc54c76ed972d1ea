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

from vedette.ops.boxes import nms
from vedette.types import Tensor

__all__ = ["decode"]

MAX_CANDIDATES = 750
MAX_LOG_SIZE = 6.0


def decode(
    tensors: Sequence[Tensor], strides: Sequence[int], *, min_score: float, nms_iou: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the faces that raw outputs tell of: xyxy (n, 4) and landmarks (n, 5, 2) in input pixels, score (n,).

    Scores are compared as they lie in the tensor; only what passes is converted to real numbers.

    Args:
        tensors: for each stride its score, box and points map, (1, h, w, 1), (1, h, w, 4) and (1, h, w, 10).
        strides: input pixels per place, in the same order.
        min_score: 0..1; lower ones are left out.
        nms_iou: 0..1; of two faces that overlap more, the better one stays.

    Returns:
        xyxy, score, landmarks; best first.
    """
    rows = [
        _candidates(*tensors[3 * i : 3 * i + 3], stride=stride, min_score=min_score)
        for i, stride in enumerate(strides)
    ]
    found = np.concatenate(rows)
    if len(found) > MAX_CANDIDATES:  # a hostile or broken picture must not make NMS slow
        found = found[np.argpartition(-found[:, 4], MAX_CANDIDATES)[:MAX_CANDIDATES]]
    kept = found[nms(found[:, :4], found[:, 4], iou=nms_iou)]
    return kept[:, :4].copy(), kept[:, 4].copy(), kept[:, 5:].reshape(-1, 5, 2).copy()


def _candidates(
    score: Tensor, box: Tensor, points: Tensor, *, stride: int, min_score: float
) -> NDArray[np.float32]:
    """Return (n, 15): x1, y1, x2, y2, score, then five landmarks, of the places that pass."""
    width = score.data.shape[2]
    raw: NDArray[Any] = score.data.reshape(-1)
    places = np.flatnonzero(raw >= _threshold(score, min_score))
    if not len(places):
        return np.zeros((0, 15), np.float32)
    logit = _real(score, places, 1)[:, 0]
    center = np.stack([places % width + 0.5, places // width + 0.5], -1).astype(np.float32) * np.float32(
        stride
    )
    shape = _real(box, places, 4)
    middle = center + shape[:, :2] * stride
    half = np.exp(np.minimum(shape[:, 2:], MAX_LOG_SIZE)) * np.float32(stride / 2)
    marks = _real(points, places, 10) * stride + np.tile(center, 5)
    chance = 1 / (1 + np.exp(-logit))
    return np.concatenate([middle - half, middle + half, chance[:, None], marks], -1).astype(np.float32)


def _threshold(score: Tensor, min_score: float) -> float:
    """Return the least raw value of the score tensor that reaches `min_score`."""
    with np.errstate(divide="ignore"):
        logit = float(np.log(min_score) - np.log1p(-min_score))
    if score.scale <= 0:
        return logit
    return float(np.ceil(logit / score.scale + score.zero_point - 1e-6)) if np.isfinite(logit) else logit


def _real(tensor: Tensor, places: NDArray[np.intp], channels: int) -> NDArray[np.float32]:
    raw = tensor.data.reshape(-1, channels)[places].astype(np.float32)
    return raw if tensor.scale <= 0 else (raw - np.float32(tensor.zero_point)) * np.float32(tensor.scale)
