"""The face detector's network: a small feature pyramid of separable convolutions that an Edge TPU maps whole.

Outputs per stride s in 8, 16, 32: ``score_s`` (1, h, w, 1) logits, ``box_s`` (1, h, w, 4), ``points_s`` (1, h, w, 10);
`vedette.heads.face` says what they mean.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

__all__ = ["STRIDES", "face_network"]

STRIDES = (8, 16, 32)
PRIOR_LOGIT = -4.6  # sigmoid 0.01: almost no place is a face, so training starts calm


def face_network(size_wh: tuple[int, int]) -> keras.Model:
    """Return the network for RGB float input (n, H, W, 3) in 0..1; H and W multiples of 32."""
    image = keras.Input((size_wh[1], size_wh[0], 3), name="image")
    x = _conv(image, 16, 3, 2, "stem")
    x = _unit(x, 32, 2, "s4a")
    x = _unit(x, 32, 1, "s4b")
    x = _unit(x, 64, 2, "s8a")
    x = _unit(x, 64, 1, "s8b")
    fine = _unit(x, 64, 1, "s8c")
    x = _unit(fine, 96, 2, "s16a", 5)
    x = _unit(x, 96, 1, "s16b", 5)
    middle = _unit(x, 96, 1, "s16c", 5)
    x = _unit(middle, 128, 2, "s32a", 5)
    x = _unit(x, 128, 1, "s32b", 5)
    coarse = _unit(x, 128, 1, "s32c", 5)
    p32 = _conv(coarse, 64, 1, 1, "p32")
    p16 = _unit(_merge(_conv(middle, 64, 1, 1, "l16"), p32, "m16"), 64, 1, "p16")
    p8 = _unit(_merge(_conv(fine, 64, 1, 1, "l8"), p16, "m8"), 64, 1, "p8")
    outputs: dict[str, Any] = {}
    for stride, level in zip(STRIDES, (p8, p16, p32), strict=True):
        outputs |= _head(level, stride, 3 if stride == 8 else 5)
    return keras.Model(image, outputs, name="face_detector")


def _conv(x: Any, filters: int, kernel: int, stride: int, name: str) -> Any:
    x = layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=f"{name}_conv")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(
        layers.BatchNormalization(momentum=0.97, name=f"{name}_bn")(x)
    )


def _unit(x: Any, filters: int, stride: int, name: str, kernel: int = 3) -> Any:
    """Depthwise, then pointwise convolution; with a way around where the shape allows."""
    y = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}_dw")(x)
    y = layers.BatchNormalization(momentum=0.97, name=f"{name}_dw_bn")(y)
    y = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_pw")(y)
    y = layers.BatchNormalization(momentum=0.97, name=f"{name}_bn")(y)
    if stride == 1 and x.shape[-1] == filters:
        y = layers.Add(name=f"{name}_add")([x, y])
    return layers.ReLU(6.0, name=f"{name}_relu")(y)


def _merge(fine: Any, coarse: Any, name: str) -> Any:
    # not UpSampling2D: TFLite would get RESHAPE and TILE for it instead of one resize
    up = layers.Resizing(*fine.shape[1:3], interpolation="nearest", name=f"{name}_up")(coarse)
    return layers.Add(name=f"{name}_add")([fine, up])


def _head(level: Any, stride: int, kernel: int) -> dict[str, Any]:
    x = _unit(level, 64, 1, f"h{stride}a", kernel)
    seen = _unit(x, 64, 1, f"h{stride}s", 3)
    placed = _unit(x, 64, 1, f"h{stride}b", kernel)
    start = keras.initializers.Constant(PRIOR_LOGIT)
    return {
        f"score_{stride}": layers.Conv2D(1, 1, bias_initializer=start, name=f"score_{stride}")(seen),
        f"box_{stride}": layers.Conv2D(4, 1, name=f"box_{stride}")(placed),
        f"points_{stride}": layers.Conv2D(10, 1, name=f"points_{stride}")(placed),
    }
