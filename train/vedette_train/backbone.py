"""A pre-trained part of a network from any of the files that people have: another run, a Keras model, a `.tflite`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from keras import layers

from vedette.errors import ModelError
from vedette_train.transfer import MEAN, STD, mobilenet_v1, mobilenet_v2, read_convolutions

__all__ = ["Backbone", "open_backbone"]

STRIDES = (8, 16, 32)
V1_CONVOLUTIONS = 28


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A body on a network's input.

    Attributes:
        maps: stride -> (n, h, w, c) for 8, 16 and 32; the last of each.
        features: (n, h, w, c), what its own classifier would pool.
        layers: those with weights, from input to `features`.
    """

    maps: dict[int, Any]
    features: Any
    layers: Sequence[keras.layers.Layer]


def open_backbone(image: Any, path: Path) -> Backbone:
    """Return the pre-trained body in `path` on top of `image`.

    Args:
        image: a `keras.Input` (H, W, 3), both multiples of 32, of real values (pixel - `MEAN`) / `STD`.
        path: a quantized MobileNet V1 or V2 `.tflite`, a run's folder, or a `.keras` file. A Keras model must take real
            values as `image` has them (MEAN = STD = 128, about -1..1) or begin with its own rescaling of them.

    Raises:
        ModelError: it cannot be read, takes other values, or has no maps of strides 8, 16 and 32.
    """
    if path.suffix == ".tflite":
        return _mobilenet(image, path)
    if path.is_dir():
        _check_input(path)
    return _keras_model(image, path / "model.keras" if path.is_dir() else path)


def _mobilenet(image: Any, path: Path) -> Backbone:
    first = len(read_convolutions(path)) == V1_CONVOLUTIONS
    maps, body = mobilenet_v1(image, path) if first else mobilenet_v2(image, path, top=True)
    return Backbone({stride: maps[stride] for stride in STRIDES}, maps[1], body[:-1])


def _check_input(run: Path) -> None:
    try:
        given = json.loads((run / "contract.json").read_text())["input"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{run} holds no exported model ({error}); let its training end first.") from error
    if given["mean"] != [MEAN] * 3 or given["std"] != [STD] * 3:
        raise ModelError(
            f"the model of {run} takes (pixel - {given['mean'][0]}) / {given['std'][0]}, here is wanted "
            f"(pixel - {MEAN}) / {STD}; it cannot be a backbone."
        )


def _keras_model(image: Any, path: Path) -> Backbone:
    try:
        model = keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"cannot read the backbone {path}: {str(error).rstrip('.')}.") from error
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0])
    maps = _maps(model)
    missing = [stride for stride in STRIDES if stride not in maps]
    if missing:
        raise ModelError(
            f"the backbone {path} has no map of stride {missing[0]}; give a convolutional network."
        )
    cut = keras.Model(model.input, [maps[stride] for stride in STRIDES])
    body = keras.models.clone_model(cut, input_tensors=image)
    body.set_weights(cut.get_weights())
    given = dict(zip(STRIDES, body.outputs, strict=True))
    return Backbone(given, given[32], [layer for layer in body.layers if layer.weights])


def _maps(model: keras.Model) -> dict[int, Any]:
    """Return the last map of each stride before anything is enlarged again."""
    height, found = model.input.shape[1], {}
    for op in model.operations:
        if isinstance(op, layers.InputLayer):
            continue
        inputs, outputs = keras.tree.flatten(op.input), keras.tree.flatten(op.output)
        heights = [t.shape[1] for t in (*inputs, *outputs) if len(t.shape) == 4]
        if len(heights) < len(inputs) + len(outputs):
            continue
        if max(heights) > heights[0]:
            break
        found[height // heights[-1]] = outputs[0]
    return found
