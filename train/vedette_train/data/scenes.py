"""Compose scenes with many faces from photos with one: small ones in crowds, large ones that fill the frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.types import Image
from vedette_train.data.augment import disturb
from vedette_train.data.faces import FacePhoto, no_faces
from vedette_train.data.mistakes import Mistake
from vedette_train.data.pictures import read_rgb

__all__ = ["Scene", "Scenes"]

MIN_FACE_PX = 7.0  # smaller ones are neither face nor background
MOSAICS = (1, 1, 1, 2, 2, 2, 3, 3, 4, 6)  # photos to a side where each shows one face
VIEWS = (1, 1, 1, 2, 2, 3)  # where each shows what there is: their faces are small enough
MIRROR = [1, 0, 2, 4, 3]
BUSTS = 0.6  # share of crowds, and of faces among few, that are cut out with head and shoulders
MISTAKEN = 0.6  # share of distractors that were once taken for faces, where such are known


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A composed picture: image (S, S, 3) uint8 RGB; faces as in `FacePhoto`, in pixels of the picture."""

    image: Image
    xyxy: NDArray[np.float32]
    points: NDArray[np.float32]
    sure: NDArray[np.bool_]


class Scenes:
    """Makes scenes of `size` x `size` px; the same generator state gives the same scene.

    Args:
        photos: with all faces that are known in them.
        backgrounds: photos without faces.
        size: side of the scenes in px.
        mistakes: what an earlier detector took for faces; it is then shown often, the surer the oftener.
    """

    def __init__(
        self,
        photos: Sequence[FacePhoto],
        backgrounds: Sequence[Path],
        size: int,
        mistakes: Sequence[Mistake] = (),
    ) -> None:
        self._portraits = [p for p in photos if _is_portrait(p)]
        self._places = [p for p in photos if not _is_portrait(p)] or self._portraits
        self._photos, self._backgrounds, self._size = photos, backgrounds, size
        self._mistakes = mistakes
        self._weights = np.cumsum([mistake.score for mistake in mistakes])

    def make(self, rng: np.random.Generator) -> Scene:
        """Return one scene."""
        kind = rng.random()
        canvas = _Canvas(self._background(rng), rng)
        if kind < 0.35:
            self._crowd(canvas, rng)
        elif kind < 0.60:
            self._few(canvas, rng)
        else:
            self._whole(canvas, rng)
        return canvas.finish()

    def _background(self, rng: np.random.Generator) -> Image:
        size = self._size
        if rng.random() < 0.05:
            return np.full((size, size, 3), rng.integers(0, 256, 3), np.uint8)
        image = read_rgb(self._backgrounds[int(rng.integers(len(self._backgrounds)))])
        side = min(image.shape[:2]) * rng.uniform(0.2, 1.0)
        zoom = size / side
        x, y = (rng.uniform(0, max(1e-3, n - side)) for n in (image.shape[1], image.shape[0]))
        matrix = np.array([[zoom, 0, -x * zoom], [0, zoom, -y * zoom]])
        return np.asarray(
            cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REFLECT), np.uint8
        )

    def _crowd(self, canvas: _Canvas, rng: np.random.Generator) -> None:
        typical = np.exp(rng.uniform(np.log(8), np.log(48)))
        count = int(rng.integers(3, 3 + max(2, min(22, round((self._size / typical / 2.5) ** 2)))))
        for _ in range(int(rng.integers(0, count + 1))):
            self._distract(canvas, rng, typical * float(np.exp(rng.normal(0, 0.5))))
        busts = rng.random() < BUSTS
        heights = np.sort(rng.random(count)) if busts else rng.random(count)
        for height in heights:  # who stands nearer to the camera stands lower, and before the others
            size = float(np.clip(typical * np.exp(rng.normal(0, 0.35)), 6, 90))
            self._paste(canvas, rng, size, 0.12, height=float(height), bust=busts)

    def _few(self, canvas: _Canvas, rng: np.random.Generator) -> None:
        for _ in range(int(rng.integers(0, 4))):
            self._distract(canvas, rng, float(np.exp(rng.uniform(np.log(16), np.log(self._size * 0.8)))))
        for _ in range(int(rng.integers(1, 5))):
            size = float(np.exp(rng.uniform(np.log(16), np.log(self._size * 1.0))))
            self._paste(canvas, rng, size, 0.35, height=rng.random(), bust=rng.random() < BUSTS)

    def _paste(
        self,
        canvas: _Canvas,
        rng: np.random.Generator,
        face_px: float,
        whole: float,
        *,
        height: float,
        bust: bool,
    ) -> None:
        """Paste a portrait's face at `height`, 0..1 from the top: with all around it in the share `whole` of cases."""
        photo = self._portraits[int(rng.integers(len(self._portraits)))]
        margin = 4.0 if rng.random() < whole else float(rng.uniform(0.35, 1.2))
        spread = max(0.0, self._size - face_px * 0.8)
        at = (self._size - spread) / 2 + np.array([rng.random(), height]) * spread
        canvas.paste(read_rgb(photo.path), photo, photo.xyxy[0], face_px, at, margin, bust=bust)

    def _distract(self, canvas: _Canvas, rng: np.random.Generator, size_px: float) -> None:
        """Paste any piece of a photo in the same way, or the edges of what is pasted would give faces away."""
        if len(self._mistakes) and rng.random() < MISTAKEN:
            chosen = np.searchsorted(self._weights, rng.random() * self._weights[-1], side="right")
            mistake = self._mistakes[min(int(chosen), len(self._mistakes) - 1)]
            at = rng.random(2) * self._size
            margin = float(rng.uniform(0.2, 1.2))
            canvas.paste(read_rgb(mistake.photo.path), mistake.photo, mistake.xyxy, size_px, at, margin)
            return
        if rng.random() < 0.5:
            photo = self._photos[int(rng.integers(len(self._photos)))]
        else:
            photo = no_faces(self._backgrounds[int(rng.integers(len(self._backgrounds)))])
        image = read_rgb(photo.path)
        side = float(min(image.shape[:2]) * rng.uniform(0.12, 0.5))
        x, y = rng.random(2) * (np.array(image.shape[1::-1]) - side)
        piece = np.array([x, y, x + side, y + side], np.float32)
        canvas.paste(image, photo, piece, size_px, rng.random(2) * self._size, float(rng.uniform(0.0, 0.4)))

    def _whole(self, canvas: _Canvas, rng: np.random.Generator) -> None:
        """Lay whole photos side by side, 1 to 36 of them, with all their faces."""
        photos = self._places if rng.random() < 0.6 else self._portraits
        side = int(rng.choice(MOSAICS if photos is self._portraits else VIEWS))
        cell = self._size / side
        for row in range(side):
            for column in range(side):
                photo = photos[int(rng.integers(len(photos)))]
                image = read_rgb(photo.path)
                closer = 0.6 if photos is self._portraits else 1.2
                zoom = cell / min(image.shape[:2]) * float(np.exp(rng.uniform(-0.25, closer)))
                canvas.lay(image, photo, zoom, np.array([column, row]) * cell, cell)


class _Canvas:
    """A picture in the making, and the faces on it so far."""

    def __init__(self, image: Image, rng: np.random.Generator) -> None:
        self._image, self._rng = image.copy(), rng
        self._boxes: list[NDArray[np.float32]] = []
        self._points: list[NDArray[np.float32]] = []
        self._sure: list[bool] = []

    def paste(
        self,
        image: Image,
        photo: FacePhoto,
        box: NDArray[np.float32],
        size_px: float,
        at: NDArray[np.float64],
        margin: float,
        *,
        bust: bool = False,
    ) -> None:
        """Paste the piece `box` of `image`, scaled to `size_px` and centred `at`, with soft edges around it.

        Around a `bust` it is cut along head and shoulders, else as a rectangle or ellipse with a `margin` of box sides.
        """
        middle, side = (box[:2] + box[2:]) / 2, float(np.sqrt(np.prod(box[2:] - box[:2])))
        matrix, flipped = self._transform(middle, size_px / side, at, image.shape[1])
        mask = self._bust(image.shape, box) if bust else self._mask(image.shape, box, margin * side)
        self._blend(image, mask, matrix, flipped, photo)

    def lay(
        self, image: Image, photo: FacePhoto, zoom: float, corner: NDArray[np.float64], cell: float
    ) -> None:
        """Lay the photo into a square cell of the canvas, cropped where it is larger."""
        h, w = image.shape[:2]
        span = np.maximum(0, np.array([w, h]) - cell / zoom)
        middle = np.array([w, h]) / 2 + (self._rng.random(2) - 0.5) * span
        matrix, flipped = self._transform(middle, zoom, corner + cell / 2, w, turn=5.0)
        size = self._image.shape[0]
        stencil = np.zeros((size, size), np.float32)
        x, y = corner.astype(int)
        stencil[y : y + round(cell), x : x + round(cell)] = 1
        self._blend(image, np.ones((h, w), np.float32), matrix, flipped, photo, stencil)

    def _transform(
        self,
        middle: NDArray[np.floating],
        zoom: float,
        at: NDArray[np.float64],
        width: int,
        turn: float = 14.0,
    ) -> tuple[NDArray[np.float64], bool]:
        flipped = bool(self._rng.random() < 0.5)
        angle = np.deg2rad(self._rng.normal(0, turn))
        c, s = np.cos(angle) * zoom, np.sin(angle) * zoom
        stretch = np.exp(self._rng.normal(0, 0.05))
        linear = np.array([[c * stretch, -s], [s * stretch, c]])
        if flipped:
            linear = linear @ np.array([[-1.0, 0.0], [0.0, 1.0]])
        return np.column_stack([linear, at - linear @ middle]), flipped

    def _mask(self, shape: tuple[int, ...], box: NDArray[np.float32], margin: float) -> NDArray[np.float32]:
        """Return (H, W) 0..1: a soft rectangle or ellipse around the face, at most the photo itself."""
        h, w = shape[:2]
        mask = np.zeros((h, w), np.float32)
        x1, y1, x2, y2 = box + np.array([-margin, -margin, margin, margin]) * self._rng.uniform(0.7, 1.3, 4)
        if self._rng.random() < 0.5:
            middle = (int((x1 + x2) / 2), int((y1 + y2) / 2))
            cv2.ellipse(mask, middle, (int((x2 - x1) / 1.8), int((y2 - y1) / 1.8)), 0, 0, 360, 1.0, -1)
        else:
            cv2.rectangle(mask, (int(x1), int(y1)), (int(x2), int(y2)), 1.0, -1)
        soft = max(1, int(margin * self._rng.uniform(0.05, 0.3))) * 2 + 1
        return np.asarray(cv2.blur(mask, (soft, soft), borderType=cv2.BORDER_REPLICATE), np.float32)

    def _bust(self, shape: tuple[int, ...], box: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (H, W) 0..1: about the head, and the shoulders down to the photo's end."""
        mask = np.zeros(shape[:2], np.float32)
        width, height = box[2:] - box[:2]
        x, y = (box[:2] + box[2:]) / 2 - (0, 0.12 * height)
        axes = np.array([0.68 * width, 0.78 * height]) * self._rng.uniform(0.85, 1.25, 2)
        cv2.ellipse(
            mask, (round(float(x)), round(float(y))), (int(axes[0]), int(axes[1])), 0, 0, 360, 1.0, -1
        )
        neck, slope = box[3] - 0.1 * height, self._rng.uniform(0.9, 1.6) * width
        right = [(x + 0.35 * width, neck), (x + slope, neck + 0.7 * height), (x + slope * 1.15, 2 * shape[0])]
        corners = np.array([*right, *((2 * x - a, b) for a, b in reversed(right))])
        cv2.fillPoly(mask, [corners.round().astype(np.int32)], 1.0)
        soft = max(1, int(0.04 * width)) * 2 + 1
        return np.asarray(cv2.blur(mask, (soft, soft), borderType=cv2.BORDER_REPLICATE), np.float32)

    def _blend(
        self,
        image: Image,
        mask: NDArray[np.float32],
        matrix: NDArray[np.float64],
        flipped: bool,
        photo: FacePhoto,
        stencil: NDArray[np.float32] | None = None,
    ) -> None:
        x1, y1, x2, y2 = _extent(mask, matrix, self._image.shape[0])
        if x2 <= x1 or y2 <= y1:
            return
        here = np.column_stack([matrix[:, :2], matrix[:, 2] - (x1, y1)])
        picture, alpha = _warp(image, mask, here, (int(x2 - x1), int(y2 - y1)))
        if stencil is not None:
            alpha = alpha * stencil[y1:y2, x1:x2]
        origin = np.array((x1, y1, x1, y1), np.float32)
        self._cover(alpha, origin)
        under = self._image[y1:y2, x1:x2]
        under[...] = under + (picture.astype(np.float32) - under) * alpha[:, :, None]
        self._add(photo, matrix, flipped, alpha, origin)

    def _cover(self, alpha: NDArray[np.float32], origin: NDArray[np.float32]) -> None:
        """Doubt the earlier faces that the new picture hides for the most part; forget those it hides wholly."""
        kept = []
        for i, box in enumerate(self._boxes):
            hidden = _mean_inside(alpha, box - origin)
            self._sure[i] = self._sure[i] and hidden < 0.5
            if hidden < 0.8:
                kept.append(i)
        self._boxes = [self._boxes[i] for i in kept]
        self._points = [self._points[i] for i in kept]
        self._sure = [self._sure[i] for i in kept]

    def _add(
        self,
        photo: FacePhoto,
        matrix: NDArray[np.float64],
        flipped: bool,
        alpha: NDArray[np.float32],
        origin: NDArray[np.float32],
    ) -> None:
        zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        for box, points, sure in zip(photo.xyxy, photo.points, photo.sure, strict=True):
            middle = matrix[:, :2] @ ((box[:2] + box[2:]) / 2) + matrix[:, 2]
            half = (box[2:] - box[:2]) / 2 * zoom
            moved = np.concatenate([middle - half, middle + half]).astype(np.float32)
            seen = _mean_inside(alpha, moved - origin)
            if seen < 0.25:
                continue
            new = (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
            self._boxes.append(moved)
            self._points.append(new[MIRROR] if flipped else new)
            self._sure.append(bool(sure) and seen > 0.6)

    def finish(self) -> Scene:
        """Return the scene, disturbed as cameras do."""
        n = len(self._boxes)
        xyxy = np.stack(self._boxes) if n else np.zeros((0, 4), np.float32)
        points = np.stack(self._points) if n else np.zeros((0, 5, 2), np.float32)
        side = np.sqrt(np.prod(xyxy[:, 2:] - xyxy[:, :2], axis=1))
        sure = np.array(self._sure, bool) & (side >= MIN_FACE_PX)
        return Scene(disturb(self._image, self._rng), xyxy, points, sure)


def _is_portrait(photo: FacePhoto) -> bool:
    """Tell a photo of one labelled face from a view in which faces happen to be."""
    return bool(photo.by_hand[:1].any() and np.isfinite(photo.points[0]).all())


def _extent(mask: NDArray[np.float32], matrix: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    """Return x1, y1, x2, y2 of what `mask` covers after `matrix`, inside a canvas of `size`."""
    x, y, w, h = cv2.boundingRect((mask > 0).astype(np.uint8))
    corners = np.array([[x, y], [x + w, y], [x, y + h], [x + w, y + h]]) @ matrix[:, :2].T + matrix[:, 2]
    low, high = np.floor(corners.min(0)), np.ceil(corners.max(0))
    extent: NDArray[np.int64] = np.clip(np.concatenate([low, high]), 0, size).astype(np.int64)
    return extent


def _warp(
    image: Image, mask: NDArray[np.float32], matrix: NDArray[np.float64], size_wh: tuple[int, int]
) -> tuple[Image, NDArray[np.float32]]:
    """Return picture and mask moved by `matrix`, shrunk first where bilinear sampling alone would alias."""
    shrink = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if shrink < 0.5:
        h, w = image.shape[:2]
        image = np.asarray(
            cv2.resize(image, None, fx=shrink * 1.5, fy=shrink * 1.5, interpolation=cv2.INTER_AREA), np.uint8
        )
        mask = np.asarray(cv2.resize(mask, (image.shape[1], image.shape[0])), np.float32)
        matrix = np.column_stack([matrix[:, :2] / (image.shape[1] / w, image.shape[0] / h), matrix[:, 2]])
    picture, alpha = cv2.warpAffine(image, matrix, size_wh), cv2.warpAffine(mask, matrix, size_wh)
    return np.asarray(picture, np.uint8), np.asarray(alpha, np.float32)


def _mean_inside(alpha: NDArray[np.float32], box: NDArray[np.float32]) -> float:
    """Return the mean of `alpha` over `box`, outside of the picture counted as 0."""
    x1, y1, x2, y2 = np.round(box).astype(int)
    area = max(1, (x2 - x1) * (y2 - y1))
    inside = alpha[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)]
    return float(inside.sum() / area)
