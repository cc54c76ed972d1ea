"""How alike two pictures look to a network that learned to name things: a distance beside the pixels'.

In the manner of LPIPS (Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018)
but **not LPIPS**: another network, and no weights fitted to people's judgement. Only for comparing among each other.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from vedette.errors import ModelError
from vedette.types import Image
from vedette_train.backbone import open_backbone
from vedette_train.transfer import MEAN, STD

__all__ = ["GRID_PX", "apart", "feature_network", "picture_distance"]

GRID_PX = 32
"""Sides of what is compared are multiples of it."""
DEPTHS = (2, 4, 8, 16)  # strides
LEAST = 1e-6


def feature_network(size_wh: tuple[int, int], backbone: Path) -> keras.Model:
    """Return what gives the last map of each stride in `DEPTHS` for (n, H, W, 3) RGB, 0..1; it learns nothing.

    Args:
        size_wh: multiples of `GRID_PX`.
        backbone: what `vedette_train.backbone.open_backbone` takes.

    Raises:
        ModelError: it cannot be read, or lacks a depth.
    """
    image = keras.Input((size_wh[1], size_wh[0], 3))
    body = open_backbone(image, backbone)
    last = {
        size_wh[0] // layer.output.shape[2]: layer.output
        for layer in body.layers
        if len(layer.output.shape) == 4
    }
    missing = [stride for stride in DEPTHS if stride not in last]
    if missing:
        raise ModelError(f"the backbone {backbone} has no map of stride {missing[0]}; give another.")
    network = keras.Model(image, [last[stride] for stride in DEPTHS], name="features")
    network.trainable = False
    return network


_kept = functools.lru_cache(maxsize=4)(feature_network)


def apart(network: keras.Model, wanted: Any, found: Any) -> Any:
    """Return the distance of pictures (n, H, W, 3), 0..1: 0 of equal ones, at most 4.

    At each place and depth the features are brought to length 1; the squared differences are summed over channels, and
    averaged over places and depths.
    """
    parts = []
    for one, other in zip(network(_values(wanted)), network(_values(found)), strict=True):
        parts.append(ops.mean(ops.sum(ops.square(_unit(one) - _unit(other)), -1)))
    return sum(parts) / len(parts)


def _values(image: Any) -> Any:
    return (image * 255 - MEAN) / STD


def _unit(features: Any) -> Any:
    return features * ops.rsqrt(ops.sum(ops.square(features), -1, keepdims=True) + LEAST)


def picture_distance(wanted: Image, found: Image, backbone: Path) -> float:
    """Return the distance of two pictures (H, W, 3) uint8 of one size, without what is beyond a multiple of 32 px."""
    height, width = (n // GRID_PX * GRID_PX for n in wanted.shape[:2])
    network = _kept((width, height), backbone)
    pair = [image[None, :height, :width].astype(np.float32) / 255 for image in (wanted, found)]
    return float(ops.convert_to_numpy(apart(network, *pair)))
