"""MediaPipe's BlazeFace: for each anchor a box, six key points and a score.

The key points are two eyes, the tip of the nose, the middle of the mouth, and two ears. Source: MediaPipe,
`calculators/tensor/tensors_to_detections_calculator.cc` and `modules/face_detection`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.heads.places import logit, sigmoid
from vedette.ops.boxes import best, nms
from vedette.ops.quant import least_code, to_real
from vedette.types import Tensor

__all__ = ["decode"]

MAX_CANDIDATES = 750
# of MediaPipe's points those that `FACE_POINTS` asks for; its "right eye" is the person's, so on the picture's left
_POINTS = (0, 1, 2, 3, 3)


def decode(
    encodings: Tensor,
    scores: Tensor,
    anchors: NDArray[np.float32],
    *,
    scale: float,
    size_wh: tuple[int, int],
    min_score: float,
    nms_iou: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return xyxy (n, 4) and landmarks (n, 5, 2) in input pixels, and score (n,); best first.

    The model tells the middle of the mouth alone: it stands for both of its corners.

    Args:
        encodings: (1, anchors, 16): x, y from the anchor's middle, width, height, then six points as x, y.
        scores: (1, anchors, 1), logits.
        anchors: (anchors, 4) of y, x, height, width in parts of the input.
        scale: what makes parts of the input of `encodings`: the side of the input that it was trained at.
        size_wh: width and height of the input, pixels.
        min_score: 0..1; lower ones are left out.
        nms_iou: 0..1; of two faces that overlap more, the better one stays.
    """
    codes: NDArray[Any] = scores.data.reshape(-1)
    rows = np.flatnonzero(codes >= least_code(scores, logit(min_score)))
    rows = rows[best(codes[rows].astype(np.float32), MAX_CANDIDATES)]
    score = sigmoid(to_real(codes[rows], scores))
    size = np.array(size_wh, np.float32)
    pairs = to_real(encodings.data.reshape(-1, 8, 2)[rows], encodings) / np.float32(scale)
    anchor = anchors[rows]
    pairs[:, [0, 2, 3, 4, 5, 6, 7]] += anchor[:, None, [1, 0]]  # all but the size
    pairs *= size
    half = pairs[:, 1] / 2
    xyxy = np.concatenate([pairs[:, 0] - half, pairs[:, 0] + half], 1)
    kept = nms(xyxy, score, iou=nms_iou)
    return xyxy[kept], score[kept], pairs[kept][:, [2 + i for i in _POINTS]]
