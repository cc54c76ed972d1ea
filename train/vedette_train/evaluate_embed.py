"""Figures of merit for telling faces apart: how often the same person is recognised at a false-accept rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Pairs",
    "accept_above",
    "cosines",
    "draw_pairs",
    "equal_error",
    "fold_accuracy",
    "roc",
    "verification",
]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

IMPOSTORS = 200_000
FOLDS, FOLD_PAIRS = 10, 300  # of each kind: 3,000 + 3,000 as in the protocol of LFW (Huang et al., 2007)
SEED = 20
RATES = {"tar_1e2": 1e-2, "tar_1e3": 1e-3, "tar_1e4": 1e-4}


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Which faces are compared: indices (n, 2) of two photos of one person, and (m, 2) of photos of two people."""

    genuine: Indices
    impostor: Indices


def draw_pairs(people: Sequence[str], *, impostors: int = IMPOSTORS, seed: int = SEED) -> Pairs:
    """Return all genuine pairs of photos, whose `people` are given, and `impostors` others, drawn by `seed`.

    Fewer others where there are not so many; each at most once.
    """
    _, person = np.unique(np.asarray(people), return_inverse=True)
    first, second = np.triu_indices(len(person), 1)
    same = person[first] == person[second]
    strangers = np.flatnonzero(~same)
    drawn = np.random.default_rng(seed).choice(strangers, min(impostors, len(strangers)), replace=False)
    pairs = np.stack([first, second], 1)
    return Pairs(pairs[same], pairs[drawn])


def cosines(embeddings: NDArray[np.float32], pairs: Indices) -> Floats:
    """Return the cosine of each pair of rows, (n,); -1 where one is NaN: no face was found there."""
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    rows = (embeddings / np.maximum(norms, 1e-12)).astype(np.float64)
    found: Floats = np.nan_to_num((rows[pairs[:, 0]] * rows[pairs[:, 1]]).sum(1), nan=-1.0)
    return found


def accept_above(impostor: Floats, rate: float) -> float:
    """Return the least threshold above which at most the share `rate` of the impostors' scores lies."""
    ordered = np.sort(impostor)[::-1]
    return float(ordered[min(int(rate * len(ordered)), len(ordered) - 1)])


def equal_error(genuine: Floats, impostor: Floats) -> float:
    """Return the rate at which as many strangers are accepted as people are refused, 0..1."""
    levels = np.unique(np.concatenate([genuine, impostor]))
    refused = np.searchsorted(np.sort(genuine), levels) / len(genuine)
    accepted = 1 - np.searchsorted(np.sort(impostor), levels) / len(impostor)
    nearest = int(np.argmin(np.abs(refused - accepted)))
    return float((refused[nearest] + accepted[nearest]) / 2)


def fold_accuracy(genuine: Floats, impostor: Floats, *, seed: int = SEED) -> float:
    """Return the share of right answers in ten folds, each by the threshold that is best on the other nine."""
    rng, n = np.random.default_rng(seed), min(FOLDS * FOLD_PAIRS, len(genuine), len(impostor))
    chosen = [rng.permutation(scores)[:n] for scores in (genuine, impostor)]
    right = 0.0
    for fold in np.array_split(np.arange(n), min(FOLDS, n)):
        same, other = (np.delete(scores, fold) for scores in chosen)
        threshold = _best_threshold(same, other)
        right += float((chosen[0][fold] >= threshold).sum() + (chosen[1][fold] < threshold).sum())
    return right / (2 * n)


def _best_threshold(genuine: Floats, impostor: Floats) -> float:
    if not len(genuine):
        return 0.0
    levels = np.sort(np.concatenate([genuine, impostor]))
    right = (
        len(genuine) - np.searchsorted(np.sort(genuine), levels) + np.searchsorted(np.sort(impostor), levels)
    )
    best = int(np.argmax(right))
    return (
        float(levels[max(best - 1, 0)] + levels[best]) / 2
    )  # in the middle: the best level is itself a score


def roc(genuine: Floats, impostor: Floats, rates: Sequence[float]) -> list[tuple[float, float]]:
    """Return false-accept and true-accept rate for each of `rates`."""
    return [(rate, float((genuine > accept_above(impostor, rate)).mean())) for rate in rates]


def verification(genuine: Floats, impostor: Floats) -> dict[str, float]:
    """Return accuracy, equal error rate, and true-accept rate at three false-accept rates, 0..1, to four digits.

    Args:
        genuine: (n,) scores of one person's photos, n >= 1; larger is more alike.
        impostor: (m,) scores of two people's, m >= 1.
    """
    rates = dict(zip(RATES, (tar for _, tar in roc(genuine, impostor, list(RATES.values()))), strict=True))
    figures = {"accuracy": fold_accuracy(genuine, impostor), "eer": equal_error(genuine, impostor), **rates}
    return {name: round(value, 4) for name, value in figures.items()}
