"""One class for the whole picture: logits or probabilities to classes and their scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vedette.ops.quant import to_real
from vedette.types import Tensor

__all__ = ["ACTIVATIONS", "decode"]

ACTIVATIONS = ("softmax", "none")


def decode(
    row: Tensor, *, min_score: float, top: int, activation: str = "softmax"
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the most probable classes of a picture, best first; none where none is likely enough.

    Args:
        row: classes numbers in all.
        min_score: 0..1; classes below it are left out.
        top: how many at most.
        activation: "softmax" where `row` holds logits (Bishop, Pattern Recognition and Machine Learning, 4.104), "none"
            where it holds the scores.

    Returns:
        class_id (n,) int32 and score (n,) float32, 0..1.
    """
    score = to_real(row.data.reshape(-1), row)
    if activation == "softmax":
        score = np.exp(score - score.max())  # without the shift large logits would overflow
        score /= score.sum()
    best = np.argsort(-score, kind="stable")[:top]
    best = best[score[best] >= min_score]
    return best.astype(np.int32), score[best]
