"""How far a smaller form is from the float network, on identical input: each output, and each layer on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vedette.contract import InputContract
from vedette.types import Image
from vedette_convert.graph import Graph, read_graph
from vedette_convert.probe import Probe

__all__ = ["Agreement", "compare", "falls", "strangers"]

MIN_SNR_DB = 10.0
NO_NOISE_DB = 99.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well a tensor follows the float one, over the pictures compared.

    Attributes:
        output: its name.
        snr_db: power of the float tensor over the power of the difference, in decibels.
        cosine: of the two, -1..1.
        constant: the tensor never changes, and the float one does.
    """

    output: str
    snr_db: float
    cosine: float
    constant: bool


def falls(graph: Graph, layers: Sequence[Agreement]) -> list[tuple[str, float]]:
    """Return each layer's name and how many decibels it loses against the worst of its inputs, greatest first."""
    snr = {a.output: a.snr_db for a in layers}
    found = []
    for op in graph.ops:
        name = graph.tensors[op.outputs[0]].name
        inputs = [graph.tensors[i] for i in op.inputs]
        given = [snr[t.name] for t in inputs if not t.constant and t.name in snr]
        if name in snr and given:
            found.append((name, min(given) - snr[name]))
    return sorted(found, key=lambda item: -item[1])


class _Sums:
    """What is summed up over pictures for one tensor."""

    def __init__(self) -> None:
        self.wanted = self.found = self.both = self.noise = 0.0
        self.low, self.high = np.full(2, np.inf), np.full(2, -np.inf)

    def add(self, wanted: NDArray[np.float32], found: NDArray[np.float32]) -> None:
        a, b = wanted.ravel().astype(np.float64), found.ravel().astype(np.float64)
        self.wanted, self.found = self.wanted + float(a @ a), self.found + float(b @ b)
        self.both, self.noise = self.both + float(a @ b), self.noise + float((a - b) @ (a - b))
        self.low = np.minimum(self.low, (a.min(), b.min()))
        self.high = np.maximum(self.high, (a.max(), b.max()))

    def agreement(self, name: str) -> Agreement:
        lengths = float(np.sqrt(self.wanted * self.found))
        snr = 10 * float(np.log10(max(self.wanted, 1e-30) / self.noise)) if self.noise else NO_NOISE_DB
        varies = self.high > self.low
        cosine = self.both / lengths if lengths else float(self.noise == 0)
        return Agreement(name, min(snr, NO_NOISE_DB), cosine, bool(varies[0] and not varies[1]))


def compare(
    wanted: bytes, found: bytes, images: Sequence[Image], contract: InputContract
) -> tuple[list[Agreement], list[Agreement]]:
    """Return the agreement of each output by name, and of each layer in the order of the graph.

    Layers are matched by their full names; those that only one of the two networks has are left out.
    """
    first, second = Probe(wanted, contract), Probe(found, contract)
    graph = read_graph(wanted)
    layers = {t.full_name: t for t in graph.activations if t.full_name in second.index}
    sums = {name: _Sums() for name in layers}
    outs = {name: _Sums() for name in sorted(first.outputs)}
    for image in images:
        first.run(image)
        second.run(image)
        for name, tensor in layers.items():
            sums[name].add(first.real(tensor.index), second.real(second.index[name]))
        for name, total in outs.items():
            total.add(first.real(first.outputs[name]), second.real(second.outputs[name]))
    return (
        [total.agreement(name) for name, total in outs.items()],
        [total.agreement(layers[name].name) for name, total in sums.items()],
    )


def strangers(outputs: Sequence[Agreement]) -> list[str]:
    """Return what speaks against a network that has lost its way, nothing where it has not.

    An output is constant, or less than `MIN_SNR_DB` of it is left.
    """
    return [
        f"output {a.output} {'never changes' if a.constant else f'is left with {a.snr_db:.1f} dB'}"
        for a in outputs
        if a.constant or not a.snr_db >= MIN_SNR_DB
    ]
