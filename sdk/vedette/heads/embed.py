"""A picture as a row of numbers that are compared with other pictures'."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vedette.ops.quant import to_real
from vedette.types import Tensor

__all__ = ["decode"]


def decode(embedding: Tensor, *, normalize: bool) -> NDArray[np.float32]:
    """Return (d,) float32, brought to length 1 where `normalize`; nothing but zeros stays so.

    Args:
        embedding: d numbers in all.
        normalize: the network does not do it itself.
    """
    real = to_real(embedding.data.reshape(-1), embedding)
    length = float(np.linalg.norm(real)) if normalize else 1.0
    return real / np.float32(length) if length > 0 else real
