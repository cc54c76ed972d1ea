"""Give the channels of a depthwise convolution's output equal ranges, without changing what the network computes.

Where a depthwise convolution without activation feeds one 1x1 convolution, each channel may be scaled by any s > 0 if
the 1x1 kernel's weights for that channel are divided by it. int8 has one range for the whole tensor, so the narrow
channels gain. After Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
ICCV 2019, eq. 7, with the range of the activations in the place of the first layer's weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vedette.contract import InputContract
from vedette.types import Image
from vedette_convert.graph import Graph, constant, pack, read_graph, set_constant, unpack
from vedette_convert.probe import Probe

__all__ = ["equalize"]

LEAST_RANGE = 1e-3  # a channel that is never used stays as it is


def equalize(network: bytes, images: Sequence[Image], contract: InputContract) -> tuple[bytes, int]:
    """Return the float `network` with equalized depthwise outputs, and how many there are."""
    graph = read_graph(network)
    pairs = _pairs(graph)
    reach = _reach(Probe(network, contract), [graph.ops[d].outputs[0] for d, _ in pairs], images)
    model = unpack(network)
    main = model.subgraphs[0]
    for (depthwise, pointwise), most in zip(pairs, reach, strict=True):
        scale = np.where(most > LEAST_RANGE, 1 / np.maximum(most, LEAST_RANGE), 1).astype(np.float32)
        scale /= np.exp(np.log(scale).mean())
        for i in graph.ops[depthwise].inputs[1:3]:  # kernel (1, h, w, channels) and bias (channels,)
            set_constant(model, main.tensors[i], constant(model, main.tensors[i]) * scale)
        kernel = main.tensors[graph.ops[pointwise].inputs[1]]  # (filters, 1, 1, channels)
        set_constant(model, kernel, constant(model, kernel) / scale)
    return pack(model), len(pairs)


def _pairs(graph: Graph) -> list[tuple[int, int]]:
    """Return (depthwise, pointwise) operators between which channels can be scaled freely; no constant is shared."""
    readers: dict[int, list[int]] = {}
    for k, op in enumerate(graph.ops):
        for i in op.inputs:
            readers.setdefault(i, []).append(k)
    found = []
    for k, op in enumerate(graph.ops):
        after = readers.get(op.outputs[0], [])
        if op.kind != "DEPTHWISE_CONV_2D" or op.fused or len(after) != 1 or op.outputs[0] in graph.outputs:
            continue
        reader = graph.ops[after[0]]
        own = all(
            len(readers[i]) == 1 and graph.tensors[i].constant and graph.tensors[i].dtype == "float32"
            for i in (*op.inputs[1:3], reader.inputs[1])
        )
        if reader.kind == "CONV_2D" and own:
            found.append((k, after[0]))
    return found


def _reach(probe: Probe, tensors: Sequence[int], images: Sequence[Image]) -> list[NDArray[np.float32]]:
    """Return for each tensor the largest absolute value of each channel over all pictures."""
    most = [np.zeros(1, np.float32) for _ in tensors]
    for image in images if tensors else ():
        probe.run(image)
        for k, i in enumerate(tensors):
            most[k] = np.maximum(most[k], np.abs(probe.real(i)).max((0, 1, 2)))
    return most
