"""Find small objects: look at the whole picture, then at overlapping tiles of it, each at the model's full input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.models.maps import BoxDetector
from vedette.models.network import check_image
from vedette.ops.boxes import area, shared_areas, survivors
from vedette.settings import Tiling
from vedette.types import Closing, Detections, Faces, Image

__all__ = ["TiledDetector", "merge", "tile_boxes"]

EDGE = 0.02
"""A box that ends so near to a tile's inner edge, in parts of the tile, is taken to go on behind it."""

SAME_IOU = 0.5
FRAGMENT = 0.6
"""A box that was cut off falls when a better one of its class covers this part of it."""


class TiledDetector(Closing):
    """A detector that looks at tiles too. A picture costs columns x rows + 1 invokes.

    Args:
        detector: closed with this.
        tiling: how many tiles, and how far they overlap.
    """

    def __init__(self, detector: BoxDetector[Any], tiling: Tiling) -> None:
        self.detector, self.tiling = detector, tiling
        self.info, self.model, self.engine = detector.info, detector.model, detector.engine

    @property
    def min_score(self) -> float:
        """The detector's threshold."""
        return self.detector.min_score

    @min_score.setter
    def min_score(self, value: float) -> None:
        self.detector.min_score = value

    def detect(self, image: Image) -> Detections:
        """Return what is found in `image`, (H, W, 3) uint8 RGB of any size, best first; `Faces` by a face detector.

        Raises:
            EngineError: the model failed while running.
        """
        check_image(image)
        whole: Detections = self.detector.detect(image)
        found, cuts = [whole], [np.zeros(len(whole), bool)]
        for tile in tile_boxes((image.shape[1], image.shape[0]), self.tiling):
            left, top, right, bottom = tile
            inside = self.detector.detect(image[top:bottom, left:right])
            found.append(_moved(inside, left, top))
            cuts.append(_cut(found[-1].xyxy, tile, (image.shape[1], image.shape[0])))
        joined = _joined(found)
        return joined.take(merge(joined.xyxy, joined.score, joined.class_id, np.concatenate(cuts)))

    def close(self) -> None:
        """Close the detector."""
        self.detector.close()


def tile_boxes(size_wh: tuple[int, int], tiling: Tiling) -> list[tuple[int, int, int, int]]:
    """Return x1, y1, x2, y2 of each tile, row by row; together they cover the picture."""
    spans = []
    for size, count in zip(size_wh, (tiling.columns, tiling.rows), strict=True):
        side = size / (count - (count - 1) * tiling.overlap)
        starts = [round(i * side * (1 - tiling.overlap)) for i in range(count)]
        spans.append([(max(0, min(s, size - 1)), min(size, max(s + 1, round(s + side)))) for s in starts])
        spans[-1][-1] = (spans[-1][-1][0], size)
    return [(x1, y1, x2, y2) for y1, y2 in spans[1] for x1, x2 in spans[0]]


def merge(
    xyxy: NDArray[np.float32],
    score: NDArray[np.float32],
    class_id: NDArray[np.int32],
    cut: NDArray[np.bool_],
) -> NDArray[np.intp]:
    """Return indices of the boxes that stay when several tiles saw the same thing, best first.

    A whole box comes before any that a tile's edge cut off. Of two of one class that overlap by more than `SAME_IOU`
    the first stays; a cut one falls even when the other covers `FRAGMENT` of it.
    """
    order = np.lexsort((-score, cut))
    boxes, classes = xyxy[order], class_id[order]
    shared, areas = shared_areas(boxes, boxes), area(boxes)
    same = shared > SAME_IOU * (areas[:, None] + areas[None, :] - shared)
    part = cut[order][None, :] & (shared > FRAGMENT * areas[None, :])
    kept = order[survivors((same | part) & (classes[:, None] == classes[None, :]))]
    return kept[np.argsort(-score[kept], kind="stable")]


def _cut(
    xyxy: NDArray[np.float32], tile: tuple[int, int, int, int], size_wh: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return which boxes, in pixels of the picture, end at an edge of `tile` that is none of the picture's."""
    left, top, right, bottom = tile
    edge_x, edge_y = EDGE * (right - left), EDGE * (bottom - top)
    return (
        ((xyxy[:, 0] < left + edge_x) & (left > 0))
        | ((xyxy[:, 1] < top + edge_y) & (top > 0))
        | ((xyxy[:, 2] > right - edge_x) & (right < size_wh[0]))
        | ((xyxy[:, 3] > bottom - edge_y) & (bottom < size_wh[1]))
    )


def _moved(found: Detections, left: int, top: int) -> Detections:
    corner = np.array((left, top), np.float32)
    changes: dict[str, Any] = {"xyxy": found.xyxy + np.tile(corner, 2)}
    if isinstance(found, Faces):
        changes["landmarks"] = found.landmarks + corner
    return replace(found, **changes)


def _joined(found: list[Detections]) -> Detections:
    """Return the rows of all, one after the other."""
    columns = ["xyxy", "score", "class_id", "track_id", "predicted"]
    columns += ["landmarks"] if isinstance(found[0], Faces) else []
    joined: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in found]) for name in columns}
    return replace(found[0], **joined)
