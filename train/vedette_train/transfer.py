"""Begin with what others have learned: the weights of a quantized MobileNet `.tflite`, made real numbers again.

Howard et al., MobileNets, 2017; Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018. Such
files hold each batch normalization folded into its convolution, so the layers here have a bias instead.

They were trained with fake quantization: each result is cut off at the ends of its range and rounded to one of 256
levels, and the network has learned to live with that. `quantized` puts this back; without, the same weights answer a
little differently where the file itself is unsure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from vedette.errors import ModelError

__all__ = ["MEAN", "STD", "Convolution", "mobilenet_v1", "mobilenet_v2", "read_convolutions"]

MEAN, STD = 128.0, 128.0
"""Real input of the network = (pixel - MEAN) / STD."""

BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, repeats, first stride: table 2 of the paper."""


INT8 = 9  # TensorType

V1_BLOCKS = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
"""Strides of the depthwise convolutions of V1: its table 1, whose last stride is 1 (as its authors' code has it)."""


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """A convolution's real weights: kernel as Keras has it, bias (channels,).

    Attributes:
        ends: least and greatest value of its result, and of the addition that follows it directly (none: the same).
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    ends: tuple[tuple[float, float], tuple[float, float]]


def read_convolutions(path: Path) -> list[Convolution]:
    """Return the convolutions of the quantized `.tflite` at `path` in the order in which they run.

    Raises:
        ModelError: it cannot be read, or its weights are not quantized.
    """
    # the file's format, not the interpreter: nothing runs here
    from ai_edge_litert import schema_py_generated as schema

    try:
        data = path.read_bytes()
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    except OSError as error:
        raise ModelError(f"cannot read the weights {path}: {error.strerror}.") from error
    except Exception as error:  # what a damaged flatbuffer raises is anything
        raise ModelError(f"{path} is no TFLite model, or a damaged one: {error}.") from error
    graph, codes = model.subgraphs[0], model.operatorCodes
    found = []
    for op in graph.operators:
        code = max(codes[op.opcodeIndex].builtinCode, codes[op.opcodeIndex].deprecatedBuiltinCode)
        if code in (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D):
            kernel, bias = (_real(model, graph.tensors[i], path) for i in op.inputs[1:3])
            ends = _ends(graph.tensors[op.outputs[0]])
            found.append(
                Convolution(kernel.transpose(1, 2, 3, 0), bias, (ends, ends))
            )  # OHWI to HWIO, 1HWC to HWC1
        elif code == schema.BuiltinOperator.ADD and found:
            found[-1] = replace(found[-1], ends=(found[-1].ends[0], _ends(graph.tensors[op.outputs[0]])))
    return found


def _ends(tensor: Any) -> tuple[float, float]:
    """Return the least and the greatest real value that a quantized result can have."""
    scale, zero = float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])
    low = -128 if tensor.type == INT8 else 0
    return (low - zero) * scale, (low + 255 - zero) * scale


def _real(model: Any, tensor: Any, path: Path) -> NDArray[np.float32]:
    """Return a constant tensor's real values; its channels are those of the scale's axis."""
    kinds = {2: np.int32, 3: np.uint8, INT8: np.int8}  # TensorType
    raw, quantization = model.buffers[tensor.buffer].data, tensor.quantization
    if raw is None or tensor.type not in kinds or quantization is None or quantization.scale is None:
        name = tensor.name.decode()
        raise ModelError(f"{path}: {name} is no quantized constant; give a file with uint8 or int8 weights.")
    shape = [1] * len(tensor.shape)
    if len(quantization.scale) > 1:
        shape[quantization.quantizedDimension] = -1
    scale, zero = (np.asarray(v).reshape(shape) for v in (quantization.scale, quantization.zeroPoint))
    values = np.frombuffer(np.asarray(raw, np.uint8).tobytes(), kinds[tensor.type]).reshape(tensor.shape)
    real: NDArray[np.float32] = ((values.astype(np.float64) - zero) * scale).astype(np.float32)
    return real


def mobilenet_v2(
    image: Any, weights: Path | None, *, top: bool = False, quantized: bool = False
) -> tuple[dict[int, Any], list[keras.layers.Layer]]:
    """Return the maps of MobileNet V2 1.0 and its layers with weights.

    Args:
        image: a `keras.Input` (H, W, 3), both multiples of 32, of real values as `MEAN` and `STD` say.
        weights: a quantized MobileNet V2 1.0 `.tflite`; when not given, the layers begin at random, to be loaded later.
        top: with the last features, (n, h, w, 1280), under the key 1, and the classifier: logits (n, classes) under the
            key 0.
        quantized: cut off and round each result as the file does; needs `weights`.

    Returns:
        Stride -> (n, h, w, c) for 8, 16 and 32; the layers.

    Raises:
        ModelError: `weights` holds another network.
    """
    given = None if weights is None else read_convolutions(weights)
    classes = 1001 if given is None else len(given[-1].bias)
    build = _Builder(given if quantized and given is not None else ())
    x, levels = build(image, 32, 3, 2, "stem"), {}
    for group, (expansion, channels, repeats, first) in enumerate(BLOCKS):
        for i in range(repeats):
            x = build.block(x, expansion, channels, first if i == 0 else 1, f"block{group}{'abcd'[i]}")
        levels[image.shape[1] // x.shape[1]] = x
    maps = {stride: levels[stride] for stride in (8, 16, 32)}
    if top:
        maps[1] = build(x, 1280, 1, 1, "last")
        maps[0] = build.top(maps[1], classes)
    if given is not None:
        _set_weights(build.layers, given, weights)
    return maps, build.layers


def mobilenet_v1(
    image: Any, weights: Path, *, quantized: bool = False
) -> tuple[dict[int, Any], list[keras.layers.Layer]]:
    """Return the maps of MobileNet V1 of the width that the quantized `.tflite` `weights` has, and its layers.

    Arguments, results and errors as those of `mobilenet_v2` with its top; the last features are the map of stride 32.
    """
    given = read_convolutions(weights)
    if len(given) != 2 * len(V1_BLOCKS) + 2:
        raise ModelError(f"{weights} holds {len(given)} convolutions, no MobileNet V1; give another file.")
    widths = [one.kernel.shape[-1] for one in (given[0], *given[2::2])]
    build = _Builder(given if quantized else ())
    x, levels = build(image, widths[0], 3, 2, "stem"), {}
    for i, stride in enumerate(V1_BLOCKS):
        x = build.separable(x, widths[i + 1], stride, f"block{i}")
        levels[image.shape[1] // x.shape[1]] = x
    maps = {stride: levels[stride] for stride in (8, 16, 32)} | {1: x}
    maps[0] = build.top(x, len(given[-1].bias))
    _set_weights(build.layers, given, weights)
    return maps, build.layers


@keras.saving.register_keras_serializable("vedette")
class FakeQuantization(layers.Layer):
    """Cut off at `low` and `high` and round to 256 levels; gradients pass between the ends."""

    def __init__(self, low: float, high: float, **options: Any) -> None:
        super().__init__(**options)
        self.low, self.high = low, high

    def call(self, x: Any) -> Any:
        """Return `x` as 8 bits hold it."""
        return keras.quantizers.fake_quant_with_min_max_vars(x, self.low, self.high, num_bits=8)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made of."""
        return {**super().get_config(), "low": self.low, "high": self.high}


class _Builder:
    """Makes convolutions with bias and keeps them in order; results are quantized where `given` says their ends."""

    def __init__(self, given: Sequence[Convolution]) -> None:
        self.layers: list[keras.layers.Layer] = []
        self._given = given

    def __call__(
        self, x: Any, filters: int, kernel: int, stride: int, name: str, *, active: bool = True
    ) -> Any:
        return self._add(layers.Conv2D(filters, kernel, stride, "same", name=name), x, active)

    def _add(self, layer: keras.layers.Layer, x: Any, active: bool) -> Any:
        self.layers.append(layer)
        x = layer(x)
        return self._quantized(layers.ReLU(6.0, name=f"{layer.name}_relu")(x) if active else x, 0)

    def _quantized(self, x: Any, which: int) -> Any:
        """Return `x` as the file holds the latest convolution's result (0), or the addition after it (1)."""
        if not self._given:
            return x
        return FakeQuantization(*self._given[len(self.layers) - 1].ends[which])(x)

    def top(self, features: Any, classes: int) -> Any:
        """Return logits (n, classes) of the last features, whose mean the file holds as it holds them."""
        x = self._quantized(layers.GlobalAveragePooling2D(keepdims=True)(features), 0)
        return layers.Flatten()(self(x, classes, 1, 1, "logits", active=False))

    def separable(self, x: Any, channels: int, stride: int, name: str) -> Any:
        """Filter each channel, then mix."""
        y = self._add(layers.DepthwiseConv2D(3, stride, "same", name=f"{name}_depthwise"), x, True)
        return self(y, channels, 1, 1, name)

    def block(self, x: Any, expansion: int, channels: int, stride: int, name: str) -> Any:
        """Expand, filter each channel, project; with a way around where the shape allows."""
        y = self(x, x.shape[-1] * expansion, 1, 1, f"{name}_expand") if expansion > 1 else x
        y = self._add(layers.DepthwiseConv2D(3, stride, "same", name=f"{name}_depthwise"), y, True)
        y = self(y, channels, 1, 1, f"{name}_project", active=False)
        return self._quantized(layers.Add(name=f"{name}_add")([x, y]), 1) if y.shape == x.shape else y


def _set_weights(mine: Sequence[keras.layers.Layer], given: Sequence[Convolution], path: Path | None) -> None:
    pairs = list(zip(mine, given, strict=False))
    if len(pairs) < len(mine) or any(layer.kernel.shape != one.kernel.shape for layer, one in pairs):
        raise ModelError(
            f"{path} is no MobileNet V1, or V2 of width 1.0, as is known here; give another file."
        )
    for layer, one in pairs:
        layer.set_weights([one.kernel, one.bias])
