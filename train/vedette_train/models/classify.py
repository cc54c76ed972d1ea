"""The classifier's network: a pre-trained backbone, or a small body, the mean of its features, one layer of logits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras import layers

from vedette_train.backbone import open_backbone
from vedette_train.models.blocks import conv, unit

__all__ = ["classify_network"]

DROPOUT = 0.2


def classify_network(
    size_wh: tuple[int, int], *, classes: int, backbone: Path | None
) -> tuple[Sequence[keras.layers.Layer], keras.Model]:
    """Return the layers of the pre-trained body (none of a small one) and the network with the output ``logits``.

    Args:
        size_wh: of the input, multiples of 32; real values as `vedette_train.transfer.MEAN` and `STD` say.
        classes: how many; the output is (n, classes).
        backbone: what `vedette_train.backbone.open_backbone` reads, or None for a small body that learns from nothing.

    Raises:
        ModelError: `backbone` cannot be read.
    """
    image = keras.Input((size_wh[1], size_wh[0], 3), name="image")
    if backbone is None:
        body: Sequence[keras.layers.Layer] = ()
        features = _small_body(image)
    else:
        given = open_backbone(image, backbone)
        body, features = given.layers, given.features
    x = layers.GlobalAveragePooling2D(keepdims=True, name="mean")(features)
    x = layers.Dropout(DROPOUT, name="dropout")(x)
    # a convolution, not Dense: its int8 weights have a scale for each class
    x = layers.Conv2D(classes, 1, name="classes")(x)
    return body, keras.Model(image, {"logits": layers.Flatten(name="logits")(x)}, name="classifier")


def _small_body(image: Any) -> Any:
    x = conv(image, 16, 3, 2, "stem")
    for stride, filters in ((4, 32), (8, 64), (16, 96), (32, 128)):
        x = unit(x, filters, 2, f"s{stride}a")
        x = unit(x, filters, 1, f"s{stride}b")
    return x
