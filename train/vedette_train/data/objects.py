"""A photo with labelled objects, and which of its classes are labelled wholly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vedette.errors import SettingsError

__all__ = ["ObjectPhoto", "parse_partial"]


@dataclass(frozen=True, slots=True, eq=False)
class ObjectPhoto:
    """A photo and its labels.

    Attributes:
        path: the file.
        origin: the collection it comes from.
        xyxy: (n, 4) float32 pixels of the stored file.
        class_id: (n,) int32.
        ignored: (n,) bool; where True, whether it is an object is left open.
        labelled: classes all of whose objects are labelled here.
    """

    path: Path
    origin: str
    xyxy: NDArray[np.float32]
    class_id: NDArray[np.int32]
    ignored: NDArray[np.bool_]
    labelled: frozenset[int]


def parse_partial(text: str) -> dict[str, frozenset[str]]:
    """Return origin -> the classes that are labelled wholly there, of ``people=person,streets=,more=car+bus``.

    Raises:
        SettingsError: a part has no ``=``.
    """
    found = {}
    for part in filter(None, text.split(",")):
        origin, equals, names = part.partition("=")
        if not equals:
            raise SettingsError(f"partial holds '{part}'; give ORIGIN=CLASS+CLASS, or ORIGIN= for none.")
        found[origin.strip()] = frozenset(filter(None, names.strip().split("+")))
    return found
