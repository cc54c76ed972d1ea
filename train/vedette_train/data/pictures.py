"""Read pictures for training; what was read lately is kept, as scenes ask for the same ones again and again."""

from __future__ import annotations

import functools
from pathlib import Path

import cv2
import numpy as np

from vedette.errors import SourceError
from vedette.types import Image

__all__ = ["read_rgb"]

KEPT = 20_000  # of at most 250 x 250 px or so: 2.5 GB


@functools.lru_cache(KEPT)
def read_rgb(path: Path) -> Image:
    """Return the picture at `path`, (H, W, 3) uint8 RGB. Not to be written to.

    Raises:
        SourceError: it is missing or no picture.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SourceError(f"{path} cannot be read as a picture; mend it or take it out of the labels.")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
