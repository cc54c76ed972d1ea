"""Read pictures for training as the device reads them, and go on without those that are broken."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

import vedette
from vedette.errors import SourceError, VedetteError
from vedette.types import Image

__all__ = ["MAX_BROKEN", "is_picture", "leave_out_broken", "read_rgb", "readable", "size_wh_of"]

KEPT_BYTES = 2_000_000_000
MAX_BROKEN = 0.1
"""Share of pictures that may be missing, broken or wrongly labelled before a set is refused."""
EXTENSIONS = frozenset((".bmp", ".jpeg", ".jpg", ".jp2", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"))
TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height (Exif 2.3, 4.6.4)

Example = TypeVar("Example")


class _HasPath(Protocol):
    @property
    def path(self) -> Path: ...


Photo = TypeVar("Photo", bound=_HasPath)


class Cache:
    """Pictures that were read lately, `most_bytes` of them at most. Safe for several threads.

    Not `functools.lru_cache`: it counts pictures, and a photo of 12 megapixels takes 300 times what a crop does.
    """

    def __init__(self, read: Callable[[Path], Image], most_bytes: int) -> None:
        self._read, self._most_bytes = read, most_bytes
        self._kept: OrderedDict[Path, Image] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0

    def __call__(self, path: Path) -> Image:
        """Return the picture at `path`."""
        with self._lock:
            if path in self._kept:
                self._kept.move_to_end(path)
                return self._kept[path]
        image = self._read(path)
        with self._lock:
            self.bytes += image.nbytes - (self._kept[path].nbytes if path in self._kept else 0)
            self._kept[path] = image
            while self.bytes > self._most_bytes:
                self.bytes -= self._kept.popitem(last=False)[1].nbytes
        return image


_cached = Cache(vedette.read_image, KEPT_BYTES)


def read_rgb(path: Path) -> Image:
    """Return the picture at `path`, (H, W, 3) uint8 RGB, upright, as `vedette.read_image` does; what was read lately
    is kept. Not to be written to.

    Raises:
        SourceError: it is missing, cut off or no picture.
    """
    return _cached(path)


def readable(photos: Iterable[Photo]) -> Iterator[tuple[Photo, Image]]:
    """Yield each photo that can be read, with its picture."""
    for photo in photos:
        try:
            image = read_rgb(photo.path)
        except SourceError:
            continue
        yield photo, image


def is_picture(path: Path) -> bool:
    """Return True for a plain file, not hidden, whose name ends as a picture's."""
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and path.is_file()


def size_wh_of(path: Path) -> tuple[int, int] | None:
    """Return width and height of the picture as it is read, upright, from its header; None where it is damaged."""
    from PIL import Image as Pillow

    try:
        with Pillow.open(path) as picture:
            width, height = picture.size
            turned = picture.getexif().get(0x0112) in TURNED
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError):
        return None
    return (height, width) if turned else (width, height)


def leave_out_broken(
    example: Callable[[np.random.Generator], Example],
    *,
    pictures: int,
    max_broken: float = MAX_BROKEN,
    tell: Callable[[str], None] = lambda _why: None,
) -> Callable[[np.random.Generator], Example]:
    """Return `example` that draws again where a picture cannot be read.

    Args:
        example: makes an example with a generator; raises SourceError for a broken picture.
        pictures: how many there are to draw from.
        max_broken: share of them that may be broken, 0..1.
        tell: takes what is wrong with a broken one, each time that it is drawn.

    Raises:
        VedetteError: by what is returned, as soon as more than the share has proved broken.
    """
    broken: set[str] = set()

    def whole(rng: np.random.Generator) -> Example:
        while True:
            try:
                return example(rng)
            except SourceError as error:
                broken.add(str(error))
                tell(str(error))
                if len(broken) > max_broken * pictures:
                    raise VedetteError(
                        f"{len(broken)} of {pictures} pictures cannot be read, more than {max_broken:.0%}. The last: "
                        f"{error} `vedette data check` lists them."
                    ) from error

    return whole
