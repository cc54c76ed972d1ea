"""How bright and how noisy a picture is, from a sample of its pixels."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.types import Image

__all__ = ["luminance", "noise"]

_APART = 8
_BLOCK = 16
_SIDE = 512
_FLAT = 10  # percent of the blocks, the flattest, where what differs from pixel to pixel is noise and not the scene
_DARK, _BRIGHT = 4, 251  # beyond, noise is cut off
_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def luminance(image: Image) -> float:
    """Return the mean luma (ITU-R BT.601), 0..255, of every eighth pixel of every eighth row of (H, W, 3) RGB."""
    red, green, blue = image[::_APART, ::_APART].reshape(-1, 3).mean(0, dtype=np.float64).tolist()
    return float(0.299 * red + 0.587 * green + 0.114 * blue)


def noise(image: Image) -> float:
    """Return the standard deviation of the noise in the middle of `image`, (H, W, 3) uint8 RGB, in grey levels.

    Immerkær's operator (Fast Noise Variance Estimation, 1996), in the blocks where it answers least, since it also sees
    texture. 0 where the picture is too small or wholly black or white.
    """
    height, width = image.shape[:2]
    top, left = max(0, (height - _SIDE) // 2), max(0, (width - _SIDE) // 2)
    green = np.ascontiguousarray(image[top : top + _SIDE, left : left + _SIDE, 1])
    rows, columns = (green.shape[0] - 2) // _BLOCK, (green.shape[1] - 2) // _BLOCK
    if rows < 1 or columns < 1:
        return 0.0
    answer = np.abs(cv2.filter2D(green, cv2.CV_32F, _MASK)[1:-1, 1:-1])
    level = _means(green[1:-1, 1:-1].astype(np.float32), rows, columns)
    usable = _means(answer, rows, columns)[(level > _DARK) & (level < _BRIGHT)]
    if not usable.size:
        return 0.0
    return float(np.percentile(usable, _FLAT) * math.sqrt(math.pi / 2) / 6)


def _means(values: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    blocks = values[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    means: NDArray[np.float32] = blocks.mean((1, 3), dtype=np.float32)
    return means
