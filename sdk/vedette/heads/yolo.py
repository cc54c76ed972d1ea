"""YOLOv5, v8, 11, 26 and their like, as Ultralytics exports them: one tensor of boxes with scores.

A row is a box of four numbers, objectness where the family has it, and a score 0..1 of each class; end to end it is a
box, a score and a class, suppressed already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.ops.boxes import best, nms
from vedette.ops.quant import least_code, to_real
from vedette.types import Tensor

__all__ = ["MAX_CANDIDATES", "Form", "decode", "passing"]

MAX_CANDIDATES = 1000
Found = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class Form:
    """How the tensor is to be read.

    Attributes:
        channels_first: (1, numbers, boxes); else (1, boxes, numbers).
        objectness: the fifth number is how surely there is anything; scores are multiplied with it.
        normalized: boxes are in parts of the input; else in its pixels.
        corners: boxes are x1, y1, x2, y2; else the middle, width and height.
        end_to_end: rows are a box, a score and a class.
        nms_iou: 0..1; of two of one class that overlap more, the better one stays.
    """

    channels_first: bool
    objectness: bool
    normalized: bool
    corners: bool
    end_to_end: bool
    nms_iou: float


def decode(predictions: Tensor, form: Form, *, size_wh: tuple[int, int], min_score: float) -> Found:
    """Return what is found: xyxy (n, 4) in input pixels, score (n,), class_id (n,) int32; best first.

    Scores are compared as they lie in the tensor. A box may pass in several classes; each counts.

    Args:
        predictions: the network's output.
        form: how it is to be read.
        size_wh: width and height of the input, pixels.
        min_score: 0..1; lower ones are left out.
    """
    codes: NDArray[Any] = predictions.data[0] if form.channels_first else predictions.data[0].T
    if form.end_to_end:
        rows = np.flatnonzero(codes[4] >= least_code(predictions, min_score))
        score = to_real(codes[4, rows], predictions)
        class_id = np.rint(to_real(codes[5, rows], predictions)).astype(np.int32)
    else:
        rows, class_id, score = passing(codes, predictions, objectness=form.objectness, min_score=min_score)
    few = best(score, MAX_CANDIDATES)
    box = to_real(codes[:4, rows[few]].T, predictions)
    if form.normalized:
        box *= np.array((*size_wh, *size_wh), np.float32)
    xyxy = (
        box if form.corners else np.concatenate([box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2], 1)
    )
    score, class_id = score[few], class_id[few]
    if form.end_to_end:
        kept = np.argsort(-score, kind="stable")
    else:
        kept = nms(xyxy, score, iou=form.nms_iou, class_id=class_id)
    return xyxy[kept], score[kept], class_id[kept]


def passing(
    codes: NDArray[Any], tensor: Tensor, *, objectness: bool, min_score: float
) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float32]]:
    """Return box, class and score of all that reach `min_score`.

    Args:
        codes: (4 + objectness + classes, boxes) of `tensor`.
        tensor: for its quantization.
        objectness: scores are multiplied with the fifth row.
        min_score: 0..1.
    """
    least = least_code(tensor, min_score)
    if not objectness:
        class_id, rows = np.divmod(np.flatnonzero(codes[4:] >= least), codes.shape[1])  # nonzero() is slower
        return rows, class_id.astype(np.int32), to_real(codes[4:][class_id, rows], tensor)
    likely = np.flatnonzero(codes[4] >= least)  # a product of two numbers up to 1 is not above either
    scores = to_real(codes[5:, likely], tensor) * to_real(codes[4, likely], tensor)
    class_id, columns = np.nonzero(scores >= min_score)
    return likely[columns], class_id.astype(np.int32), scores[class_id, columns]
