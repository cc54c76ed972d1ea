"""A picture as answer: enhanced, enlarged, or drawn anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vedette.ops.quant import to_real
from vedette.types import Image, Tensor

__all__ = ["RANGES", "decode"]

RANGES = {"pixels": (1.0, 0.0), "unit": (255.0, 0.0), "signed": (127.5, 127.5)}
"""What the output's values mean -> factor and summand that make pixels of them."""


def decode(image: Tensor, *, values: str) -> Image:
    """Return the picture, (h, w, 3) uint8, in the model's order of colours; a grey one in three equal channels.

    Args:
        image: (1, h, w, 3) or (1, h, w, 1).
        values: a key of `RANGES`.
    """
    if image.data.dtype.itemsize == 1:  # 256 codes: each is reckoned once
        table = _pixels(np.arange(256, dtype=np.uint8).view(image.data.dtype), image, values)
        picture = table[image.data[0].view(np.uint8)]
    else:
        picture = _pixels(image.data[0], image, values)
    return np.repeat(picture, 3, axis=-1) if picture.shape[-1] == 1 else picture


def _pixels(codes: NDArray[np.generic], image: Tensor, values: str) -> NDArray[np.uint8]:
    factor, summand = RANGES[values]
    pixels = to_real(codes, image) * np.float32(factor) + np.float32(summand)
    clipped: NDArray[np.uint8] = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return clipped
