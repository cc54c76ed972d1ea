"""MoveNet: the key points of one person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vedette.ops.quant import to_real
from vedette.types import Tensor

__all__ = ["decode"]


def decode(keypoints: Tensor, *, size_wh: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the points (1, 17, 2) as x, y in input pixels, and their scores (1, 17).

    Args:
        keypoints: (1, 1, 17, 3) of y, x and score; y and x in parts of the input.
        size_wh: width and height of the input, pixels.
    """
    rows = to_real(keypoints.data[0], keypoints)
    return rows[..., [1, 0]] * np.array(size_wh, np.float32), rows[..., 2]
