"""Objects of several classes without anchors: per stride s one map of scores and one of boxes.

``score_s`` (1, h, w, classes) are logits, ``box_s`` (1, h, w, 4) as `vedette.heads.places` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.heads.places import centers, logit, real, sigmoid, to_xyxy
from vedette.ops.boxes import best, nms
from vedette.ops.quant import least_code
from vedette.types import Tensor

__all__ = ["decode"]

MAX_CANDIDATES = 750
Found = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]


def decode(tensors: Sequence[Tensor], strides: Sequence[int], *, min_score: float, nms_iou: float) -> Found:
    """Return the objects that raw outputs tell of: xyxy (n, 4) in input pixels, score (n,), class_id (n,) int32.

    Scores are compared as they lie in the tensor; only what passes is converted to real numbers. A place may pass in
    several classes; each counts.

    Args:
        tensors: for each stride its score and its box map, (1, h, w, classes) and (1, h, w, 4).
        strides: input pixels per place, in the same order.
        min_score: 0..1; lower ones are left out.
        nms_iou: 0..1; of two objects of one class that overlap more, the better one stays.

    Returns:
        xyxy, score, class_id; best first.
    """
    least = logit(min_score)
    levels = [
        _passing(*tensors[2 * i : 2 * i + 2], stride=stride, least_logit=least)
        for i, stride in enumerate(strides)
    ]
    xyxy, logits, class_id = (np.concatenate(column) for column in zip(*levels, strict=True))
    few = best(logits, MAX_CANDIDATES)
    kept = few[nms(xyxy[few], logits[few], iou=nms_iou, class_id=class_id[few])]
    return xyxy[kept], sigmoid(logits[kept]), class_id[kept]


def _passing(score: Tensor, box: Tensor, *, stride: int, least_logit: float) -> Found:
    raw: NDArray[Any] = score.data.reshape(-1, score.data.shape[3])
    places, classes = np.nonzero(raw >= least_code(score, least_logit))
    logits = real(score, places)[np.arange(len(places)), classes]
    center = centers(places, columns=score.data.shape[2], stride=stride)
    return to_xyxy(real(box, places), center, stride), logits, classes.astype(np.int32)
