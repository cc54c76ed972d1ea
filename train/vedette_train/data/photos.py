"""Photos that nobody labelled: the picture itself is what is wanted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vedette.errors import VedetteError
from vedette.types import Image
from vedette_train.data.index import hashed_split
from vedette_train.data.pictures import is_picture

__all__ = ["Photo", "middle", "read_photos", "seen_anew"]

LEAST_FACTOR = 0.45


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo."""

    path: Path


def read_photos(root: Path) -> dict[str, Sequence[Photo]]:
    """Return the photos below `root`, split "train" and "val": its folders of those names, else by the files' names.

    By names one in 25 is for val.

    Raises:
        VedetteError: a split has no photo.
    """
    splits = {name: _below(root / name) for name in ("train", "val")}
    if not splits["val"]:
        found = _below(root)
        held = {photo for photo in found if _held(photo)}
        splits = {"train": [photo for photo in found if photo not in held], "val": sorted(held, key=_path)}
    empty = [name for name, photos in splits.items() if not photos]
    if empty:
        raise VedetteError(
            f"{root} has no photo for {' and '.join(empty)}; give a folder with 50 photos or more, or one with the "
            "folders train and val."
        )
    return dict(splits)


def _held(photo: Photo) -> bool:
    return all(hashed_split(photo.path.name, seed=seed) == "val" for seed in (0, 1))


def _path(photo: Photo) -> Path:
    return photo.path


def _below(root: Path) -> list[Photo]:
    found = [Path(place, name) for place, _, names in os.walk(root) for name in names]
    return [Photo(path) for path in sorted(found) if is_picture(path)]


def middle(image: Image, size_wh: tuple[int, int]) -> Image:
    """Return the middle of `image`, mirrored at its edges where it is too small."""
    # not enlarged: that would have less detail than any photo
    spare = [max(0, wanted - n) for wanted, n in zip(size_wh, image.shape[1::-1], strict=True)]
    (left, top), (right, bottom) = [n // 2 for n in spare], [n - n // 2 for n in spare]
    whole = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_REFLECT_101)
    x, y = (whole.shape[1] - size_wh[0]) // 2, (whole.shape[0] - size_wh[1]) // 2
    return np.asarray(whole[y : y + size_wh[1], x : x + size_wh[0]], np.uint8)


def seen_anew(image: Image, side: int, rng: np.random.Generator, *, recolour: bool = True) -> Image:
    """Return a part of `image`, (side, side, 3), as a camera might have seen it too.

    Half of them from further away, which is sharper too; turned and mirrored, and with `recolour` half in other
    colours and light.
    """
    image = _large_enough(image, (side, side))
    factor = 1.0 if rng.random() < 0.5 else rng.uniform(LEAST_FACTOR, 1.0)
    window = min(round(side / factor), *image.shape[:2])
    left, top = (int(rng.integers(0, n - window + 1)) for n in image.shape[1::-1])
    part = image[top : top + window, left : left + window]
    if window != side:
        part = np.asarray(cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    part = np.rot90(part, int(rng.integers(4)))
    part = part[:, ::-1] if rng.random() < 0.5 else part
    return np.ascontiguousarray(_recoloured(part, rng) if recolour and rng.random() < 0.5 else part)


def _large_enough(image: Image, size_wh: tuple[int, int]) -> Image:
    factor = max(size_wh[0] / image.shape[1], size_wh[1] / image.shape[0])
    if factor <= 1:
        return image
    width, height = (max(s, round(n * factor)) for s, n in zip(size_wh, image.shape[1::-1], strict=True))
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _recoloured(image: Image, rng: np.random.Generator) -> Image:
    """Swap channels, and change gain and gamma a little, each channel by its own."""
    codes = np.arange(256) / 255.0
    tables = [
        np.clip(codes ** np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.1)) * 255, 0, 255)
        for _ in range(3)
    ]
    table = np.rint(np.stack(tables, -1))[None].astype(np.uint8)
    return np.asarray(cv2.LUT(np.ascontiguousarray(image[..., rng.permutation(3)]), table), np.uint8)
