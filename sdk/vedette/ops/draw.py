"""Draw what was found onto a picture: boxes, labels, landmarks, and a status line.

Line width and text grow with the picture, so that it reads at 320 px and at 4K: capital letters are at least
`MIN_TEXT_PX` high. Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with any kind of
colour vision tell apart; every line has a dark rim, so that it shows on any background.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.types import Detections, Faces, IdentifiedFaces, Image, ZoneCount

__all__ = ["MIN_TEXT_PX", "PALETTE", "annotate", "color_of", "scaled", "text_px"]

MIN_TEXT_PX = 10
"""Least height of a capital letter, pixels of the picture."""

PALETTE = (
    (240, 228, 66), (86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167), (213, 94, 0), (0, 114, 178),
)  # fmt: skip
"""RGB; yellow, sky blue, orange, green, purple, vermilion, blue."""

SURE, LIKELY, UNKNOWN, UNDECIDED = PALETTE[3], PALETTE[0], PALETTE[5], (204, 204, 204)
"""Of identified faces: green, yellow, vermilion, grey."""

SURE_FROM = 0.8
"""Certainty from which a name is drawn as sure; below, part of the evidence speaks for others."""

_CHALLENGES = {
    "left": ": turn left ->",
    "right": ": <- turn right",
    "front": ": look here",
    "passed": ", live: passed",
    "failed": ", live: failed",
}
"""Of somebody who is asked to turn the head; the arrow points to where the nose is to go in the picture."""

_RIM = (0, 0, 0)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FAR = 1 << 15  # coordinates beyond are cut: OpenCV counts in fixed point

_Box = tuple[int, int, int, int]
_Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Pen:
    """Sizes for one picture: line width, text weight and padding in px; font scale."""

    width: int
    scale: float
    weight: int
    pad: int

    def size_wh(self, text: str) -> tuple[int, int]:
        (width, height), below = cv2.getTextSize(text, _FONT, self.scale, self.weight)
        return width + 2 * self.pad, height + below // 2 + 2 * self.pad


def text_px(size_wh: tuple[int, int]) -> int:
    """Return how high a capital letter is drawn on a picture of `size_wh`, pixels."""
    return max(MIN_TEXT_PX, round(0.017 * math.sqrt(size_wh[0] * size_wh[1])))


def color_of(stage_index: int, class_id: int) -> _Color:
    """Return the RGB colour for a class of the `stage_index`-th stage: neighbours differ."""
    return PALETTE[(3 * stage_index + class_id) % len(PALETTE)]


def _color(stage_index: int, one: Detections, k: int) -> _Color:
    """Return the colour of a row; of an identified face by how certain it is who that is."""
    if not isinstance(one, IdentifiedFaces):
        return color_of(stage_index, int(one.class_id[k]))
    identity = one.identity[k]
    if identity == "known":
        live = one.challenge[k] in ("", "passed")
        return SURE if live and one.certainty[k] >= SURE_FROM else LIKELY
    return UNKNOWN if identity == "unknown" else UNDECIDED


def scaled(found: Mapping[str, Detections], factor: float) -> dict[str, Detections]:
    """Return `found` for the same picture resized by `factor`."""
    by = np.float32(factor)
    return {
        stage: replace(one, xyxy=one.xyxy * by, landmarks=one.landmarks * by)
        if isinstance(one, Faces)
        else replace(one, xyxy=one.xyxy * by)
        for stage, one in found.items()
    }


def annotate(
    image: Image, found: Mapping[str, Detections], *, zones: Sequence[ZoneCount] = (), status: str = ""
) -> Image:
    """Return a new picture: `image` with what was `found` drawn on it, predicted boxes dashed.

    Identified faces are green where a name is sure, yellow where it is likely or where somebody has still to show that
    the head can be turned, vermilion where they are unknown, and grey where too little was seen.

    A label that would hide another one is left out (its box is drawn); so is one that is larger than the picture.

    Args:
        image: (H, W, 3) uint8 RGB, any size; not changed.
        found: detections by stage, pixels of `image`.
        zones: zones and lines with their counts; a line's arrow points to where "in" is.
        status: a line for the lower left corner, such as ``"29.8 fps  41 ms"``.
    """
    canvas: Image = np.array(image, np.uint8, order="C")
    pen = _pen(canvas.shape[1], canvas.shape[0])
    marks = [(one, k, _color(stage, one, k)) for stage, one in enumerate(found.values())
             for k in range(len(one))]  # fmt: skip
    for k, zone in enumerate(zones):
        _outline_zone(canvas, pen, zone, _zone_color(k))
    for one, k, color in marks:
        _outline(canvas, pen, one, k, color)
    placed: list[_Box] = []
    if status:
        _write(
            canvas,
            pen,
            _plain(status),
            ((pen.pad, canvas.shape[0] - pen.pad, True),),
            (255, 255, 255),
            placed,
        )
    for k, zone in enumerate(zones):
        text = _plain(" ".join([zone.name, *(f"{name} {count}" for name, count in zone.counts.items())]))
        (x, y) = _zone_corners(canvas, zone)[0].tolist()
        _write(canvas, pen, text, _label_places((x, y, x, y)), _zone_color(k), placed)
    for one, k, color in marks:
        box = _corners(one.xyxy[k])
        _write(canvas, pen, _caption(one, k), _label_places(box), color, placed)
    return canvas


@cache
def _unit_px() -> int:
    return int(cv2.getTextSize("X", _FONT, 1.0, 1)[0][1])


def _pen(width: int, height: int) -> _Pen:
    px = text_px((width, height))
    weight = max(1, round(px / 10))
    return _Pen(max(2, round(px / 8)), px / (_unit_px() - 1), weight, max(2, px // 5))


def _plain(text: str) -> str:
    """Return `text` in the ASCII that OpenCV's stroke fonts can draw: accents are dropped, the rest is '?'."""
    folded = unicodedata.normalize("NFKD", text)
    return "".join(c if " " <= c <= "~" else "?" for c in folded if not unicodedata.combining(c))


def _caption(one: Detections, k: int) -> str:
    class_id, track = int(one.class_id[k]), int(one.track_id[k])
    label = one.labels[class_id] if 0 <= class_id < len(one.labels) else str(class_id)
    text = _identity(one, k) if isinstance(one, IdentifiedFaces) else f"{label} {one.score[k]:.2f}"
    return _plain(text + (f" #{track}" if track >= 0 else ""))


def _identity(one: IdentifiedFaces, k: int) -> str:
    identity, told = one.identity[k], _CHALLENGES.get(str(one.challenge[k]), "")
    if identity == "known":
        return f"{one.person[k]} {one.certainty[k]:.0%}{told}"
    return identity.replace("undecided", "?") + told


def _corners(xyxy: Sequence[float] | np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> _Box:
    x1, y1, x2, y2 = (round(float(v)) for v in np.nan_to_num(np.clip(xyxy, -_FAR, _FAR)))
    return x1, y1, x2, y2


def _outline(canvas: Image, pen: _Pen, one: Detections, k: int, color: _Color) -> None:
    edge, (height, width) = pen.width // 2, canvas.shape[:2]
    x1, y1, x2, y2 = _corners(one.xyxy[k])
    x1, y1 = max(x1, edge), max(y1, edge)  # the whole line is inside the picture
    x2, y2 = max(x1, min(x2, width - edge) - 1), max(y1, min(y2, height - edge) - 1)
    cv2.rectangle(canvas, (x1, y1), (x2, y2), _RIM, pen.width + 2)
    if one.predicted[k]:
        _dash(canvas, pen, (x1, y1, x2, y2), color)
    else:
        cv2.rectangle(canvas, (x1, y1), (x2, y2), color, pen.width)
    if not isinstance(one, Faces):
        return
    radius = max(1, min(pen.width * 3 // 2, (x2 - x1) // 16))
    for x, y in np.nan_to_num(np.clip(one.landmarks[k], -_FAR, _FAR)):
        cv2.circle(canvas, (round(float(x)), round(float(y))), radius + 1, _RIM, cv2.FILLED)
        cv2.circle(canvas, (round(float(x)), round(float(y))), radius, color, cv2.FILLED)


def _dash(canvas: Image, pen: _Pen, box: _Box, color: _Color) -> None:
    """Draw the edges of `box` as dashes, four pens long, on the dark rim that is there."""
    x1, y1, x2, y2 = box
    step = 4 * pen.width
    for x in range(x1, x2, 2 * step):
        for y in (y1, y2):
            cv2.line(canvas, (x, y), (min(x + step, x2), y), color, pen.width)
    for y in range(y1, y2, 2 * step):
        for x in (x1, x2):
            cv2.line(canvas, (x, y), (x, min(y + step, y2)), color, pen.width)


def _zone_color(index: int) -> _Color:
    """Return the RGB colour of a zone: from the palette's other end than the stages'."""
    return PALETTE[-1 - index % len(PALETTE)]


def _zone_corners(canvas: Image, zone: ZoneCount) -> NDArray[np.int32]:
    last = np.array([canvas.shape[1] - 1, canvas.shape[0] - 1])
    corners: NDArray[np.int32] = np.round(np.array(zone.points) * last).astype(np.int32)
    return corners


def _outline_zone(canvas: Image, pen: _Pen, zone: ZoneCount, color: _Color) -> None:
    corners = _zone_corners(canvas, zone)
    is_line = len(corners) == 2
    middle = corners.mean(0)
    way = (corners[1] - corners[0]) / max(1.0, float(np.hypot(*(corners[1] - corners[0]))))
    tip = middle + 12 * pen.width * np.array([-way[1], way[0]])
    (x1, y1), (x2, y2) = middle.round().astype(int).tolist(), tip.round().astype(int).tolist()
    for ink, width in ((_RIM, pen.width + 2), (color, pen.width)):
        cv2.polylines(canvas, [corners], not is_line, ink, width)
        if is_line:
            cv2.arrowedLine(canvas, (x1, y1), (x2, y2), ink, width, tipLength=0.4)


def _label_places(box: _Box) -> Sequence[tuple[int, int, bool]]:
    """Return where a label may go, best first: x, y, and whether y is its bottom (True) or its top."""
    x1, y1, x2, y2 = box
    return (x1, y1, True), (x1, y2, False), (x2, y1, False), (x1, y1, False)


def _rooms(
    canvas: Image, size_wh: tuple[int, int], places: Sequence[tuple[int, int, bool]]
) -> Iterator[_Box]:
    """Yield the boxes of `size_wh` at `places` that lie inside the picture, moved sideways where needed."""
    height, width = canvas.shape[:2]
    for x, y, bottom in places:
        top = y - size_wh[1] if bottom else y
        left = max(0, min(x, width - size_wh[0]))
        if top >= 0 and top + size_wh[1] <= height and size_wh[0] <= width:
            yield left, top, left + size_wh[0], top + size_wh[1]


def _write(canvas: Image, pen: _Pen, text: str, places: Sequence[tuple[int, int, bool]], color: _Color,
           placed: list[_Box]) -> None:  # fmt: skip
    """Write `text` at the first of `places` that is free, black or white on `color`, and remember it in `placed`."""
    for room in _rooms(canvas, pen.size_wh(text), places):
        if any(_overlap(room, other) for other in placed):
            continue
        placed.append(room)
        x1, y1, x2, y2 = room
        cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), color, cv2.FILLED)
        at = (x1 + pen.pad, y1 + pen.pad + cv2.getTextSize(text, _FONT, pen.scale, pen.weight)[0][1])
        cv2.putText(canvas, text, at, _FONT, pen.scale, _ink(color), pen.weight, cv2.LINE_AA)
        return


def _overlap(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _ink(color: _Color) -> _Color:
    """Return black or white, whichever stands out more on `color` (relative luminance, WCAG 2.1)."""
    linear = [((c / 255 + 0.055) / 1.055) ** 2.4 if c > 10 else c / 255 / 12.92 for c in color]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (0, 0, 0) if luminance > 0.179 else (255, 255, 255)
