"""What heads without anchors share: which places of a map pass a score, and what a place says of its box.

The place in row r and column c of a map of stride s answers for x = (c + 0.5) s, y = (r + 0.5) s. Scores are logits; a
box is dx, dy, log w, log h in units of s, its centre being x + dx s, y + dy s.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vedette.ops.quant import to_real
from vedette.types import Tensor

__all__ = ["centers", "logit", "real", "sigmoid", "to_xyxy"]

MAX_LOG_SIZE = 6.0


def logit(score: float) -> float:
    """Return the logit of `score`; infinite at and beyond 0 and 1."""
    if not 0 < score < 1:
        return -math.inf if score <= 0 else math.inf
    return math.log(score / (1 - score))


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scores, 0..1, of `logits`; very negative ones give 0."""
    one = np.float32(1)
    return one / (one + np.exp(np.minimum(-logits, np.float32(88))))


def real(tensor: Tensor, places: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return (n, channels) real values of a (1, h, w, channels) map at flat `places` (n,)."""
    return to_real(tensor.data.reshape(-1, tensor.data.shape[-1])[places], tensor)


def centers(places: NDArray[np.intp], *, columns: int, stride: int) -> NDArray[np.float32]:
    """Return (n, 2) x and y of flat `places` (n,) of a map that is `columns` wide, in input pixels."""
    row, column = np.divmod(places, columns)
    return np.stack([(column + 0.5) * stride, (row + 0.5) * stride], -1).astype(np.float32)


def to_xyxy(box: NDArray[np.float32], center: NDArray[np.float32], stride: int) -> NDArray[np.float32]:
    """Return (n, 4) boxes in input pixels of raw ones (n, 4) at places around `center` (n, 2)."""
    middle = center + box[:, :2] * np.float32(stride)
    half = np.exp(np.minimum(box[:, 2:], np.float32(MAX_LOG_SIZE))) * np.float32(stride / 2)
    return np.concatenate([middle - half, middle + half], -1)
