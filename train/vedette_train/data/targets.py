"""Say for each place of the feature maps which face it answers for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vedette_train.data.scenes import Scene

__all__ = ["TARGET_COLUMNS", "anchors", "assign"]

TARGET_COLUMNS = 16
"""Per place: positive 0/1, weight of the score's loss, box x1 y1 x2 y2 in px, points x y in px or NaN."""

RANGES_PX = {8: (0.0, 38.0), 16: (26.0, 88.0), 32: (64.0, 1e9)}
"""Face sizes (square root of the box's area) that each stride answers for; they overlap."""

RADIUS = 0.28  # of the face's size: places within it, and at least the nearest, answer


def anchors(size_wh: tuple[int, int], strides: tuple[int, ...]) -> NDArray[np.float32]:
    """Return (places, 3): x and y of each place's centre in px, and its stride; rows of maps, finest stride first."""
    parts = []
    for stride in strides:
        y, x = np.mgrid[: size_wh[1] // stride, : size_wh[0] // stride].reshape(2, -1)
        parts.append(np.stack([(x + 0.5) * stride, (y + 0.5) * stride, np.full(x.shape, stride)], -1))
    return np.concatenate(parts).astype(np.float32)


def assign(scene: Scene, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (places, TARGET_COLUMNS) float32 for `scene`; where faces overlap, the smaller one wins."""
    target = np.zeros((len(places), TARGET_COLUMNS), np.float32)
    target[:, 1] = 1.0
    sizes = np.sqrt(np.prod(scene.xyxy[:, 2:] - scene.xyxy[:, :2], axis=1))
    for i in np.argsort(-sizes):
        box, size = scene.xyxy[i], float(sizes[i])
        away = np.abs(places[:, :2] - (box[:2] + box[2:]) / 2)
        reach = np.maximum(RADIUS * size, places[:, 2] * 0.55)
        near = (away <= reach[:, None]).all(1)
        if not scene.sure[i]:
            inside = ((places[:, :2] >= box[:2]) & (places[:, :2] <= box[2:])).all(1)
            target[(inside | near) & (target[:, 0] == 0), 1] = 0.0
            continue
        low, high = np.array([RANGES_PX[int(s)] for s in places[:, 2]]).T
        mine = near & (size >= low) & (size < high)
        target[mine, 0] = target[mine, 1] = 1.0
        target[mine, 2:6], target[mine, 6:] = box, scene.points[i].ravel()
        edge = near & ~mine & (target[:, 0] == 0) & (size >= low / 1.5) & (size < high * 1.5)
        target[edge, 1] = 0.0
    return target
