"""A class for each place: maps of class numbers, or of a number for each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vedette.types import Tensor

__all__ = ["KINDS", "decode"]

KINDS = ("logits", "argmax")


def decode(maps: Tensor, *, kind: str) -> NDArray[np.uint8]:
    """Return the class of each place, (h, w) uint8.

    Args:
        maps: (1, h, w, classes) for "logits": the largest code is the largest number, so none is converted;
            (1, h, w) or (1, h, w, 1) class numbers for "argmax".
        kind: one of `KINDS`.
    """
    if kind == "argmax":
        return maps.data.reshape(maps.data.shape[1:3]).astype(np.uint8)
    places: NDArray[np.uint8] = maps.data[0].argmax(-1).astype(np.uint8)
    return places
