"""Pieces of small networks that quantize well and that an Edge TPU maps whole."""

from __future__ import annotations

from typing import Any

from keras import layers

__all__ = ["conv", "merge", "unit"]


def conv(x: Any, filters: int, kernel: int, stride: int, name: str) -> Any:
    """Convolution, batch normalization, ReLU6."""
    x = layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=f"{name}_conv")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(
        layers.BatchNormalization(momentum=0.97, name=f"{name}_bn")(x)
    )


def unit(x: Any, filters: int, stride: int, name: str, kernel: int = 3) -> Any:
    """Depthwise, then pointwise convolution; with a way around where the shape allows."""
    y = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}_dw")(x)
    y = layers.BatchNormalization(momentum=0.97, name=f"{name}_dw_bn")(y)
    y = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_pw")(y)
    y = layers.BatchNormalization(momentum=0.97, name=f"{name}_bn")(y)
    if stride == 1 and x.shape[-1] == filters:
        y = layers.Add(name=f"{name}_add")([x, y])
    return layers.ReLU(6.0, name=f"{name}_relu")(y)


def merge(fine: Any, coarse: Any, name: str) -> Any:
    """Enlarge `coarse` to the size of `fine` and add it."""
    # not UpSampling2D: TFLite would get RESHAPE and TILE for it instead of one resize
    up = layers.Resizing(*fine.shape[1:3], interpolation="nearest", name=f"{name}_up")(coarse)
    return layers.Add(name=f"{name}_add")([fine, up])
