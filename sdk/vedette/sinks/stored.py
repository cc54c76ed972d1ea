"""A picture into a file of its own depth and channels, as far as the file's kind can hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.errors import SettingsError, SinkError
from vedette.ops.depth import to_eight_bits

__all__ = ["WRITABLE", "encode_stored"]

_SIXTEEN = frozenset({".png", ".tif", ".tiff"})
_ALPHA = frozenset({".bmp", ".png", ".tif", ".tiff", ".webp"})
WRITABLE = _SIXTEEN | _ALPHA | {".jpe", ".jpeg", ".jpg"}
"""Endings of the kinds that are written."""

_TO_BGR = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}


def encode_stored(pixels: NDArray[Any], path: Path, *, quality: int = 95) -> tuple[bytes, tuple[str, ...]]:
    """Return the file for `pixels`, of the kind that the ending of `path` says, and what it does not keep.

    Args:
        pixels: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA; uint8 or uint16.
        path: ends in one of `WRITABLE`.
        quality: of JPEG and WebP, 1..100.

    Raises:
        SettingsError: another ending.
        SinkError: it cannot be encoded, as where a side is longer than the kind allows.
    """
    ending, notes = path.suffix.lower(), []
    if ending not in WRITABLE:
        raise SettingsError(
            f"cannot write {path}: a picture's name ends in one of {', '.join(sorted(WRITABLE))}"
        )
    if pixels.dtype == np.uint16 and ending not in _SIXTEEN:
        pixels = to_eight_bits(pixels)
        notes.append(f"its 16 bits are reduced to 8, as {ending} holds no more.")
    if pixels.ndim == 3 and pixels.shape[2] == 4 and ending not in _ALPHA:
        pixels = np.ascontiguousarray(pixels[..., :3])
        notes.append(f"its transparency is left out, as {ending} has none.")
    how = cv2.IMWRITE_WEBP_QUALITY if ending == ".webp" else cv2.IMWRITE_JPEG_QUALITY
    options = [how, quality] if ending == ".webp" or ending.startswith(".jp") else []
    bgr = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, _TO_BGR[pixels.shape[2]])
    try:
        done, data = cv2.imencode(ending, bgr, options)
    except (cv2.error, MemoryError):
        done = False
    if not done:
        raise SinkError(
            f"cannot encode {path}: {pixels.shape[1]} x {pixels.shape[0]} pixels are too many for {ending}, or it is "
            "not built into this OpenCV; name a .png file"
        )
    return data.tobytes(), tuple(notes)
