"""What the sources that read through OpenCV share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.errors import SourceError
from vedette.types import Image

__all__ = ["Capture", "OpenCapture", "is_text", "open_capture", "read_on", "to_rgb"]

_MOST_READS = 1000


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
    """Return OpenCV's own capture; ask `isOpened` whether that worked.

    Raises:
        SourceError: the address is no text.
    """
    if not is_text(address):
        raise SourceError(
            "a name that is not UTF-8 cannot be opened; rename the file, or write its bytes as %XX."
        )
    return cast(Capture, cv2.VideoCapture(address, backend, list(params)))


def is_text(name: str) -> bool:
    """Return whether `name` may be handed to OpenCV, which crashes at a file name whose bytes are not UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_on(capture: Capture, *, end_s: float = math.inf) -> tuple[bool, Any]:
    """Return what `capture.read` gives, asked anew while it has no picture, until `end_s` of the monotonic clock.

    FFmpeg has none for a damaged picture either, and goes on behind it. At the true end it answers at once each time,
    so that the bound on the number of reads is reached within milliseconds.
    """
    for _ in range(_MOST_READS):
        good, picture = capture.read()
        if good or time.monotonic() >= end_s:
            break
    return good, picture


def to_rgb(bgr: NDArray[np.uint8]) -> Image:
    """Return a picture from OpenCV, (H, W, 3) BGR or (H, W) grey, uint8, as (H, W, 3) RGB."""
    code = cv2.COLOR_GRAY2RGB if bgr.ndim == 2 else cv2.COLOR_BGR2RGB
    return cast(Image, cv2.cvtColor(bgr, code))
