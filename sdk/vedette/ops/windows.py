"""Cut a picture into windows that overlap, so that what a local operation makes of them fits without a seam."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Window", "cut", "plan"]


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a picture that is kept, and what is looked at for it.

    Attributes:
        left, top, width, height: of the kept part, pixels of the picture; inside it.
        margin: pixels that are looked at to each side of a core as large as in all windows of the plan.
        core_wh: width and height of that core, at least those of the kept part.
    """

    left: int
    top: int
    width: int
    height: int
    margin: int
    core_wh: tuple[int, int]


def plan(
    size_wh: tuple[int, int], *, core_wh: tuple[int, int], margin: int, step: int = 1, fixed: bool = False
) -> list[Window]:
    """Return windows row by row, all of one size, whose kept parts cover the picture once.

    Args:
        size_wh: of the picture, at least 1 x 1.
        core_wh: the largest core, multiples of `step`; a smaller one is taken where it does with as few windows.
        margin: pixels around the core, a multiple of `step`.
        step: windows begin at multiples of it.
        fixed: take no smaller core.
    """
    spans = []
    for size, most in zip(size_wh, core_wh, strict=True):
        count = math.ceil(size / most)
        core = most if fixed else math.ceil(math.ceil(size / count) / step) * step
        spans.append([(start, min(core, size - start), core) for start in range(0, size, core)])
    return [
        Window(left, top, width, height, margin, (core_w, core_h))
        for (top, height, core_h), (left, width, core_w) in itertools.product(spans[1], spans[0])
    ]


def cut(image: NDArray[Any], window: Window) -> NDArray[Any]:
    """Return what is looked at for `window`: core and margins, (h, w, ...); beyond its edge the picture is mirrored."""
    height, width = image.shape[:2]
    x1, y1 = window.left - window.margin, window.top - window.margin
    x2 = window.left + window.core_wh[0] + window.margin
    y2 = window.top + window.core_wh[1] + window.margin
    inside = image[max(0, y1) : min(height, y2), max(0, x1) : min(width, x2)]
    lacking = (max(0, -y1), max(0, y2 - height), max(0, -x1), max(0, x2 - width))
    if not any(lacking):
        return inside
    top, bottom, left, right = lacking
    return np.asarray(cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_REFLECT_101))
