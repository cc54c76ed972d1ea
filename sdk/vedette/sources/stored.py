"""A picture as its file stores it: with its own depth and channels, upright."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.errors import SourceError
from vedette.ops.depth import to_sixteen_bits
from vedette.sources.images import decode_with, orientation, read_bytes, turned

__all__ = ["Stored", "read_stored"]

_TO_RGB = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A picture, and what its reader has to know.

    Attributes:
        pixels: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA; uint8 or uint16.
        notes: what the pixels do not keep of the file, in sentences.
    """

    pixels: NDArray[Any]
    notes: tuple[str, ...] = ()


def read_stored(path: str | Path) -> Stored:
    """Return the picture in a file with grey, transparency and 16 bits kept, turned upright.

    Real values are taken for 0..1 and become 16 bits. Of an animation the first picture is returned.

    Raises:
        SourceError: as `vedette.sources.images.read_image`; or it stores numbers that are not read here.
    """
    data = read_bytes(path)
    pixels = decode_with(data, cv2.IMREAD_UNCHANGED, label=str(path))
    notes: tuple[str, ...] = ()
    if pixels.dtype.kind == "f":
        pixels, outside = to_sixteen_bits(pixels)
        notes = ("its real values are kept in 16 bits.",)
        if outside:
            notes += (
                f"{outside} of them are not within 0..1: what is not a number becomes 0, the rest is clipped.",
            )
    if pixels.dtype not in (np.uint8, np.uint16):
        raise SourceError(f"{path} stores {pixels.dtype} numbers; 8 and 16 bits and real values are read.")
    if pixels.ndim == 3:
        pixels = np.asarray(cv2.cvtColor(pixels, _TO_RGB[pixels.shape[2]]))
    turn = orientation(data)
    return Stored(pixels if turn == 1 else turned(pixels, turn), notes)
