"""Files of a run that exports of several tasks write alike."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.errors import MissingDependencyError
from vedette.types import Image
from vedette_train.data.pictures import read_rgb

__all__ = ["write_golden", "write_references"]

GOLDEN_CROP = (20, 276, 90, 346)  # top, bottom, left, right: head and shoulders
GOLDEN_SIDE = 128


def write_references(
    run: Path, pictures: Iterable[Image], real: Callable[[Image], NDArray[np.float32]]
) -> None:
    """Write ``preprocessing.npz``: pictures and what the network is fed of them, for the converter to compare."""
    found: dict[str, Any] = {}
    for i, picture in enumerate(pictures):
        found |= {f"picture_{i}": picture, f"input_{i}": real(picture)}
    np.savez_compressed(run / "preprocessing.npz", **found)


def write_golden(run: Path) -> None:
    """Write ``golden.png``, a small crop of scikit-image's astronaut: a public-domain photo by NASA, with one face.

    Raises:
        MissingDependencyError: scikit-image is not installed.
    """
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise MissingDependencyError("the golden picture needs scikit-image: pip install 'vedette[train]'.")
    top, bottom, left, right = GOLDEN_CROP
    crop = read_rgb(Path(spec.origin).parent / "data" / "astronaut.png")[top:bottom, left:right]
    small = cv2.resize(crop, (GOLDEN_SIDE, GOLDEN_SIDE), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(run / "golden.png"), cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
