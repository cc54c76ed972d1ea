"""Blur faces in the picture itself, so that no sink ever sees them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import cv2
import numpy as np

from vedette.ops.boxes import iou_matrix
from vedette.settings import PrivacySettings
from vedette.types import Closing, Faces, IdentifiedFaces, Image, Results

__all__ = ["Privacy", "mosaic"]

_CELLS = 6
"""Along a blurred face's shorter side: eyes and mouth come to one cell each."""

_DRIFT_PER_S = 1.0
"""By how much of its size a box grows each second that its face is not found: it may be moving."""

_SAME = 0.5
"""Intersection over union from which two boxes are of one face."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Seen:
    """Where a face was that had to be blurred, and when; `track_id` -1 where it had no track."""

    xyxy: tuple[float, float, float, float]
    track_id: int
    time_ns: int


class Privacy(Closing):
    """A stage that replaces the frame by one with blurred faces. Holds state: one source, frames in order.

    When in doubt it blurs: a face that is not yet decided on counts as unknown, boxes are enlarged, and where a face
    was that is not found any more stays blurred for `hold_s`, in a growing box. What no detector ever found it cannot
    blur. Needs no closing.
    """

    def __init__(self, settings: PrivacySettings | None = None) -> None:
        self.name = "privacy"
        self.settings = PrivacySettings() if settings is None else settings
        self._held: tuple[_Seen, ...] = ()

    def __call__(self, results: Results) -> Results:
        """Return `results` with the faces in the frame blurred, also in the pictures as they came to a stage that
        enhances; what was prepared of the clear picture is dropped.
        """
        frame = results.frame
        rows = list(_rows(results))
        secret = [seen for seen, known in rows if not (known and self.settings.blur == "unknown")]
        tracked = {seen.track_id for seen, _ in rows}
        self._held = (*secret, *self._still_held(tracked, secret, frame.time_ns))
        boxes = [self._grown(seen, frame.time_ns, frame.size_wh) for seen in self._held]
        hidden = replace(frame, image=mosaic(frame.image, boxes), ahead=None)
        enhanced = {
            name: replace(one, before=mosaic(one.before, _scaled(boxes, frame.image, one.before)))
            for name, one in results.enhanced.items()
        }
        return replace(results, frame=hidden, blurred=True, enhanced=MappingProxyType(enhanced))

    def close(self) -> None:
        """Nothing to close."""

    def _still_held(self, tracked: set[int], secret: Sequence[_Seen], now_ns: int) -> Iterator[_Seen]:
        """Yield what was blurred before and is not found now; a clock that ran backwards holds it anew.

        What has no track is taken for found where a blurred face of now lies on most of it.
        """
        now = np.array([seen.xyxy for seen in secret], np.float32).reshape(-1, 4)
        for seen in self._held:
            place = np.array([seen.xyxy], np.float32)
            if seen.track_id in tracked if seen.track_id >= 0 else (iou_matrix(place, now) > _SAME).any():
                continue
            begun = replace(seen, time_ns=now_ns) if seen.time_ns > now_ns else seen
            if now_ns - begun.time_ns <= self.settings.hold_s * 1e9:
                yield begun

    def _grown(self, seen: _Seen, now_ns: int, size_wh: tuple[int, int]) -> Box:
        x1, y1, x2, y2 = seen.xyxy
        by = (self.settings.grow + _DRIFT_PER_S * (now_ns - seen.time_ns) / 1e9) * max(x2 - x1, y2 - y1)
        low = np.floor(np.clip((x1 - by, y1 - by), 0, size_wh)).astype(int).tolist()
        high = np.ceil(np.clip((x2 + by, y2 + by), 0, size_wh)).astype(int).tolist()
        return low[0], low[1], high[0], high[1]


def _scaled(boxes: Sequence[Box], image: Image, other: Image) -> list[Box]:
    """Return `boxes` of `image` in the pixels of `other`, the same picture in another size; no smaller for rounding."""
    down, across = other.shape[0] / image.shape[0], other.shape[1] / image.shape[1]
    return [
        (int(x1 * across), int(y1 * down), math.ceil(x2 * across), math.ceil(y2 * down))
        for x1, y1, x2, y2 in boxes
    ]


def mosaic(image: Image, boxes: Sequence[Box]) -> Image:
    """Return a new picture: `image`, (H, W, 3) uint8, with each of `boxes` (x1, y1, x2, y2; whole pixels inside the
    picture) replaced by the means of a few square cells; `image` itself where there is no box.

    A blur can be undone in part, since it keeps a little of everything; the mean of a cell keeps nothing of what is in
    it.
    """
    real = [box for box in boxes if box[2] > box[0] and box[3] > box[1]]
    if not real:
        return image
    hidden: Image = image.copy()
    for x1, y1, x2, y2 in real:
        part = image[
            y1:y2, x1:x2
        ]  # of the clear picture, so that overlapping boxes do not wash each other out
        height, width = part.shape[:2]
        cell = max(1.0, min(width, height) / _CELLS)
        cells = max(1, round(width / cell)), max(1, round(height / cell))
        small = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
        hidden[y1:y2, x1:x2] = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return hidden


def _rows(results: Results) -> Iterator[tuple[_Seen, bool]]:
    """Yield every face of every stage, and whether somebody known has it."""
    for one in results.found.values():
        if isinstance(one, Faces):
            known = one.identity if isinstance(one, IdentifiedFaces) else itertools.repeat("undecided")
            for xyxy, track_id, who in zip(one.xyxy.tolist(), one.track_id.tolist(), known, strict=False):
                yield _Seen(tuple(xyxy), track_id, results.frame.time_ns), who == "known"
