"""Read pictures for training as the device reads them, and go on without those that are broken."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

import vedette
from vedette.errors import SourceError, VedetteError
from vedette.types import Image

__all__ = ["is_picture", "leave_out_broken", "read_rgb", "size_wh_of"]

KEPT = 20_000  # of at most 250 x 250 px or so: 2.5 GB
EXTENSIONS = frozenset((".bmp", ".jpeg", ".jpg", ".jp2", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"))
TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height (Exif 2.3, 4.6.4)

Example = TypeVar("Example")


@functools.lru_cache(KEPT)
def read_rgb(path: Path) -> Image:
    """Return the picture at `path`, (H, W, 3) uint8 RGB, upright, as `vedette.read_image` does; what was read lately
    is kept. Not to be written to.

    Raises:
        SourceError: it is missing, cut off or no picture.
    """
    return vedette.read_image(path)


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
    example: Callable[[np.random.Generator], Example], *, pictures: int, max_broken: float = 0.1
) -> Callable[[np.random.Generator], Example]:
    """Return `example` that draws again where a picture cannot be read.

    Args:
        example: makes an example with a generator; raises SourceError for a broken picture.
        pictures: how many there are to draw from.
        max_broken: share of them that may be broken, 0..1.

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
                if len(broken) > max_broken * pictures:
                    raise VedetteError(
                        f"{len(broken)} of {pictures} pictures cannot be read, more than {max_broken:.0%}. The last: "
                        f"{error} `vedette data check` lists them."
                    ) from error

    return whole
