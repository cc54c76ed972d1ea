"""The face detector's loss: how sure (varifocal), where (distance IoU), and the landmarks (smooth L1)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["decode", "face_loss"]

BOX_WEIGHT, POINTS_WEIGHT = 2.0, 6.0
ALPHA, GAMMA = (
    1.0,
    1.5,
)  # the paper's .75 and 2 forgive half-sure mistakes, signs and hands, more than is good
SHARP_PX = 32.0  # landmarks of smaller faces are guesses, and count for less


def decode(box: Any, points: Any, places: Any) -> tuple[Any, Any]:
    """Return xyxy (..., 4) and points (..., 10) in px from raw maps and `places` (n, 3) of x, y, stride."""
    center, stride = places[:, :2], places[:, 2:]
    middle = center + box[..., :2] * stride
    half = ops.exp(ops.minimum(box[..., 2:], 6.0)) * stride / 2
    return ops.concatenate([middle - half, middle + half], -1), ops.tile(center, (1, 5)) + points * stride


def face_loss(target: Any, outputs: dict[str, Any], places: Any, strides: tuple[int, ...]) -> Any:
    """Return the scalar loss of a batch; `target` (n, places, TARGET_COLUMNS) from `vedette_train.data.targets`."""
    batch = ops.shape(target)[0]
    flat = {
        role: ops.concatenate([ops.reshape(outputs[f"{role}_{s}"], (batch, -1, n)) for s in strides], 1)
        for role, n in (("score", 1), ("box", 4), ("points", 10))
    }
    xyxy, points = decode(flat["box"], flat["points"], places)
    positive, weight = target[..., 0], target[..., 1]
    overlap, distance = _iou(xyxy, target[..., 2:6])
    score = _varifocal(flat["score"][..., 0], positive * ops.stop_gradient((1 + overlap) / 2), positive)
    count = ops.maximum(ops.sum(positive), 1.0)
    side = ops.sqrt(ops.maximum(_area(target[..., 2:6]), 1.0))[..., None]
    known = ops.logical_not(ops.isnan(target[..., 6:]))
    off = _smooth_l1((points - ops.where(known, target[..., 6:], 0.0)) / side) * ops.cast(known, points.dtype)
    where = ops.sum(positive * (1 - overlap + distance)) / count
    sharp = ops.minimum(side[..., 0] / SHARP_PX, 1.0)
    marks = ops.sum(positive * sharp * ops.mean(off, -1)) / count
    return ops.sum(score * weight) / count + BOX_WEIGHT * where + POINTS_WEIGHT * marks


def _area(box: Any) -> Any:
    return (box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1])


def _iou(a: Any, b: Any) -> tuple[Any, Any]:
    """Return IoU and the squared centre distance over the squared diagonal (Zheng et al., Distance-IoU, 2020)."""
    size = ops.maximum(ops.minimum(a[..., 2:], b[..., 2:]) - ops.maximum(a[..., :2], b[..., :2]), 0.0)
    shared = size[..., 0] * size[..., 1]
    overlap = shared / ops.maximum(_area(a) + _area(b) - shared, 1e-3)
    hull = ops.maximum(a[..., 2:], b[..., 2:]) - ops.minimum(a[..., :2], b[..., :2])
    apart = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    return overlap, ops.sum(apart**2, -1) / ops.maximum(ops.sum(hull**2, -1), 1e-3)


def _varifocal(logit: Any, quality: Any, positive: Any) -> Any:
    """Cross entropy with a soft target that weighs its own place (Zhang et al., VarifocalNet, 2021)."""
    entropy = ops.maximum(logit, 0.0) - logit * quality + ops.log1p(ops.exp(-ops.abs(logit)))
    weight = positive * quality + (1 - positive) * ALPHA * keras.ops.sigmoid(logit) ** GAMMA
    return entropy * ops.stop_gradient(weight)


def _smooth_l1(x: Any, beta: float = 0.02) -> Any:
    size = ops.abs(x)
    return ops.where(size < beta, size**2 / (2 * beta), size - beta / 2) * 5.0
