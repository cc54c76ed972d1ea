"""The object detector's network: a backbone, a small feature pyramid and heads without anchors.

Outputs per stride s in 8, 16, 32: ``score_s`` (1, h, w, classes) logits and ``box_s`` (1, h, w, 4);
`vedette.heads.detect` says what they mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
from keras import layers

from vedette_train.backbone import open_backbone
from vedette_train.models.blocks import conv, merge, unit

__all__ = ["STRIDES", "body_and_network", "detect_network"]

STRIDES = (8, 16, 32)
CHANNELS = 64
PRIOR_LOGIT = -4.6  # sigmoid 0.01: almost no place is an object, so training starts calm
PRIOR_SIZE = 4.0  # in strides: the first boxes overlap what their stride is good for


def body_and_network(
    size_wh: tuple[int, int], *, classes: int, backbone: Path | None
) -> tuple[Sequence[keras.layers.Layer], keras.Model]:
    """Return the layers of the pre-trained body (none of a small one) and the whole network.

    Args:
        size_wh: of the input, multiples of 32; real values as `vedette_train.transfer.MEAN` and `STD` say.
        classes: how many.
        backbone: see `vedette_train.backbone.open_backbone`; None for a small body that learns from nothing.

    Raises:
        ModelError: `backbone` cannot be used.
    """
    image = keras.Input((size_wh[1], size_wh[0], 3), name="image")
    if backbone is None:
        return (), detect_network(image, _small_body(image), classes=classes)
    opened = open_backbone(image, backbone)
    network = detect_network(image, opened.maps, classes=classes)
    return [layer for layer in opened.layers if layer in network.layers], network


def detect_network(image: Any, levels: Mapping[int, Any], *, classes: int) -> keras.Model:
    """Return the network from `image`, a `keras.Input`, through a backbone's maps `levels`: stride -> (n, h, w, c)."""
    p32 = unit(conv(levels[32], CHANNELS, 1, 1, "l32"), CHANNELS, 1, "p32", 5)
    p16 = unit(merge(conv(levels[16], CHANNELS, 1, 1, "l16"), p32, "m16"), CHANNELS, 1, "p16")
    p8 = unit(merge(conv(levels[8], CHANNELS, 1, 1, "l8"), p16, "m8"), CHANNELS, 1, "p8")
    outputs: dict[str, Any] = {}
    for stride, level in zip(STRIDES, (p8, p16, p32), strict=True):
        outputs |= _head(level, stride, classes)
    return keras.Model(image, outputs, name="detector")


def _head(level: Any, stride: int, classes: int) -> dict[str, Any]:
    seen, placed = (unit(level, CHANNELS, 1, f"h{stride}{role}") for role in ("s", "b"))
    rare = keras.initializers.Constant(PRIOR_LOGIT)
    size = keras.initializers.Constant(math.log(PRIOR_SIZE) / 2)
    return {
        f"score_{stride}": layers.Conv2D(classes, 1, bias_initializer=rare, name=f"score_{stride}")(seen),
        f"box_{stride}": layers.Conv2D(4, 1, bias_initializer=size, name=f"box_{stride}")(placed),
    }


def _small_body(image: Any) -> dict[int, Any]:
    """Return maps of strides 8, 16, 32 of a small body that learns from nothing; H and W multiples of 32."""
    x = conv(image, 16, 3, 2, "stem")
    levels = {}
    for stride, filters in ((4, 32), (8, 64), (16, 96), (32, 128)):
        x = unit(x, filters, 2, f"s{stride}a")
        x = unit(x, filters, 1, f"s{stride}b")
        levels[stride] = x
    return levels
