"""Show what a detector does worst: pictures with the most missed things and the surest false ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.ops.boxes import iou_matrix
from vedette.types import Image
from vedette_train.data.pictures import read_rgb
from vedette_train.plots import draw_sheet

__all__ = ["Answer", "at_threshold", "draw_worst", "mistakes"]

Flags = NDArray[np.bool_]
SHOWN = 24
SIDE_PX = 320  # longer side on the sheet
MATCH_IOU = 0.5
RIGHT_RGB, FALSE_RGB, MISSED_RGB = (0, 158, 115), (240, 228, 66), (213, 94, 0)  # green, yellow, vermilion


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a detector found in a picture at its threshold, and what is there.

    Attributes:
        path: the picture.
        xyxy: (n, 4) float32 px, what was found.
        score: (n,) of it.
        excused: (n,) bool; where True it counts neither for nor against.
        wanted: (m, 4) float32 px, what is there.
        alike: (n, m) bool: one may be the other, as both are of one class.
    """

    path: Path
    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    excused: Flags
    wanted: NDArray[np.float32]
    alike: Flags


def at_threshold(answer: Answer, threshold: float) -> Answer:
    """Return `answer` without what is less sure than `threshold`."""
    kept = answer.score >= threshold
    return replace(
        answer,
        xyxy=answer.xyxy[kept],
        score=answer.score[kept],
        excused=answer.excused[kept],
        alike=answer.alike[kept],
    )


def mistakes(answer: Answer) -> tuple[Flags, Flags]:
    """Return which findings are false (n,) and which wanted things were missed (m,): matched greedily, best first."""
    overlap = np.where(answer.alike, iou_matrix(answer.xyxy, answer.wanted), 0.0)
    missed, false = np.ones(len(answer.wanted), bool), np.zeros(len(answer.score), bool)
    for i in np.argsort(-answer.score, kind="stable"):
        free = np.where(missed, overlap[i], -1.0)
        best = int(free.argmax()) if len(free) else -1
        if best >= 0 and free[best] >= MATCH_IOU:
            missed[best] = False
        else:
            false[i] = not answer.excused[i]
    return false, missed


def draw_worst(path: Path, answers: Sequence[Answer]) -> None:
    """Draw the worst pictures: false boxes yellow, missed ones red, right ones green; nothing where all is right."""
    weighed = [(float(a.score[false].sum() + missed.sum()), a, false, missed) for a in answers
               for false, missed in [mistakes(a)]]  # fmt: skip
    worst = sorted((row for row in weighed if row[0] > 0), key=lambda row: -row[0])[:SHOWN]
    draw_sheet(path, [_picture(*row[1:]) for row in worst])


def _picture(answer: Answer, false: Flags, missed: Flags) -> tuple[Image, str]:
    image = read_rgb(answer.path)
    zoom = SIDE_PX / max(image.shape[:2])
    canvas = np.asarray(cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA), np.uint8)
    for boxes, rgb in (
        (answer.xyxy[~false], RIGHT_RGB),
        (answer.xyxy[false], FALSE_RGB),
        (answer.wanted[missed], MISSED_RGB),
    ):
        for x1, y1, x2, y2 in (boxes * zoom).round().astype(int).tolist():
            cv2.rectangle(canvas, (x1, y1), (x2, y2), rgb, 2)
    return canvas, f"{missed.sum()} missed, {false.sum()} false\n{answer.path.name[:24]}"
