"""How much of each place belongs to the subject."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vedette.heads.places import sigmoid
from vedette.ops.quant import to_real
from vedette.types import Tensor

__all__ = ["ACTIVATIONS", "decode"]

ACTIVATIONS = ("sigmoid", "none")


def decode(alpha: Tensor, *, activation: str) -> NDArray[np.float32]:
    """Return (h, w) float32, 0..1.

    Args:
        alpha: (1, h, w, 1).
        activation: "sigmoid" where `alpha` holds logits, "none" where it holds parts of 1.
    """
    real = to_real(alpha.data.reshape(alpha.data.shape[1:3]), alpha)
    return np.clip(sigmoid(real) if activation == "sigmoid" else real, np.float32(0), np.float32(1))
