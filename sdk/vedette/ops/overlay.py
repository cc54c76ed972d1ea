"""Paint onto a picture what models of other tasks than detection say of it."""

from __future__ import annotations

from functools import singledispatch

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.answers import Classes, Matte, Poses, Segmentation
from vedette.ops.draw import PALETTE, annotate, text_px
from vedette.types import Image

__all__ = ["POINT_SCORE", "paint"]

POINT_SCORE = 0.3
"""Key points below it are not drawn, 0..1."""

LIMBS = (
    (0, 1), (0, 2), (1, 3), (2, 4), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 12), (11, 13),
    (13, 15), (12, 14), (14, 16),
)  # fmt: skip
"""Pairs of `vedette.answers.BODY_POINTS` that are joined."""

_BACKGROUNDS = frozenset({"background", "__background__", "???", "bg"})
_GREY = 114
_RIM = (0, 0, 0)
_FAR = 1 << 15


@singledispatch
def paint(answer: object, image: Image) -> Image:
    """Return a new picture: `image`, (H, W, 3) uint8 RGB, with a model's `answer` on it; a picture is itself.

    Classes are written below; each class of a segmentation gets a colour, but the background; a matte's background
    turns grey; a pose's points are joined.
    """
    if isinstance(answer, np.ndarray) and answer.ndim == 3:
        return answer
    return annotate(image, {})


@paint.register
def _classes(answer: Classes, image: Image) -> Image:
    shown = (f"{name} {score:.2f}" for name, score in zip(answer.names, answer.score, strict=True))
    return annotate(image, {}, status=", ".join(shown) or "nothing sure")


@paint.register
def _segmentation(answer: Segmentation, image: Image) -> Image:
    ink = np.resize(np.array(PALETTE, np.uint8), (256, 3))
    painted = cv2.addWeighted(image, 0.45, ink[answer.class_map], 0.55, 0)
    if answer.labels and answer.labels[0].lower() in _BACKGROUNDS:
        painted = np.where(answer.class_map[..., None] == 0, image, painted)
    shown = [f"{label} {share:.0%}" for label, share in answer.shares.items() if share >= 0.005]
    return annotate(np.asarray(painted, np.uint8), {}, status=", ".join(shown))


@paint.register
def _matte(answer: Matte, image: Image) -> Image:
    alpha = answer.alpha[..., None]
    mixed: Image = np.rint(image * alpha + np.float32(_GREY) * (1 - alpha)).astype(np.uint8)
    return mixed


@paint.register
def _poses(answer: Poses, image: Image) -> Image:
    canvas: Image = np.array(image, np.uint8, order="C")
    width = max(2, round(text_px((image.shape[1], image.shape[0])) / 4))
    for person in range(len(answer)):
        points = np.round(np.clip(np.nan_to_num(answer.points[person]), -_FAR, _FAR)).astype(int)
        sure = answer.point_score[person] >= POINT_SCORE
        _draw_person(canvas, points, sure, PALETTE[person % len(PALETTE)], width)
    return canvas


def _draw_person(
    canvas: Image, points: NDArray[np.int_], sure: NDArray[np.bool_], color: tuple[int, int, int], width: int
) -> None:
    places = [(x, y) for x, y in points.tolist()]
    for ink, wide in ((_RIM, width + 2), (color, width)):
        for a, b in LIMBS if len(places) == 17 else ():
            if sure[a] and sure[b]:
                cv2.line(canvas, places[a], places[b], ink, wide, cv2.LINE_AA)
        for place in (p for p, shown in zip(places, sure, strict=True) if shown):
            cv2.circle(canvas, place, wide, ink, cv2.FILLED, cv2.LINE_AA)
