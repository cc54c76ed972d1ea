"""SSD and EfficientDet without post-processing: for each anchor an encoded box and a score of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.heads.places import MAX_LOG_SIZE, logit, sigmoid
from vedette.ops.boxes import best, nms
from vedette.ops.quant import least_code, to_real
from vedette.types import Tensor

__all__ = ["ACTIVATIONS", "decode"]

ACTIVATIONS = ("sigmoid", "softmax", "none")
MAX_CANDIDATES = 1000
Found = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]


def decode(
    encodings: Tensor,
    classes: Tensor,
    anchors: NDArray[np.float32],
    *,
    scales: Sequence[float],
    activation: str,
    background: bool,
    size_wh: tuple[int, int],
    min_score: float,
    nms_iou: float,
) -> Found:
    """Return what is found: xyxy (n, 4) in input pixels, score (n,), class_id (n,) int32; best first.

    Args:
        encodings: (1, anchors, 4) of ty, tx, th, tw: ``ty / scale`` anchor heights from the anchor's middle, the
            logarithm of heights, and so in x (Liu et al., SSD, 2016, eq. 2).
        classes: (1, anchors, k).
        anchors: (anchors, 4) of y, x, height, width in parts of the input.
        scales: of ty, tx, th, tw.
        activation: what makes scores of `classes`; "none" where they are scores.
        background: the first class is nothing; the others count from 0.
        size_wh: width and height of the input, pixels.
        min_score: 0..1; lower ones are left out.
        nms_iou: 0..1; of two of one class that overlap more, the better one stays.
    """
    rows, class_id, score = _passing(classes, activation, int(background), min_score)
    few = best(score, MAX_CANDIDATES)
    rows, class_id, score = rows[few], class_id[few], score[few]
    code = to_real(encodings.data.reshape(-1, 4)[rows], encodings) / np.array(scales, np.float32)
    anchor = anchors[rows]
    middle = code[:, :2] * anchor[:, 2:] + anchor[:, :2]
    half = np.exp(np.minimum(code[:, 2:], np.float32(MAX_LOG_SIZE))) * anchor[:, 2:] / 2
    yxyx = np.concatenate([middle - half, middle + half], 1)
    xyxy: NDArray[np.float32] = yxyx[:, [1, 0, 3, 2]] * np.array((*size_wh, *size_wh), np.float32)
    kept = nms(xyxy, score, iou=nms_iou, class_id=class_id)
    return xyxy[kept], score[kept], class_id[kept]


def _passing(
    classes: Tensor, activation: str, first: int, min_score: float
) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float32]]:
    """Return rows, classes and scores of all that reach `min_score`; a softmax takes all classes of a row together."""
    codes: NDArray[Any] = classes.data.reshape(-1, classes.data.shape[-1])
    if activation == "softmax":
        real = to_real(codes, classes)
        exponents = np.exp(real - real.max(1, keepdims=True))
        all_scores = (exponents / exponents.sum(1, keepdims=True))[:, first:]
        rows, class_id = np.nonzero(all_scores >= min_score)
        return rows, class_id.astype(np.int32), all_scores[rows, class_id]
    least = logit(min_score) if activation == "sigmoid" else min_score
    rows, class_id = np.nonzero(codes[:, first:] >= least_code(classes, least))
    real = to_real(codes[rows, class_id + first], classes)
    return rows, class_id.astype(np.int32), sigmoid(real) if activation == "sigmoid" else real
