"""Where points are, seen from polygons and lines. All points are (n, 2) float64 x, y of one unit in both directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["anchors", "crossings", "distance", "inside", "is_simple"]

Points = NDArray[np.float64]

_HEIGHT = {"bottom": 1.0, "center": 0.5, "top": 0.0}


def anchors(xyxy: NDArray[np.float32], anchor: str) -> Points:
    """Return the point (n, 2) that stands for each box: the middle of its "bottom" or "top" edge, or its "center"."""
    wide = xyxy.astype(np.float64)
    down = _HEIGHT[anchor]
    return np.stack([(wide[:, 0] + wide[:, 2]) / 2, wide[:, 1] * (1 - down) + wide[:, 3] * down], 1)


def inside(points: Points, polygon: Points) -> NDArray[np.bool_]:
    """Return (n,) whether each point is in the `polygon` (k, 2), corners in order.

    The even-odd rule: W. R. Franklin, PNPOLY. Of two polygons with an edge in common a point is in one at most.
    """
    x, y = points[:, :1], points[:, 1:]
    (x1, y1), (x2, y2) = polygon.T, np.roll(polygon, -1, 0).T
    straddles = (y1 > y) != (y2 > y)
    rise = np.where(y2 == y1, 1.0, y2 - y1)
    hits = straddles & (x < (x2 - x1) * (y - y1) / rise + x1)
    odd: NDArray[np.bool_] = hits.sum(1) % 2 == 1
    return odd


def distance(points: Points, corners: Points, *, closed: bool) -> NDArray[np.float64]:
    """Return (n,) how far each point is from the nearest edge between `corners` (k, 2); `closed`: a polygon's edges."""
    start = corners if closed else corners[:-1]
    along = (np.roll(corners, -1, 0) if closed else corners[1:]) - start
    off = points[:, None] - start
    length = np.maximum((along**2).sum(1), np.finfo(np.float64).tiny)
    part = np.clip((off * along).sum(2) / length, 0, 1)
    nearest: NDArray[np.float64] = np.sqrt(((off - part[..., None] * along) ** 2).sum(2)).min(1)
    return nearest


def crossings(before: Points, after: Points, line: Points) -> NDArray[np.int8]:
    """Return (n,) how each straight path crosses the segment `line` (2, 2): 1, -1, or 0 where it does not.

    1 is from left to right for whoever looks from the line's first end to its second, y growing downwards. A point on
    the line counts to its left, so that a path which ends there and one which goes on from there make one crossing.
    """
    was, now = _right(before, line[0], line[1]), _right(after, line[0], line[1])
    first, second = (_right(end[None], before, after) for end in line)
    crossed = (was != now) & (first != second)
    signs: NDArray[np.int8] = np.where(crossed, np.where(now, 1, -1), 0).astype(np.int8)
    return signs


def is_simple(polygon: Points) -> bool:
    """Return whether no edge of the `polygon` (k, 2) crosses another, and it has an area."""
    x, y = polygon.T
    area = abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2
    ends = np.roll(polygon, -1, 0)
    k = len(polygon)
    for i in range(k):
        others = [j for j in range(k) if j not in (i, (i + 1) % k, (i - 1) % k)]
        if crossings(polygon[others], ends[others], np.stack([polygon[i], ends[i]])).any():
            return False
    return bool(area > 1e-9)


def _right(points: Points, start: Points, end: Points) -> NDArray[np.bool_]:
    """Return whether points are to the right of the way from `start` to `end`, y growing downwards."""
    way, off = end - start, points - start
    right: NDArray[np.bool_] = way[..., 0] * off[..., 1] - way[..., 1] * off[..., 0] > 0
    return right
