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
    """A part of a picture that is kept, and the larger one that is looked at for it; all in pixels of the picture.

    Attributes:
        left, top, width, height: of the kept part.
        seen_left, seen_top, seen_wh: of what is looked at; at the right and below it may reach beyond the picture.
    """

    left: int
    top: int
    width: int
    height: int
    seen_left: int
    seen_top: int
    seen_wh: tuple[int, int]


def plan(
    size_wh: tuple[int, int], *, core_wh: tuple[int, int], margin: int, step: int = 1, fixed: bool = False
) -> list[Window]:
    """Return windows row by row, all of one size, whose kept parts cover the picture once.

    Around each kept part `margin` pixels are seen, or all there are up to the picture's edge. A window ends where the
    picture does, so that an operation pads there as it does at the edge of the whole picture.

    Args:
        size_wh: of the picture, at least 1 x 1.
        core_wh: the largest kept part, multiples of `step`; a smaller one is taken where it does with as few windows.
        margin: a multiple of `step`.
        step: windows begin at multiples of it, and are as large.
        fixed: windows are core and margins large, however small the picture is.
    """
    across, down = (
        _spans(size, core, margin, step, fixed) for size, core in zip(size_wh, core_wh, strict=True)
    )
    return [
        Window(left, top, width, height, seen_left, seen_top, (seen_width, seen_height))
        for (top, height, seen_top, seen_height), (left, width, seen_left, seen_width) in itertools.product(
            down, across
        )
    ]


def _spans(size: int, most: int, margin: int, step: int, fixed: bool) -> list[tuple[int, int, int, int]]:
    """Return along one axis where each kept part begins and how long it is, and the same of what is seen."""
    whole = math.ceil(size / step) * step
    core = most if fixed else math.ceil(size / math.ceil(size / most) / step) * step
    seen = core + 2 * margin if fixed else min(core + 2 * margin, whole)
    return [
        (start, min(core, size - start), max(0, min(start - margin, whole - seen)), seen)
        for start in range(0, size, core)
    ]


def cut(image: NDArray[Any], window: Window) -> NDArray[Any]:
    """Return what is looked at for `window`, (h, w, ...); beyond its edge the picture is mirrored."""
    width, height = window.seen_wh
    inside = image[window.seen_top : window.seen_top + height, window.seen_left : window.seen_left + width]
    below, right = height - inside.shape[0], width - inside.shape[1]
    if not below and not right:
        return inside
    return np.asarray(cv2.copyMakeBorder(inside, 0, below, 0, right, cv2.BORDER_REFLECT_101))
