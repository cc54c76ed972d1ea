"""Pictures: fit one into a model's input, and bring coordinates back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.types import Image

__all__ = ["Letterbox", "letterbox", "letterbox_geometry"]


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a picture lies inside a model's input, and how to come back.

    Attributes:
        scale_xy: input pixels per picture pixel in x and y (they differ by the rounding of the size alone).
        left, top, width, height: the picture's place in the input, whole pixels.
    """

    scale_xy: tuple[float, float]
    left: int
    top: int
    width: int
    height: int

    def to_picture(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return points of the input, (..., 2k) or (..., k, 2) as x, y pairs, in pixels of the picture."""
        flat = xy.reshape(*xy.shape[:-1], xy.shape[-1] // 2, 2)
        corner, scale = np.array((self.left, self.top), np.float32), np.array(self.scale_xy, np.float32)
        return ((flat - corner) / scale).reshape(xy.shape)

    def to_input(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return points of the picture, as x, y pairs, in pixels of the input."""
        flat = xy.reshape(*xy.shape[:-1], xy.shape[-1] // 2, 2)
        corner, scale = np.array((self.left, self.top), np.float32), np.array(self.scale_xy, np.float32)
        return (flat * scale + corner).reshape(xy.shape)


def letterbox_geometry(shape_hw: tuple[int, int], size_wh: tuple[int, int]) -> Letterbox:
    """Return how a picture of `shape_hw` lies centred in `size_wh`, whole, with its aspect kept to the pixel."""
    height, width = shape_hw
    scale = min(size_wh[0] / width, size_wh[1] / height)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    return Letterbox((w / width, h / height), (size_wh[0] - w) // 2, (size_wh[1] - h) // 2, w, h)


def letterbox(
    image: Image, size_wh: tuple[int, int], *, pad_value: int, out: Image | None = None
) -> tuple[Image, Letterbox]:
    """Return `image` fitted into `size_wh` with grey bars, and where it lies.

    Args:
        image: (H, W, 3) uint8.
        size_wh: width and height of the result.
        pad_value: grey level of the bars, 0..255.
        out: (h, w, 3) uint8 buffer to write into, such as a view of an interpreter's input; made when not given.
    """
    box = letterbox_geometry((image.shape[0], image.shape[1]), size_wh)
    if out is None:
        out = np.empty((size_wh[1], size_wh[0], 3), np.uint8)
    bottom, right = box.top + box.height, box.left + box.width
    out[: box.top] = out[bottom:] = pad_value
    out[box.top : bottom, : box.left] = out[box.top : bottom, right:] = pad_value
    inside = out[box.top : bottom, box.left : right]
    written = cv2.resize(image, (box.width, box.height), dst=inside, interpolation=cv2.INTER_LINEAR)
    if not np.shares_memory(written, inside):
        inside[...] = written
    return out, box
