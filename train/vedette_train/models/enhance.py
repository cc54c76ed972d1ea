"""Networks that make pictures better. All take (n, h, w, 3) RGB, 0..1, and keep to what an int8 runtime does well:
3x3 convolutions with ReLU, additions, nearest enlargement, and one depth-to-space at the end.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from vedette_train.models.ranged import OUTSIDE, Ranged

__all__ = ["clean_network", "curve_network", "rival_network", "sr_network"]

UNIT = (0.0, 1.0)
SR_CHANNELS, SR_LAYERS = 28, 5
CLEAN_CHANNELS = (32, 64, 96)  # at half, a quarter and an eighth of the size
CURVE_CHANNELS = (16, 24, 32)
RIVAL_CHANNELS = (32, 48, 64, 96)


class _Blocks:
    """Layers of one network, which all round or all do not."""

    def __init__(self, width: float, rounded: bool) -> None:
        self._width, self._rounded = width, rounded

    def wide(self, channels: int) -> int:
        """Return `channels` times the width, a multiple of 4."""
        return max(4, round(channels * self._width / 4) * 4)

    def ranged(
        self, x: Any, name: str, limits: tuple[float, float] | None = None, *, outside: float = OUTSIDE
    ) -> Any:
        """Give `x` its range."""
        return Ranged(rounded=self._rounded, limits=limits, outside=outside, name=f"{name}_range")(x)

    def conv(self, x: Any, filters: int, name: str, *, stride: int = 1) -> Any:
        """3x3 convolution and ReLU."""
        options = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
        made = layers.Conv2D(filters, 3, stride, name=name, **options)(x)
        return self.ranged(made, name)

    def linear(self, x: Any, filters: int, name: str, *, outside: float = OUTSIDE) -> Any:
        """3x3 convolution without ReLU, which gives nothing at the beginning."""
        # else the shortest way to less loss would be to shut the ReLUs before it for good
        made = layers.Conv2D(filters, 3, name=name, padding="same", kernel_initializer="zeros")
        return self.ranged(made(x), name, outside=outside)

    def merge(self, fine: Any, coarse: Any, name: str) -> Any:
        """Enlarge `coarse` to the size of `fine`, add it, and take what is above 0 of the sum."""
        up = layers.Resizing(*fine.shape[1:3], interpolation="nearest", name=f"{name}_up")(coarse)
        return self.ranged(layers.ReLU(name=f"{name}_relu")(layers.Add(name=name)([fine, up])), name)


def _input(size_wh: tuple[int, int]) -> Any:
    return keras.Input((size_wh[1], size_wh[0], 3), name="image")


def sr_network(
    size_wh: tuple[int, int], *, scale: int, width: float = 1.0, rounded: bool = False
) -> keras.Model:
    """Return a network with the output ``enhanced`` (n, scale h, scale w, 3), about 0..1: what it is outside is noise.

    Anchor-based plain net (Du et al., Mobile AI workshop, CVPR 2021): each pixel repeated, and what seven convolutions
    find to add. The addition comes before depth-to-space, so the whole costs 42,345 multiply-accumulates a pixel at
    width 1 and scale 3.

    Args:
        size_wh: of the input.
        scale: 2 to 4.
        width: channels over 28.
        rounded: learn with the rounding of int8, see `vedette_train.models.ranged`.
    """
    blocks, made = _Blocks(width, rounded), 3 * scale**2
    image = _input(size_wh)
    pixels = blocks.ranged(image, "pixels", UNIT)
    x = pixels
    for i in range(SR_LAYERS):
        x = blocks.conv(x, blocks.wide(SR_CHANNELS), f"body_{i}")
    x = blocks.linear(blocks.conv(x, made, "wide"), made, "detail")
    anchor = blocks.ranged(layers.Concatenate(name="anchor")([pixels] * scale**2), "anchor", UNIT)
    x = blocks.ranged(layers.Add(name="sum")([anchor, x]), "sum", UNIT)
    enhanced = blocks.ranged(ops.depth_to_space(x, scale), "enhanced", UNIT)
    return keras.Model(image, {"enhanced": enhanced}, name="sr")


def clean_network(size_wh: tuple[int, int], *, width: float = 1.0, rounded: bool = False) -> keras.Model:
    """Return a network with the output ``enhanced`` (n, h, w, 3), about 0..1: the input without what is amiss.

    An autoencoder with additions across (in the manner of U-Net, Ronneberger et al., 2015) on blocks of 2x2 pixels (as
    FFDNet, Zhang et al., 2018), which sees 48 px to each side and asks for a quarter of the work.

    Args:
        size_wh: of the input, multiples of 8.
        width: channels over 32, 64 and 96 at a half, a quarter and an eighth of the size.
        rounded: learn with the rounding of int8.
    """
    blocks = _Blocks(width, rounded)
    image = _input(size_wh)
    pixels = blocks.ranged(image, "pixels", UNIT)
    cells = blocks.ranged(ops.space_to_depth(pixels, 2), "cells", UNIT)
    half, quarter, eighth = map(blocks.wide, CLEAN_CHANNELS)
    fine = blocks.conv(blocks.conv(cells, half, "half_a"), half, "half_b")
    mid = blocks.conv(blocks.conv(fine, quarter, "quarter_a", stride=2), quarter, "quarter_b")
    coarse = blocks.conv(blocks.conv(mid, eighth, "eighth_a", stride=2), eighth, "eighth_b")
    # no ReLU before the additions: it shut for good at 94 of their 96 channels, and the scales below with them
    mid = blocks.merge(mid, blocks.linear(coarse, quarter, "eighth_c"), "quarter_sum")
    fine = blocks.merge(fine, blocks.linear(mid, half, "quarter_c"), "half_sum")
    # strong noise is far out, and all of it has to be taken away
    x = blocks.linear(blocks.conv(fine, half, "half_c"), 12, "difference", outside=0.0)
    x = blocks.ranged(layers.Add(name="sum")([cells, x]), "sum", UNIT)
    enhanced = blocks.ranged(ops.depth_to_space(x, 2), "enhanced", UNIT)
    return keras.Model(image, {"enhanced": enhanced}, name="clean")


def curve_network(
    size_wh: tuple[int, int], *, iterations: int, width: float = 1.0, rounded: bool = False
) -> keras.Model:
    """Return a network with the output ``curves`` (n, h/8, w/8, 3 iterations), -1..1: how the light is to be raised.

    Zero-DCE (Guo et al., CVPR 2020), eq. 4, estimated for places of 8x8 px instead of for pixels.

    Args:
        size_wh: of the input, multiples of 8.
        iterations: of x + a x (1 - x); each can nearly double what is dark.
        width: channels over 16, 24 and 32.
        rounded: learn with the rounding of int8.
    """
    blocks = _Blocks(width, rounded)
    image = _input(size_wh)
    x = blocks.ranged(image, "pixels", UNIT)
    for i, channels in enumerate(CURVE_CHANNELS):
        x = blocks.conv(x, blocks.wide(channels), f"down_{i}", stride=2)
    for i in range(4):
        y = blocks.conv(x, x.shape[-1], f"around_{i}")
        x = blocks.ranged(layers.Add(name=f"sum_{i}")([x, y]), f"sum_{i}")
    # the int8 kernel of tanh always steps by 1/128
    x = layers.Activation("tanh", name="tanh")(blocks.linear(x, 3 * iterations, "curves"))
    curves = blocks.ranged(x, "tanh", (-1.0, 127 / 128))
    return keras.Model(image, {"curves": curves}, name="curves")


def rival_network(size_wh: tuple[int, int]) -> keras.Model:
    """Return what tells real pictures from made ones, (n, H, W, 3), 0..1, by regions: (n, H/8, W/8, 1) logits.

    PatchGAN (Isola et al., CVPR 2017) without normalization. It is needed for learning alone and never exported.
    """
    image = _input(size_wh)
    x = layers.Rescaling(2.0, -1.0)(image)
    for i, channels in enumerate(RIVAL_CHANNELS):
        x = layers.Conv2D(channels, 3, 1 if i == 0 else 2, "same", name=f"rival_{i}")(x)
        x = layers.LeakyReLU(0.2)(x)
    return keras.Model(image, layers.Conv2D(1, 3, padding="same", name="real")(x), name="rival")
