"""Round the kernels of convolutions so that what they make of real pictures changes least.

Weights are rounded one after the other, and those that are still to come make up for the error, the bias last of all
(Frantar et al., GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers, ICLR 2023, section
3). Each to the nearest step would do where inputs are independent; the pixels around a place are not, and the errors of
a kernel's weights add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.contract import InputContract
from vedette.types import Image
from vedette_convert.graph import Graph, Op, constant, pack, read_graph, set_constant, unpack
from vedette_convert.probe import Probe

__all__ = ["ROUNDINGS", "round_weights"]

ROUNDINGS = ("nearest", "gptq")
MOST = 127  # int8 weights are symmetric
PLACES = 500  # of each picture and layer that are looked at
LARGEST = 4096  # weights of a channel: the squares of more inputs would take too much memory
DAMPING = 1e-3  # of the mean square of the inputs
SEED = 0


@dataclass(frozen=True, slots=True)
class _Layer:
    """A convolution whose kernel and bias nothing else reads.

    Attributes:
        given, made, kernel, bias: indices of tensors.
        depthwise: each channel sees itself alone.
        size, stride, dilation: vertical, horizontal.
        same: padded, so that the output is as large as the input over the stride.
    """

    given: int
    made: int
    kernel: int
    bias: int
    depthwise: bool
    size: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    same: bool


def round_weights(network: bytes, images: Sequence[Image], contract: InputContract) -> bytes:
    """Return the float `network` with kernels whose weights stand on the 255 steps that int8 has for their channel.

    Args:
        network: float; convolutions whose kernel is shared, or larger than `LARGEST`, stay as they are.
        images: (H, W, 3) uint8 RGB.
        contract: how they become the input.
    """
    model = unpack(network)
    tensors, layers = model.subgraphs[0].tensors, list(_layers(model, read_graph(network)))
    squares: list[Any] = [0.0] * len(layers)
    probe, random = Probe(network, contract), np.random.default_rng(SEED)
    for image in images:
        probe.run(image)
        for k, layer in enumerate(layers):
            height, width = tensors[layer.made].shape[1:3]
            at = random.integers(0, height * width, min(PLACES, height * width))
            seen = _seen(probe.real(layer.given)[0], layer, at // width, at % width)
            squares[k] = squares[k] + (seen.swapaxes(1, 2) @ seen).astype(np.float64)
    for layer, square in zip(layers, squares, strict=True):
        kernel, bias = (constant(model, tensors[i]) for i in (layer.kernel, layer.bias))
        flat = _flat(kernel, layer)
        rounded, shifted = _gptq(flat, bias.reshape(len(flat), -1).astype(np.float64), square)
        set_constant(model, tensors[layer.kernel], _unflat(rounded, kernel.shape, layer).astype(np.float32))
        set_constant(model, tensors[layer.bias], shifted.reshape(bias.shape).astype(np.float32))
    return pack(model)


def _layers(model: Any, graph: Graph) -> Iterator[_Layer]:
    readers = [i for op in graph.ops for i in op.inputs]
    for op, entry in zip(graph.ops, model.subgraphs[0].operators, strict=True):
        depthwise = op.kind == "DEPTHWISE_CONV_2D"
        if (op.kind != "CONV_2D" and not depthwise) or not _own(op, graph, readers):
            continue
        given, kernel, bias = op.inputs
        channels, height, width, inputs = graph.tensors[kernel].shape
        if depthwise and (graph.tensors[given].shape[3] != inputs or channels != 1):
            continue  # several kernels a channel
        if height * width * (1 if depthwise else inputs) > LARGEST:
            continue
        how = entry.builtinOptions
        stride, dilation = (how.strideH, how.strideW), (how.dilationHFactor, how.dilationWFactor)
        size, same = (height, width), how.padding == 0
        yield _Layer(given, op.outputs[0], kernel, bias, depthwise, size, stride, dilation, same)


def _own(op: Op, graph: Graph, readers: Sequence[int]) -> bool:
    """Tell whether a convolution has a float kernel and bias that are read by nothing else."""
    own = [graph.tensors[i] for i in op.inputs[1:]]
    return len(own) == 2 and all(
        t.constant and t.dtype == "float32" and readers.count(t.index) == 1 for t in own
    )


def _seen(
    given: NDArray[np.float32], layer: _Layer, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return what the kernel is multiplied with at some places of the output, and a 1 for the bias.

    Args:
        given: (H, W, channels).
        layer: what reads it.
        rows: (n,) of the output.
        columns: (n,), likewise.

    Returns:
        (1, n, h w channels + 1), of a depthwise convolution (channels, n, h w + 1).
    """
    spans = [1 + (n - 1) * d for n, d in zip(layer.size, layer.dilation, strict=True)]
    edges = [(0, 0), (0, 0)]
    if layer.same:
        sides = zip(given.shape[:2], layer.stride, spans, strict=True)
        missing = [max(0, (-(-n // stride) - 1) * stride + span - n) for n, stride, span in sides]
        edges = [(n // 2, n - n // 2) for n in missing]
    padded = np.pad(given, (*edges, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=(0, 1))
    picked = windows[rows * layer.stride[0], columns * layer.stride[1]]  # (n, channels, span, span)
    picked = picked[..., :: layer.dilation[0], :: layer.dilation[1]]
    n, channels = picked.shape[:2]
    if layer.depthwise:
        flat = picked.reshape(n, channels, -1).transpose(1, 0, 2)
    else:
        flat = picked.transpose(0, 2, 3, 1).reshape(1, n, -1)
    return np.concatenate([flat, np.ones_like(flat[..., :1])], axis=2)


def _flat(kernel: NDArray[np.float32], layer: _Layer) -> NDArray[np.float64]:
    """Return the kernel as (groups, weights, channels of a group), in the order of `_seen`."""
    if layer.depthwise:  # (1, h, w, channels)
        return kernel.reshape(-1, kernel.shape[3]).T[..., None].astype(np.float64)
    return kernel.reshape(len(kernel), -1).T[None].astype(np.float64)  # (channels, h, w, inputs)


def _unflat(flat: NDArray[np.float64], shape: tuple[int, ...], layer: _Layer) -> NDArray[np.float64]:
    return (flat[..., 0] if layer.depthwise else flat[0]).T.reshape(shape)


def _gptq(
    weights: NDArray[np.float64], bias: NDArray[np.float64], square: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights on the steps of int8, and the bias that makes up for the rest; the largest weight stays.

    Args:
        weights: (groups, n, channels).
        bias: (groups, channels).
        square: (groups, n + 1, n + 1), the sum of the outer products of inputs, the last of them 1.
    """
    n = weights.shape[1]
    mean = np.trace(square, axis1=1, axis2=2)[:, None, None] / (n + 1)
    damped = square + np.eye(n + 1) * (DAMPING * mean + 1e-12)
    upper = np.linalg.cholesky(np.linalg.inv(damped)).swapaxes(1, 2)
    size = np.abs(weights)
    step = np.maximum(size.max(axis=1), 1e-30) / MOST
    largest = size.argmax(axis=1)  # the converter takes the steps from it
    made = np.concatenate([weights, bias[:, None]], axis=1)
    for i in range(n):
        nearest = np.clip(np.rint(made[:, i] / step), -MOST, MOST) * step
        rounded = np.where(largest == i, weights[:, i], nearest)
        error = (made[:, i] - rounded) / upper[:, i, i, None]
        made[:, i + 1 :] -= upper[:, i, i + 1 :, None] * error[:, None]
        made[:, i] = rounded
    return made[:, :n], made[:, n]
