"""Draw a contact sheet: pictures of all splits and classes, with their boxes, to see with one's own eyes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

import vedette
from vedette.errors import SinkError, SourceError
from vedette.ops.draw import PALETTE
from vedette.ops.images import letterbox
from vedette.types import Image
from vedette_train.data.objects import ObjectPhoto
from vedette_train.data.samples import ClassPhoto, ClassPhotos, DataSet, ObjectPhotos

__all__ = ["contact_sheet", "write_sheet"]

Photo: TypeAlias = ClassPhoto | ObjectPhoto
TILE, CAPTION, COLUMNS = 240, 18, 8
PAD_VALUE = 40
IGNORED_RGB, RIM_RGB = (150, 150, 150), (0, 0, 0)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def contact_sheet(data: DataSet, *, pictures: int = 64, seed: int = 0) -> Image:
    """Return (H, W, 3) uint8 RGB: up to `pictures` tiles with split, class and file beneath; splits take turns,
    and so do their classes. Ignored boxes are grey. Pictures that cannot be read are passed over.
    """
    tiles: list[Image] = []
    for split, photo in _turns(data, np.random.default_rng(seed)):
        if len(tiles) == pictures:
            break
        try:
            tiles.append(_tile(data, split, photo))
        except SourceError:
            continue
    blank = np.full((TILE + CAPTION, TILE, 3), PAD_VALUE, np.uint8)
    columns = max(1, min(COLUMNS, len(tiles)))
    tiles += [blank] * (-len(tiles) % columns or (0 if tiles else 1))
    rows = [np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)]
    return np.concatenate(rows)


def write_sheet(sheet: Image, path: Path) -> None:
    """Write `sheet` as PNG; what was at `path` stays until the new one is whole.

    Raises:
        SinkError: it cannot be written.
    """
    data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1].tobytes()
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise SinkError(f"cannot write the sheet {path}: {error.strerror}; name another place.") from error


def _turns(data: DataSet, rng: np.random.Generator) -> Iterator[tuple[str, Photo]]:
    """Yield all photos, each once and with its split: the splits in turn, and within each its classes in turn."""
    rows = {split: _by_class(photos, len(data.classes), rng) for split, photos in data.splits.items()}
    for turn in zip_longest(*rows.values()):
        for split, at in zip(rows, turn, strict=True):
            if at is not None:
                yield split, data.splits[split][at]


def _by_class(photos: ClassPhotos | ObjectPhotos, classes: int, rng: np.random.Generator) -> list[int]:
    """Return the order of the photos: one of each class, the next of each ..., then those of no class."""
    boxes = np.diff(photos.first) if isinstance(photos, ObjectPhotos) else np.ones(len(photos), int)
    owner = np.repeat(np.arange(len(photos)), boxes)
    per_class = [rng.permutation(np.unique(owner[photos.class_id == i])).tolist() for i in range(classes)]
    turns = [at for turn in zip_longest(*per_class) for at in turn if at is not None]
    return list(dict.fromkeys([*turns, *rng.permutation(len(photos)).tolist()]))


def _tile(data: DataSet, split: str, photo: Photo) -> Image:
    fitted, place = letterbox(vedette.read_image(photo.path), (TILE, TILE), pad_value=PAD_VALUE)
    caption = f"{split} {photo.path.name}"
    if isinstance(photo, ClassPhoto):
        caption = f"{split} {data.classes[photo.class_id]} {photo.path.name}"
    else:
        _draw(fitted, place.to_input(photo.xyxy), photo, data.classes)
    strip = np.full((CAPTION, TILE, 3), PAD_VALUE, np.uint8)
    _write(strip, caption, (3, 13), (255, 255, 255))
    return np.concatenate([fitted, strip])


def _draw(
    canvas: Image,
    xyxy: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    photo: ObjectPhoto,
    classes: tuple[str, ...],
) -> None:
    for box, class_id, ignored in zip(xyxy, photo.class_id.tolist(), photo.ignored.tolist(), strict=True):
        x1, y1, x2, y2 = (round(float(v)) for v in np.clip(box, 0, TILE - 1))
        color = IGNORED_RGB if ignored else PALETTE[class_id % len(PALETTE)]
        cv2.rectangle(canvas, (x1, y1), (x2, y2), RIM_RGB, 3)
        cv2.rectangle(canvas, (x1, y1), (x2, y2), color, 1)
        _write(canvas, classes[class_id], (x1 + 2, max(9, y1 - 2)), color)


def _write(canvas: Image, text: str, at_xy: tuple[int, int], color: tuple[int, int, int]) -> None:
    plain = "".join(c if " " <= c <= "~" else "?" for c in text)  # what OpenCV's stroke fonts can draw
    for rgb, weight in ((RIM_RGB, 2), (color, 1)):
        cv2.putText(canvas, plain, at_xy, FONT, 0.36, rgb, weight, cv2.LINE_AA)
