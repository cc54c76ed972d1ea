"""Figures of merit for classifiers, and a threshold for use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["classify_figures", "confusion", "surest_threshold"]


def classify_figures(
    answered: NDArray[np.int32], wanted: NDArray[np.int32], labels: Sequence[str]
) -> dict[str, Any]:
    """Return the share of right answers, the mean of that over classes, and by class, 0..1, to four digits.

    Args:
        answered: (n,) best class of each picture.
        wanted: (n,) what it is.
        labels: names; classes without a picture are left out.
    """
    right = answered == wanted
    shares = {name: right[wanted == i].mean() for i, name in enumerate(labels) if (wanted == i).any()}
    return {
        "top1": round(float(right.mean()), 4) if len(right) else 0.0,
        "balanced": round(float(np.mean(list(shares.values()))), 4) if shares else 0.0,
        "by_class": {name: round(float(share), 4) for name, share in shares.items()},
    }


def confusion(answered: NDArray[np.int32], wanted: NDArray[np.int32], classes: int) -> NDArray[np.int64]:
    """Return counts (classes, classes): row, what it is; column, what was answered."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (wanted, answered), 1)
    return counts


def surest_threshold(score: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """Return the score, in hundredths, from which on right answers outnumber wrong ones by most; 1 where none do."""
    steps = np.arange(1, 101) / 100
    gain = [int(np.where(right, 1, -1)[score >= step].sum()) for step in steps]
    best = int(np.argmax(gain))
    return float(steps[best]) if gain[best] > 0 else 1.0
