"""Brighten a picture by curves that differ from place to place, estimated on a small picture of it.

The curve is that of Zero-DCE (Guo et al., CVPR 2020, eq. 2): x + a x (1 - x), n times with an `a` for each place,
colour and time. It keeps 0 and 1, and rises everywhere for -1 <= a <= 1.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vedette.ops.windows import blocks

__all__ = ["apply_curves"]

BLOCK_HW = (16, 1024)
"""Worked on at a time, so that all passes over it stay in the processor's cache."""

Depth = TypeVar("Depth", np.uint8, np.uint16)


def apply_curves(image: NDArray[Depth], curves: NDArray[np.float32]) -> NDArray[Depth]:
    """Return `image` with `curves` applied, linear between their places.

    Args:
        image: (H, W, 3) uint8 or uint16.
        curves: (h, w, 3 n) float32, -1..1, for the whole picture: n times one for each colour.

    Returns:
        (H, W, 3), same dtype.
    """
    height, width = image.shape[:2]
    made = np.empty_like(image)
    rows, columns = _between(height, curves.shape[0]), _between(width, curves.shape[1])
    for block in blocks((height, width), BLOCK_HW):
        y, x = block
        part = _spread(curves, tuple(a[y] for a in rows), axis=0)
        part = _spread(part, tuple(a[x] for a in columns), axis=1)
        made[block] = _brighten(image[block], part)
    return made


def _between(size: int, places: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return for each of `size` pixels the places before and behind its middle, and how far it is from the first."""
    at = np.clip((np.arange(size) + 0.5) * places / size - 0.5, 0, places - 1)
    first = np.floor(at).astype(np.intp)
    return first, np.minimum(first + 1, places - 1), (at - first).astype(np.float32)


def _spread(
    maps: NDArray[np.float32], between: tuple[NDArray[Any], ...], *, axis: int
) -> NDArray[np.float32]:
    """Return `maps` at new places along an axis."""
    first, second, share = between
    low, high = maps.take(first, axis), maps.take(second, axis)
    high -= low
    high *= share[:, None, None] if axis == 0 else share[:, None]
    high += low
    return high


def _brighten(part: NDArray[Depth], curves: NDArray[np.float32]) -> NDArray[Depth]:
    most = float(np.iinfo(part.dtype).max)
    x = part.astype(np.float32)
    x /= most
    change = np.empty_like(x)
    for a in np.split(curves, curves.shape[2] // 3, axis=2):
        np.multiply(x, x, out=change)
        np.subtract(x, change, out=change)
        change *= a
        x += change
    x *= most
    return np.clip(np.rint(x, out=x), 0, most, out=x).astype(part.dtype)
