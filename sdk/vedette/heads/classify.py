"""One class for the whole picture: raw logits to classes and their probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vedette.types import Tensor

__all__ = ["decode"]


def decode(logits: Tensor, *, min_score: float, top: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the most probable classes of a picture, best first; none where none is likely enough.

    Args:
        logits: (1, classes); the softmax of its real values (Bishop, Pattern Recognition and Machine Learning, 4.104)
            gives the scores.
        min_score: 0..1; classes below it are left out.
        top: how many at most.

    Returns:
        class_id (n,) int32 and score (n,) float32, 0..1.
    """
    raw = logits.data.reshape(-1).astype(np.float32)
    real = raw if logits.scale <= 0 else (raw - np.float32(logits.zero_point)) * np.float32(logits.scale)
    exponents = np.exp(real - real.max())  # without the shift large logits would overflow
    score = exponents / exponents.sum()
    best = np.argsort(-score, kind="stable")[:top]
    best = best[score[best] >= min_score]
    return best.astype(np.int32), score[best]
