"""Pictures: fit one into a model's input, and bring coordinates back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.types import Image

__all__ = ["Letterbox", "letterbox", "letterbox_geometry", "map_to_picture", "write_into"]

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a picture lies inside a model's input, and how to come back.

    Attributes:
        scale_xy: input pixels per picture pixel in x and y; of letterboxes they differ by the size's rounding alone.
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


def letterbox_geometry(
    shape_hw: tuple[int, int], size_wh: tuple[int, int], resize: str = "letterbox"
) -> Letterbox:
    """Return how a picture of `shape_hw` lies in `size_wh`, whole.

    Args:
        shape_hw: height and width of the picture.
        size_wh: width and height of the input; (0, 0) for one that takes any size: the picture's own.
        resize: as in `vedette.contract.InputContract`; both letterboxes keep the aspect to the pixel.
    """
    height, width = shape_hw
    if 0 in size_wh:
        return Letterbox((1.0, 1.0), 0, 0, width, height)
    if resize == "stretch":
        return Letterbox((size_wh[0] / width, size_wh[1] / height), 0, 0, *size_wh)
    scale = min(size_wh[0] / width, size_wh[1] / height)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    spare = (0, 0) if resize == "letterbox-topleft" else (size_wh[0] - w, size_wh[1] - h)
    return Letterbox((w / width, h / height), spare[0] // 2, spare[1] // 2, w, h)


def letterbox(
    image: Image,
    size_wh: tuple[int, int],
    *,
    pad_value: int,
    resize: str = "letterbox",
    out: Image | None = None,
) -> tuple[Image, Letterbox]:
    """Return `image` fitted into `size_wh`, with grey bars where it does not fill it, and where it lies.

    Args:
        image: (H, W, 3) uint8.
        size_wh: width and height of the result; (0, 0) for the picture's own.
        pad_value: grey level of the bars, 0..255.
        resize: as in `letterbox_geometry`.
        out: (h, w, 3) uint8 buffer to write into, such as a view of an interpreter's input; made when not given.
    """
    box = letterbox_geometry((image.shape[0], image.shape[1]), size_wh, resize)
    if out is None:
        out = np.empty((size_wh[1] or box.height, size_wh[0] or box.width, 3), np.uint8)
    bottom, right = box.top + box.height, box.left + box.width
    out[: box.top] = out[bottom:] = pad_value
    out[box.top : bottom, : box.left] = out[box.top : bottom, right:] = pad_value
    inside = out[box.top : bottom, box.left : right]
    write_into(inside, lambda dst: cv2.resize(image, (box.width, box.height), dst=dst))
    return out, box


def write_into(target: Array, function: Callable[[Array], Any]) -> None:
    """Let an OpenCV `function` write into `target`, its `dst`; where it makes an array of its own, copy that."""
    written = function(target)
    if not np.shares_memory(written, target):
        target[...] = written.reshape(target.shape)


def map_to_picture(
    values: Array, box: Letterbox, size_wh: tuple[int, int], shape_hw: tuple[int, int], *, smooth: bool
) -> Array:
    """Return a map of a model's input as one of the picture: each pixel gets what lies behind its middle.

    Args:
        values: (h, w) uint8 or float32 for the whole input, of any size.
        box: where the picture lies in the input.
        size_wh: width and height of the input.
        shape_hw: height and width of the picture.
        smooth: linear between places (float32); else the nearest place.

    Returns:
        (H, W), same dtype.
    """
    rows = []
    for scale, start, size, places in (
        (box.scale_xy[0], box.left, size_wh[0], values.shape[1]),
        (box.scale_xy[1], box.top, size_wh[1], values.shape[0]),
    ):
        step = scale * places / size
        rows.append((step, (start + 0.5 * scale) * places / size - 0.5))
    (step_x, start_x), (step_y, start_y) = rows
    matrix = np.array([[step_x, 0, start_x], [0, step_y, start_y]])
    how = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
    return cv2.warpAffine(
        values,
        matrix,
        (shape_hw[1], shape_hw[0]),
        flags=how | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
