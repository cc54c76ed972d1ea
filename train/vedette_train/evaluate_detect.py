"""Figures of merit for object detectors: COCO's average precision, by pycocotools, and a threshold for use."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.errors import MissingDependencyError
from vedette_train.data.objects import ObjectPhoto

__all__ = ["SIZES", "Found", "Judged", "Truth", "best_threshold", "coco_figures", "judge", "truth_of"]

Floats = NDArray[np.float32]
SIZES = ("all", "small", "medium", "large")
"""COCO's ranges of area: below 32² px, up to 96² px, above; pixels of the stored picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The labels of one picture.

    Attributes:
        xyxy: (n, 4) float32 pixels.
        class_id: (n,) int32.
        ignored: (n,) bool; what is found there counts neither for nor against (COCO's ``iscrowd``).
        labelled: class ids that are labelled in this picture at all; detections of others do not count.
    """

    xyxy: Floats
    class_id: NDArray[np.int32]
    ignored: NDArray[np.bool_]
    labelled: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A detector's answer for one picture, down to a low score: xyxy (n, 4) px, score (n,), class_id (n,)."""

    xyxy: Floats
    score: Floats
    class_id: NDArray[np.int32]


def truth_of(photo: ObjectPhoto) -> Truth:
    """Return the labels to judge by: those of classes that are labelled wholly."""
    kept = np.isin(photo.class_id, list(photo.labelled))
    return Truth(photo.xyxy[kept], photo.class_id[kept], photo.ignored[kept], photo.labelled)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Precision over recall of many pictures, as COCO defines it.

    Attributes:
        precision: (10 IoUs .5 to .95, 101 recalls 0 to 1, classes, `SIZES`); -1 where there is nothing to find.
        score: the same shape; the lowest score that reaches the recall.
    """

    precision: NDArray[np.float64]
    score: NDArray[np.float64]


def judge(truths: Sequence[Truth], found: Sequence[Found], *, classes: int) -> Judged:
    """Match the detections in each picture with its labels. At most 100 detections a picture and class count.

    Raises:
        MissingDependencyError: pycocotools is not installed.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "detection figures need pycocotools: pip install 'vedette[train]'."
        ) from error
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        truth = COCO()
        truth.dataset = _dataset(truths, classes)
        truth.createIndex()
        rows = _rows(truths, found)
        judged = COCOeval(truth, truth.loadRes(rows) if len(rows) else COCO(), "bbox")
        judged.evaluate()
        judged.accumulate()
    return Judged(judged.eval["precision"][..., -1], judged.eval["scores"][..., -1])


def coco_figures(judged: Judged, labels: Sequence[str]) -> dict[str, Any]:
    """Return AP at IoU .5 and over .5 to .95, for all, by class and by size, 0..1, rounded to four digits.

    Classes and sizes of which the labels hold none are left out.
    """
    precision = judged.precision
    by_class = {label: _both(precision[:, :, k, 0]) for k, label in enumerate(labels)}
    by_size = {size: _both(precision[..., a]) for a, size in enumerate(SIZES) if a}
    return {
        **(_both(precision[..., 0]) or {"ap50": 0.0, "ap50_95": 0.0}),
        "by_class": {label: both for label, both in by_class.items() if both},
        "by_size": {size: both for size, both in by_size.items() if both},
    }


def _both(precision: NDArray[np.float64]) -> dict[str, float]:
    parts = {"ap50": precision[0], "ap50_95": precision}
    if not (precision >= 0).any():
        return {}
    return {name: round(float(part[part >= 0].mean()), 4) for name, part in parts.items()}


def best_threshold(judged: Judged) -> float:
    """Return the score, in hundredths, at which F1 at IoU .5 is best in the mean over classes; 1 at none."""
    recall = np.linspace(0, 1, judged.precision.shape[1])[:, None]
    precision, score = judged.precision[0, :, :, 0], judged.score[0, :, :, 0]
    known = (precision >= 0).any(0)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    steps = (
        np.arange(99, 0, -1) / 100
    )  # of equal ones the highest: lower scores may be false ones not on the curve
    reached = score[None] >= steps[:, None, None]
    last = np.maximum(
        reached.sum(1) - 1, 0
    )  # the most that is found at the step; scores fall as recall rises
    at = np.where(reached.any(1), np.take_along_axis(f1, last, 0), 0)[:, known]
    return float(steps[int(at.mean(1).argmax())]) if at.size and at.max() > 0 else 1.0


def _dataset(truths: Sequence[Truth], classes: int) -> Mapping[str, Any]:
    boxes = [
        (picture, box, int(class_id), bool(ignored))
        for picture, t in enumerate(truths)
        for box, class_id, ignored in zip(t.xyxy.tolist(), t.class_id, t.ignored, strict=True)
    ]
    return {
        "images": [{"id": i} for i in range(len(truths))],
        "categories": [{"id": i} for i in range(classes)],
        "annotations": [
            {
                "id": i,
                "image_id": picture,
                "category_id": class_id,
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": (x2 - x1) * (y2 - y1),
                "iscrowd": int(ignored),
            }
            for i, (picture, (x1, y1, x2, y2), class_id, ignored) in enumerate(boxes, start=1)
        ],
    }


def _rows(truths: Sequence[Truth], found: Sequence[Found]) -> NDArray[np.float64]:
    """Return (n, 7): picture, x, y, width, height, score, class, of what counts."""
    rows = []
    for picture, (truth, f) in enumerate(zip(truths, found, strict=True)):
        counts = np.isin(f.class_id, list(truth.labelled))
        xyxy = f.xyxy[counts]
        picture_id = np.full((len(xyxy), 1), picture)
        size = xyxy[:, 2:] - xyxy[:, :2]
        rows.append(
            np.hstack([picture_id, xyxy[:, :2], size, f.score[counts, None], f.class_id[counts, None]])
        )
    return np.concatenate(rows).astype(np.float64) if rows else np.zeros((0, 7))
