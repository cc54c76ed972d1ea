"""Find what an earlier face detector takes for faces, to teach the next one better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vedette.errors import SourceError
from vedette.ops.boxes import iou_matrix
from vedette.types import Image
from vedette_train.data.faces import FacePhoto
from vedette_train.data.pictures import read_rgb

__all__ = ["Mistake", "find_mistakes"]

LEAST_SCORE = 0.2
MOST_SCORE = 0.8  # what is believed more may well be a face that nobody labelled
MOST_IOU = 0.05  # of a mistake with any known face

Detect = Callable[[Image], tuple[NDArray[np.float32], ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Mistake:
    """A piece of a photo that was taken for a face: xyxy (4,) float32 px, score 0..1."""

    photo: FacePhoto
    xyxy: NDArray[np.float32]
    score: float


def find_mistakes(detect: Detect, photos: Sequence[FacePhoto]) -> list[Mistake]:
    """Return what `detect` believes in, by `LEAST_SCORE` to `MOST_SCORE`, that overlaps no known face.

    Args:
        detect: gives xyxy (n, 4) in px, score (n,) and whatever else for a picture.
        photos: with all faces that are known in them; broken ones are passed over.
    """
    found = []
    for photo in photos:
        try:
            xyxy, score, *_ = detect(read_rgb(photo.path))
        except SourceError:
            continue
        apart = iou_matrix(xyxy, photo.xyxy).max(1, initial=0) <= MOST_IOU
        wrong = apart & (score >= LEAST_SCORE) & (score <= MOST_SCORE)
        found += [Mistake(photo, xyxy[i], float(score[i])) for i in np.flatnonzero(wrong)]
    return found
