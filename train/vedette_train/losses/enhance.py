"""What enhanced pictures are judged by while learning: how near they are, or, without pairs, how well lit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras import ops

__all__ = ["Light", "brighten", "charbonnier", "light_loss", "luma_first"]

EDGE = 1e-3  # below it the loss is square
PLACE, REGION = 4, 16  # px: what spatial consistency compares, and what exposure looks at
COLOUR, SMOOTH = 5.0, 5.0
LEAST_LIGHT = 1e-3
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
COLOURS = 0.2


@dataclass(frozen=True, slots=True)
class Light:
    """What a picture is to look like.

    Attributes:
        exposure: mean level of each region, 0..1; one that was brighter stays.
        iterations: of the curve.
    """

    exposure: float
    iterations: int


def charbonnier(wanted: Any, found: Any) -> Any:
    """Return the mean of sqrt(difference^2 + EDGE^2): absolute for large differences (Lai et al., CVPR 2017, eq. 4)."""
    return ops.mean(ops.sqrt(ops.square(found - wanted) + EDGE**2))


def luma_first(wanted: Any, found: Any) -> Any:
    """Return `charbonnier` of the luma of (n, h, w, 3), and a little of that of the colours.

    Enlarged pictures are judged by their luma: there the eye, too, sees detail.
    """
    luma = [ops.sum(image * ops.convert_to_tensor(LUMA), axis=-1) for image in (wanted, found)]
    return charbonnier(*luma) + COLOURS * charbonnier(wanted, found)


def brighten(image: Any, curves: Any, iterations: int) -> Any:
    """Return `image` (n, H, W, 3), 0..1, by the curves (n, h, w, 3 iterations): x + a x (1 - x), again and again.

    Zero-DCE (Guo et al., CVPR 2020), eq. 4.
    """
    maps = ops.image.resize(curves, image.shape[1:3], interpolation="bilinear")
    for a in ops.split(maps, iterations, axis=-1):
        image = image + a * image * (1 - image)
    return image


def light_loss(image: Any, curves: Any, light: Light) -> Any:
    """Return the sum of four losses that need no picture to compare with (Guo et al., ibid., 3.3).

    Args:
        image: (n, H, W, 3) what was given, 0..1; sides are multiples of 16.
        curves: (n, h, w, 3 iterations), -1..1.
        light: what is wanted.
    """
    bright = brighten(image, curves, light.iterations)
    exposure = _exposure(image, bright, light.exposure)
    return exposure + _consistency(image, bright) + COLOUR * _colour(image, bright) + SMOOTH * _rough(curves)


def _grey(image: Any, size: int) -> Any:
    """Return the mean level of each square of `size` px."""
    return ops.average_pool(ops.mean(image, -1, keepdims=True), size)


def _exposure(image: Any, bright: Any, wanted: float) -> Any:
    # not darkened: a lamp in the night stays a lamp
    aim = ops.maximum(_grey(image, REGION), wanted)
    return ops.mean(ops.square(_grey(bright, REGION) - aim))


def _consistency(image: Any, bright: Any) -> Any:
    """Return how much the contrast between neighbouring places changed."""
    before, after = _grey(image, PLACE), _grey(bright, PLACE)
    parts = [
        ops.mean(ops.square(ops.abs(ops.diff(after, axis=axis)) - ops.abs(ops.diff(before, axis=axis))))
        for axis in (1, 2)
    ]
    return 2 * sum(parts)  # each pair is counted from both sides


def _colour(image: Any, bright: Any) -> Any:
    """Return how much the colours' shares of the light changed, by regions; grey-world, as there, turns leaves blue."""
    before, after = (_shares(ops.average_pool(x, REGION)) for x in (image, bright))
    return ops.mean(ops.square(after - before))


def _shares(light: Any) -> Any:
    return light / (ops.sum(light, -1, keepdims=True) + LEAST_LIGHT)


def _rough(curves: Any) -> Any:
    """Return how much the curves change from place to place."""
    return sum(ops.mean(ops.square(ops.diff(curves, axis=axis))) for axis in (1, 2))
