"""Pictures of other depths and channels than (H, W, 3) uint8: there and back."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.types import Image

__all__ = ["STEP", "apart", "refined", "to_eight_bits", "to_sixteen_bits", "together"]

STEP = 257
"""Of sixteen bits one of eight: 65535 / 255."""


def to_eight_bits(image: NDArray[Any]) -> Image:
    """Return `image`, uint8 or uint16, as uint8, rounded; `image` itself where it is that."""
    if image.dtype == np.uint8:
        return image
    return np.asarray((image.astype(np.uint32) + STEP // 2) // STEP, np.uint8)


def to_sixteen_bits(image: NDArray[np.floating[Any]]) -> tuple[NDArray[np.uint16], int]:
    """Return `image`, real values 0..1, as uint16, and how many values were none or outside.

    What is not a number becomes 0; what is outside is clipped.
    """
    outside = int(np.count_nonzero(~((image >= 0) & (image <= 1))))
    real = np.clip(np.nan_to_num(image, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
    return np.rint(real * 65535).astype(np.uint16), outside


def refined(made: Image, given: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return `made`, (s h, s w, 3) uint8, at 16 bits: with what the 8 bits that it was made of lacked of `given`.

    Args:
        made: what became of `to_eight_bits(given)`.
        given: (h, w, 3).
    """
    lost = given.astype(np.float32) - to_eight_bits(given).astype(np.float32) * STEP
    if made.shape != given.shape:
        larger = cv2.resize(lost, (made.shape[1], made.shape[0]), interpolation=cv2.INTER_LINEAR)
        lost = np.asarray(larger, np.float32)
    lost += made.astype(np.float32) * STEP
    return np.clip(np.rint(lost, out=lost), 0, 65535, out=lost).astype(np.uint16)


def apart(picture: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return the colours (H, W, 3) and the transparency (H, W) of a `picture`; None where it has none.

    Args:
        picture: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA.
    """
    if picture.ndim == 2:
        return np.repeat(picture[..., None], 3, axis=2), None
    if picture.shape[2] == 3:
        return picture, None
    return np.ascontiguousarray(picture[..., :3]), picture[..., 3]


def together(rgb: NDArray[Any], alpha: NDArray[Any] | None, *, grey: bool) -> NDArray[Any]:
    """Return colours as the picture that `apart` took apart: grey again, or with its transparency, resized."""
    if grey:
        return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    if alpha is None:
        return rgb
    size_wh = (rgb.shape[1], rgb.shape[0])
    if size_wh != (alpha.shape[1], alpha.shape[0]):
        alpha = np.asarray(cv2.resize(np.ascontiguousarray(alpha), size_wh, interpolation=cv2.INTER_LINEAR))
    return np.dstack((rgb, alpha))
