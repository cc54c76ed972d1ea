"""What the sources that read through OpenCV share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.types import Image

__all__ = ["Capture", "OpenCapture", "open_capture", "to_rgb"]


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used; a test may bring its own."""

    def isOpened(self) -> bool: ...
    def read(self) -> tuple[bool, Any]: ...
    def get(self, propId: int, /) -> float: ...
    def set(self, propId: int, value: float, /) -> bool: ...
    def release(self) -> None: ...


OpenCapture: TypeAlias = Callable[[str, int, Sequence[int]], Capture]
"""Opens a file, device or address with a backend (`cv2.CAP_*`) and parameters, as `cv2.VideoCapture` does."""


def open_capture(address: str, backend: int, params: Sequence[int]) -> Capture:
    """Return OpenCV's own capture; ask `isOpened` whether that worked."""
    return cast(Capture, cv2.VideoCapture(address, backend, list(params)))


def to_rgb(bgr: NDArray[np.uint8]) -> Image:
    """Return a picture from OpenCV, (H, W, 3) BGR or (H, W) grey, uint8, as (H, W, 3) RGB."""
    code = cv2.COLOR_GRAY2RGB if bgr.ndim == 2 else cv2.COLOR_BGR2RGB
    return cast(Image, cv2.cvtColor(bgr, code))
