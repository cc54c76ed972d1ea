"""Cut whole channels out of a trained network, so that it is smaller and faster everywhere, and fine-tune the rest.

Channels that meet in an addition, pass a depthwise convolution or a normalization are cut together. The least are
judged by the scale of their batch normalization (Liu et al., Learning Efficient Convolutional Networks through Network
Slimming, 2017), and where there is none by the norm of their filters (Li et al., Pruning Filters for Efficient
ConvNets, 2017). Inputs and outputs keep all channels, and so does whatever a layer that is not known here reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

__all__ = ["narrowed", "prune", "read_widths", "write_widths"]

STEP = 8  # vector units of small processors work on so many channels at once
PASSING = (
    layers.BatchNormalization,
    layers.ReLU,
    layers.Activation,
    layers.Dropout,
    layers.AveragePooling2D,
    layers.MaxPooling2D,
    layers.GlobalAveragePooling2D,
    layers.GlobalMaxPooling2D,
    layers.ZeroPadding2D,
    layers.Resizing,
    layers.UpSampling2D,
)
MAKING = (layers.Conv2D, layers.Dense)
FILE = "widths.json"


@dataclass(slots=True)
class _Groups:
    """Channels that are cut together; a group that was joined to another knows it in `parent`."""

    parent: list[int] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    fixed: list[bool] = field(default_factory=list)

    def new(self, size: int, *, fixed: bool = False) -> tuple[int, ...]:
        self.parent.append(len(self.parent))
        self.size.append(size)
        self.fixed.append(fixed)
        return (self.parent[-1],)

    def root(self, group: int) -> int:
        while self.parent[group] != group:
            group = self.parent[group]
        return group

    def fix(self, groups: Sequence[int]) -> None:
        for group in groups:
            self.fixed[self.root(group)] = True

    def join(self, several: Sequence[Sequence[int]]) -> None:
        """Join groups place by place; where their sizes differ, all are fixed."""
        if len({tuple(self.size[g] for g in one) for one in several}) > 1:
            for one in several:
                self.fix(one)
            return
        for together in zip(*several, strict=True):
            roots = {self.root(g) for g in together}
            first = min(roots)
            for root in roots:
                self.parent[root] = first
                self.fixed[first] |= self.fixed[root]


@dataclass(frozen=True, slots=True)
class _Flow:
    """Which groups of channels each operation reads (of all its inputs) and writes, by the operation's name."""

    groups: _Groups
    reads: Mapping[str, tuple[int, ...]]
    writes: Mapping[str, tuple[int, ...]]


def prune(network: keras.Model, share: float) -> tuple[keras.Model, dict[str, int]]:
    """Return a network without `share` of the channels, 0..1, in each group, and the width of each layer that changed.

    What is left is a multiple of `STEP` channels, at least one such step.
    """
    flow = _flow(network)
    kept = _kept(network, flow, share)
    widths = {
        layer.name: len(_channels(flow, flow.writes[layer.name], kept))
        for layer in network.layers
        if _makes(layer)
    }
    widths = {name: n for name, n in widths.items() if n != network.get_layer(name).output.shape[-1]}
    small = narrowed(network, widths)
    for layer in network.layers:
        reads, writes = (_channels(flow, part[layer.name], kept) for part in (flow.reads, flow.writes))
        small.get_layer(layer.name).set_weights(_cut(layer, reads, writes))
    return small, widths


def narrowed(network: keras.Model, widths: Mapping[str, int]) -> keras.Model:
    """Return the network with other numbers of channels in the layers named, and new weights in all."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if layer.name in widths:
            config["filters" if isinstance(layer, layers.Conv2D) else "units"] = widths[layer.name]
        return layer.__class__.from_config(config)

    return keras.models.clone_model(network, clone_function=clone)


def write_widths(run: Path, widths: Mapping[str, int]) -> None:
    """Keep the widths of a pruned network in its run."""
    (run / FILE).write_text(json.dumps(widths, indent=1))


def read_widths(run: Path) -> dict[str, int]:
    """Return the widths kept in `run`; none where its network was not pruned."""
    path = run / FILE
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def _makes(layer: Any) -> bool:
    """Return True for a layer that mixes its input's channels into new ones, and can be given fewer of them."""
    return isinstance(layer, MAKING) and not isinstance(layer, layers.DepthwiseConv2D) and _ungrouped(layer)


def _ungrouped(layer: Any) -> bool:
    return getattr(layer, "groups", 1) == 1


def _passes(op: Any) -> bool:
    """Return True for an operation whose output channels are its input's, one by one."""
    if isinstance(op, layers.DepthwiseConv2D):
        return bool(op.depth_multiplier == 1)
    if isinstance(op, layers.Flatten | layers.Reshape):
        return bool(op.input.shape[-1] == op.output.shape[-1])
    return isinstance(op, PASSING)


def _flow(network: keras.Model) -> _Flow:
    groups, reads, writes = _Groups(), {}, {}
    of: dict[int, tuple[int, ...]] = {}
    for op in network.operations:
        inputs = [] if isinstance(op, layers.InputLayer) else keras.tree.flatten(op.input)
        read = [of[id(tensor)] for tensor in inputs]
        written = _write(op, read, groups)
        reads[op.name], writes[op.name] = sum(read, ()), written
        of |= {id(tensor): written for tensor in keras.tree.flatten(op.output)}
    for tensor in network.outputs:
        groups.fix(of[id(tensor)])
    return _Flow(groups, reads, writes)


def _write(op: Any, read: list[tuple[int, ...]], groups: _Groups) -> tuple[int, ...]:
    """Return the groups of an operation's output channels, in their order."""
    if _makes(op):
        return groups.new(op.output.shape[-1])
    if isinstance(op, layers.Add):
        groups.join(read)
        return read[0]
    if isinstance(op, layers.Concatenate) and op.axis in (-1, len(op.output.shape) - 1):
        return sum(read, ())
    if _passes(op):
        return read[0]
    for one in read:
        groups.fix(one)
    return groups.new(keras.tree.flatten(op.output)[0].shape[-1], fixed=True)


def _kept(network: keras.Model, flow: _Flow, share: float) -> dict[int, NDArray[np.intp]]:
    """Return for each group the channels that stay, in their order."""
    scores = _scores(network, flow)
    kept = {}
    for group, size in enumerate(flow.groups.size):
        left = min(size, STEP * max(1, round(size * (1 - share) / STEP)))
        whole = flow.groups.fixed[flow.groups.root(group)] or group not in scores
        best = np.argsort(-scores[group], kind="stable")[:left] if not whole else np.arange(size)
        kept[group] = np.sort(best)
    return {group: kept[flow.groups.root(group)] for group in kept}


def _scores(network: keras.Model, flow: _Flow) -> dict[int, NDArray[np.float64]]:
    """Return how much each channel of a group matters, by group; each layer's mean is 1."""
    found: dict[type, dict[int, list[NDArray[np.float64]]]] = {
        layers.BatchNormalization: {},
        layers.Layer: {},
    }
    for layer in network.layers:
        groups = [flow.groups.root(g) for g in flow.writes[layer.name]]
        if isinstance(layer, layers.BatchNormalization) and layer.scale:
            kind, norm = layers.BatchNormalization, np.abs(np.asarray(layer.gamma))
        elif _makes(layer):
            kernel = np.asarray(layer.kernel, np.float64)
            kind, norm = layers.Layer, np.sqrt((kernel**2).sum(tuple(range(kernel.ndim - 1))))
        else:
            continue
        norm = norm / max(float(norm.mean()), 1e-12)
        parts = np.split(norm, np.cumsum([flow.groups.size[g] for g in groups])[:-1])
        for group, part in zip(groups, parts, strict=True):
            found[kind].setdefault(group, []).append(part)
    both = found[layers.Layer] | found[layers.BatchNormalization]
    return {group: np.mean(parts, axis=0) for group, parts in both.items()}


def _channels(flow: _Flow, groups: Sequence[int], kept: Mapping[int, NDArray[np.intp]]) -> NDArray[np.intp]:
    """Return the places that stay in a tensor of these groups."""
    starts = np.cumsum([0, *(flow.groups.size[g] for g in groups)])
    parts = [start + kept[group] for start, group in zip(starts, groups, strict=False)]
    return np.concatenate(parts) if parts else np.zeros(0, np.intp)


def _cut(layer: Any, reads: NDArray[np.intp], writes: NDArray[np.intp]) -> list[NDArray[Any]]:
    """Return the weights of `layer` that belong to the channels that stay."""
    weights: list[NDArray[Any]] = layer.get_weights()
    if _makes(layer):
        return [w[..., reads, :][..., writes] if w.ndim > 1 else w[writes] for w in weights]
    if isinstance(layer, layers.DepthwiseConv2D) and _passes(layer):
        return [w[:, :, reads, :] if w.ndim > 1 else w[reads] for w in weights]
    if isinstance(layer, layers.BatchNormalization):
        return [w[reads] for w in weights]
    return weights
