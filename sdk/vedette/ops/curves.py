"""Brighten a picture by curves that differ from place to place, estimated on a small picture of it.

The curve is that of Zero-DCE (Guo et al., CVPR 2020, eq. 2): x + a x (1 - x), n times with an `a` for each place,
colour and time. It keeps 0 and 1, and rises everywhere for -1 <= a <= 1.
"""

from __future__ import annotations

from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["apply_curves"]

BAND_PX = 16_384
"""Pixels worked on at a time, so that all passes over them stay in the processor's cache."""

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
    above, below, share = _between(height, curves.shape[0])
    rows = max(1, BAND_PX // width)
    for top in range(0, height, rows):
        band = slice(top, min(height, top + rows))
        part = curves[above[band]]
        part += (curves[below[band]] - part) * share[band, None, None]
        made[band] = _brighten(image[band], part)
    return made


def _between(size: int, places: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return for each of `size` pixels the places before and behind its middle, and how far it is from the first."""
    at = np.clip((np.arange(size) + 0.5) * places / size - 0.5, 0, places - 1)
    first = np.floor(at).astype(np.intp)
    return first, np.minimum(first + 1, places - 1), (at - first).astype(np.float32)


def _brighten(band: NDArray[Depth], curves: NDArray[np.float32]) -> NDArray[Depth]:
    """Return some rows brightened by `curves`, (rows, w, 3 n), of the same rows but not yet of the same width."""
    most = float(np.iinfo(band.dtype).max)
    x = band.astype(np.float32)
    x /= most
    change = np.empty_like(x)
    wide: NDArray[Any] = np.empty_like(x)
    for a in np.split(curves, curves.shape[2] // 3, axis=2):
        wide = cv2.resize(np.ascontiguousarray(a), (x.shape[1], x.shape[0]), dst=wide)
        np.subtract(1, x, out=change)
        change *= x
        cv2.accumulateProduct(change, wide, x)
    x *= most
    return np.clip(np.rint(x, out=x), 0, most, out=x).astype(band.dtype)
