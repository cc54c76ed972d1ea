"""Figures of merit for faces: average precision at IoU .5, landmark error, and a threshold for use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vedette.ops.boxes import iou_matrix

__all__ = [
    "Judged",
    "average_precision",
    "best_threshold",
    "covered",
    "judge",
    "landmark_error",
    "precision_recall",
]

Floats = NDArray[np.float32]
MATCH_IOU = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One picture's detections against its labels, best detection first.

    Attributes:
        score: (n,) of the detections that count.
        hit: (n,) bool: a labelled face, found for the first time.
        wanted: how many labelled faces count.
        error: landmark errors of the hits, each the mean distance over the distance between the eyes.
    """

    score: Floats
    hit: NDArray[np.bool_]
    wanted: int
    error: Floats


def judge(
    xyxy: Floats,
    score: Floats,
    points: Floats | None = None,
    *,
    wanted: Floats,
    ignored: Floats,
    wanted_points: Floats | None = None,
) -> Judged:
    """Match detections (n, 4), best first, with `wanted` (m, 4): each to the free face that it overlaps most.

    A detection that meets no wanted face but at least half of which lies in, or whose IoU reaches .5 with, an
    `ignored` one (k, 4) does not count.
    """
    overlap, beside = iou_matrix(xyxy, wanted), covered(xyxy, ignored)
    free = np.ones(len(wanted), bool)
    counted, hits, errors = [], [], []
    for i in range(len(score)):
        match = int(np.argmax(np.where(free, overlap[i], -1))) if len(wanted) else -1
        if match >= 0 and free[match] and overlap[i, match] >= MATCH_IOU:
            free[match] = False
            counted.append(i)
            hits.append(True)
            if points is not None and wanted_points is not None:
                errors.append(_point_error(points[i], wanted_points[match]))
        elif not beside[i]:
            counted.append(i)
            hits.append(False)
    return Judged(score[counted], np.array(hits, bool), len(wanted), np.array(errors, np.float32))


def covered(xyxy: Floats, ignored: Floats) -> NDArray[np.bool_]:
    """Return (n,): at least half of the box lies in, or its IoU reaches .5 with, one of `ignored` (k, 4)."""
    if not len(ignored) or not len(xyxy):
        return np.zeros(len(xyxy), bool)
    low = np.maximum(xyxy[:, None, :2], ignored[None, :, :2])
    size = np.maximum(np.minimum(xyxy[:, None, 2:], ignored[None, :, 2:]) - low, 0)
    area = np.maximum((xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1]), 1e-6)
    inside = size[..., 0] * size[..., 1] / area[:, None]
    found: NDArray[np.bool_] = ((inside >= 0.5) | (iou_matrix(xyxy, ignored) >= MATCH_IOU)).any(1)
    return found


def _point_error(found: Floats, wanted: Floats) -> float:
    eyes = float(np.linalg.norm(wanted[0] - wanted[1]))
    return float(np.linalg.norm(found - wanted, axis=1).mean() / max(eyes, 1e-3))


def average_precision(pictures: Sequence[Judged]) -> float:
    """Return the area under precision over recall, precision made monotonic (PASCAL VOC 2010), 0..1."""
    precision, recall, _ = _curve(pictures)
    if not len(precision):
        return 0.0
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def best_threshold(pictures: Sequence[Judged]) -> tuple[float, float, float]:
    """Return the score at which precision and recall have the best harmonic mean (F1), and the two; 1, 0, 0 at none."""
    precision, recall, score = _curve(pictures)
    if not recall.any():
        return 1.0, 0.0, 0.0
    best = int(np.argmax(2 * precision * recall / np.maximum(precision + recall, 1e-9)))
    return float(score[best]), float(precision[best]), float(recall[best])


def precision_recall(pictures: Sequence[Judged]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return recall and precision (n,), one pair for each detection, best first."""
    precision, recall, _ = _curve(pictures)
    return recall, precision


def _curve(pictures: Sequence[Judged]) -> tuple[NDArray[np.float64], NDArray[np.float64], Floats]:
    score = np.concatenate([p.score for p in pictures]) if pictures else np.zeros(0, np.float32)
    hit = np.concatenate([p.hit for p in pictures]) if pictures else np.zeros(0, bool)
    order = np.argsort(-score, kind="stable")
    true = np.cumsum(hit[order])
    return true / np.arange(1, len(order) + 1), true / max(1, sum(p.wanted for p in pictures)), score[order]


def landmark_error(pictures: Sequence[Judged]) -> float:
    """Return the mean landmark error of all faces found, in parts of the distance between the eyes."""
    errors = np.concatenate([p.error for p in pictures]) if pictures else np.zeros(0, np.float32)
    return float(errors.mean()) if len(errors) else float("nan")
