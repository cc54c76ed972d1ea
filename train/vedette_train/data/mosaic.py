"""Compose training pictures for object detection: whole pictures at many sizes, and mosaics of four."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import vedette
from vedette.types import Image
from vedette_train.data.augment import disturb
from vedette_train.data.objects import ObjectPhoto

__all__ = ["MAX_OBJECTS", "ObjectScene", "ObjectScenes", "targets"]

MAX_OBJECTS = 64
"""Labelled objects of a scene that teach; of more the largest."""

PAD_VALUE = 114
MOSAIC = 0.5  # share of scenes
AS_ON_DEVICE = 0.25  # share of whole pictures that lie as the device fits them
WHOLE_ZOOM, MOSAIC_ZOOM = (0.5, 1.9), (0.35, 1.1)  # longer side of the picture over the scene's
STRETCH = 0.12
LEAST_PX = 3.0  # objects with a shorter side are neither objects nor background
LEAST_SEEN = 0.3  # likewise those of which a cut leaves less
CACHE_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class ObjectScene:
    """A composed picture.

    Attributes:
        image: (S, S, 3) uint8 RGB.
        xyxy: (n, 4) float32 px.
        class_id: (n,) int32.
        ignored: (n,) bool: it may be an object or none.
        tiles: (k, 4) px, where a picture lies.
        labelled: (k, classes) bool, what is labelled in it.
    """

    image: Image
    xyxy: NDArray[np.float32]
    class_id: NDArray[np.int32]
    ignored: NDArray[np.bool_]
    tiles: NDArray[np.float32]
    labelled: NDArray[np.bool_]


class ObjectScenes:
    """Makes scenes of `size` x `size` px; the same generator state gives the same scene."""

    def __init__(self, samples: Sequence[ObjectPhoto], *, size: int, classes: int) -> None:
        self._samples, self._size, self._classes = samples, size, classes
        longest = round(size * WHOLE_ZOOM[1])
        kept = CACHE_BYTES // (3 * longest * longest)
        self._read = functools.lru_cache(kept)(functools.partial(_read_within, longest))

    def make(self, rng: np.random.Generator) -> ObjectScene:
        """Return one scene."""
        size = self._size
        canvas = np.full((size, size, 3), PAD_VALUE, np.uint8)
        if rng.random() < MOSAIC:
            x, y = (round(size * rng.uniform(0.3, 0.7)) for _ in range(2))
            tiles = [(0, 0, x, y), (x, 0, size, y), (0, y, x, size), (x, y, size, size)]
            pieces = [self._lay(canvas, tile, MOSAIC_ZOOM, rng) for tile in tiles]
        else:
            as_on_device = rng.random() < AS_ON_DEVICE
            pieces = [self._lay(canvas, (0, 0, size, size), (1, 1) if as_on_device else WHOLE_ZOOM, rng)]
        columns = (np.concatenate(column) for column in zip(*pieces, strict=True))
        return ObjectScene(disturb(canvas, rng), *columns)

    def _lay(
        self,
        canvas: Image,
        tile: tuple[int, int, int, int],
        zooms: tuple[float, float],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.generic], ...]:
        """Lay a picture into a tile of the canvas, cut where it is larger; return the columns of its labels."""
        sample = self._samples[int(rng.integers(len(self._samples)))]
        image, (height, width) = self._read(sample.path)
        fixed = zooms[0] == zooms[1]
        stretch = 1.0 if fixed else np.exp(rng.uniform(-STRETCH, STRETCH, 2))
        zoom = self._size / max(width, height) * np.exp(rng.uniform(*np.log(zooms))) * stretch
        size_wh = np.maximum(1, np.round(np.array([width, height]) * zoom)).astype(int)
        how = cv2.INTER_AREA if rng.random() < 0.5 else cv2.INTER_LINEAR
        picture = cv2.resize(image, [int(v) for v in size_wh], interpolation=how)
        xyxy = sample.xyxy * np.tile(size_wh / (width, height), 2)
        if rng.random() < 0.5:
            picture, xyxy[:, [0, 2]] = picture[:, ::-1], size_wh[0] - xyxy[:, [2, 0]]
        room = np.subtract(tile[2:], tile[:2]) - size_wh
        corner = tile[:2] + np.floor(room * (0.5 if fixed else rng.random(2))).astype(int)
        low, high = np.maximum(tile[:2], corner), np.minimum(tile[2:], corner + size_wh)
        (left, top), (right, bottom) = low - corner, high - corner
        canvas[low[1] : high[1], low[0] : high[0]] = picture[top:bottom, left:right]
        return self._labels(sample, xyxy + np.tile(corner, 2), np.concatenate([low, high]))

    def _labels(
        self, sample: ObjectPhoto, xyxy: NDArray[np.floating], seen: NDArray[np.int64]
    ) -> tuple[NDArray[np.generic], ...]:
        """Return the columns of `ObjectScene` for one picture of which `seen`, x1 y1 x2 y2, is seen."""
        cut = np.concatenate([np.maximum(xyxy[:, :2], seen[:2]), np.minimum(xyxy[:, 2:], seen[2:])], 1)
        size, whole = np.maximum(cut[:, 2:] - cut[:, :2], 0), np.maximum(xyxy[:, 2:] - xyxy[:, :2], 1e-3)
        there = size.min(1) > 0
        doubtful = (size.prod(1) < LEAST_SEEN * whole.prod(1)) | (size.min(1) < LEAST_PX)
        labelled = np.isin(np.arange(self._classes), list(sample.labelled))
        return (
            cut[there].astype(np.float32),
            sample.class_id[there],
            (sample.ignored | doubtful)[there],
            seen[None].astype(np.float32),
            labelled[None],
        )


def _read_within(longest: int, path: Path) -> tuple[Image, tuple[int, int]]:
    """Return the picture, its longer side at most `longest` px, and height and width of the file's."""
    image = vedette.read_image(path)  # past the readers' cache: what is kept is the smaller copy
    height, width = image.shape[:2]
    shrink = longest / max(height, width)
    if shrink < 1:
        image = np.asarray(
            cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8
        )
    return image, (height, width)


def targets(
    scene: ObjectScene, places: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what `vedette_train.losses.detect` wants of a scene, for `places` (p, 3) of x, y, stride.

    Returns:
        objects (MAX_OBJECTS, 5): x1, y1, x2, y2 in px and class, class -1 in rows without an object; known
        (p, classes): 0 where a class is not labelled, or where an ignored object of it lies, else 1.
    """
    known = np.ones((len(places), scene.labelled.shape[1]), np.float32)
    for tile, labelled in zip(scene.tiles, scene.labelled, strict=True):
        known[np.ix_(_inside(places, tile), ~labelled)] = 0
    largest = np.argsort(-np.prod(scene.xyxy[:, 2:] - scene.xyxy[:, :2], axis=1), kind="stable")
    sure = [i for i in largest if not scene.ignored[i]]
    for i in [*np.flatnonzero(scene.ignored), *sure[MAX_OBJECTS:]]:
        known[_inside(places, scene.xyxy[i]), scene.class_id[i]] = 0
    objects = np.full((MAX_OBJECTS, 5), -1, np.float32)
    taught = sure[:MAX_OBJECTS]
    objects[: len(taught), :4], objects[: len(taught), 4] = scene.xyxy[taught], scene.class_id[taught]
    return objects, known


def _inside(places: NDArray[np.float32], box: NDArray[np.float32]) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = np.all((places[:, :2] >= box[:2]) & (places[:, :2] < box[2:]), axis=1)
    return inside
