"""The embedder's network: a body to 7x7 places, one weight for each place and channel, one layer to the embedding.

In the manner of MobileFaceNet (Chen et al., 2018): a face is aligned, so its places differ and are weighted (global
depthwise convolution) instead of averaged. All of it maps on an Edge TPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras import layers

from vedette.errors import ModelError
from vedette.ops.faces import ALIGNED_SIZE
from vedette_train.backbone import open_backbone
from vedette_train.models.blocks import conv, unit

__all__ = ["embed_network"]

STRIDE = 16
BODY_SIDE = 128  # a multiple of 32 as `open_backbone` wants it; convolutions do not mind
GROUPS = ((64, 2), (128, 4), (256, 2))  # channels and units that keep the size, of strides 4, 8 and 16
LAST = 384  # channels of what the places are weighted in
SMALL = 0.1  # of the usual spread: training begins at the constant part, near every face


def embed_network(
    *, size: int, width: float, backbone: Path | None, start: Any
) -> tuple[Sequence[keras.layers.Layer], keras.Model]:
    """Return the layers of the pre-trained body (none of a small one) and the network with the output ``embedding``.

    Args:
        size: length of an embedding, which is not of unit length yet.
        width: share of the channels of the body and of what follows, above 0.
        backbone: what `vedette_train.backbone.open_backbone` reads; its map of stride 16 is taken.
        start: (size,) where all embeddings lie at the beginning.

    Raises:
        ModelError: `backbone` cannot be read or is of another kind.
    """
    image = keras.Input((ALIGNED_SIZE, ALIGNED_SIZE, 3), name="image")
    body: Sequence[keras.layers.Layer] = ()
    if backbone is None:
        x = _body(image, width)
    else:
        body, x = _pretrained(image, backbone)
    x = conv(x, _wide(LAST, width), 1, 1, "last")
    x = layers.DepthwiseConv2D(x.shape[1:3], use_bias=False, name="places")(x)
    x = layers.BatchNormalization(momentum=0.97, name="places_bn")(x)
    x = layers.Conv2D(
        size,
        1,
        kernel_initializer=keras.initializers.VarianceScaling(SMALL**2),
        bias_initializer=keras.initializers.Constant(start),
        name="embed",
    )(x)
    return body, keras.Model(image, {"embedding": layers.Flatten(name="embedding")(x)}, name="embedder")


def _wide(channels: int, width: float) -> int:
    return max(8, round(channels * width / 8) * 8)


def _body(image: Any, width: float) -> Any:
    x = conv(image, _wide(32, width), 3, 2, "stem")
    for i, (channels, repeats) in enumerate(GROUPS):
        x = unit(x, _wide(channels, width), 2, f"s{4 << i}a")
        for k in range(repeats):
            x = unit(x, _wide(channels, width), 1, f"s{4 << i}{'bcde'[k]}")
    return x


def _pretrained(image: Any, path: Path) -> tuple[Sequence[keras.layers.Layer], Any]:
    """Return the layers up to the map of stride 16 on top of `image`, and the map."""
    given = keras.Input((BODY_SIDE, BODY_SIDE, 3), name="image")
    cut = keras.Model(given, open_backbone(given, path).maps[STRIDE])
    try:
        body = keras.models.clone_model(cut, input_tensors=image)
    except ValueError as error:
        raise ModelError(f"the backbone {path} does not take {ALIGNED_SIZE} px: {error}.") from error
    body.set_weights(cut.get_weights())
    return [layer for layer in body.layers if layer.weights], body.output
