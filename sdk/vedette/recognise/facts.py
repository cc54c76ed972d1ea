"""What the rules look at, and what a rule that fired says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from vedette.errors import ModelError
from vedette.recognise.labels import Labels
from vedette.tflite.graph import Graph, TensorInfo
from vedette.tflite.metadata import Metadata

__all__ = ["Facts", "Found", "unclear"]

PASSING = frozenset(
    {"RESHAPE", "QUANTIZE", "DEQUANTIZE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "CAST", "IDENTITY"}
)
"""Operators that change how values are stored, not what they are."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A file, read, that takes one picture.

    Attributes:
        image: the input that takes the picture, (1, H, W, 3) or (1, H, W, 1); sizes may be 0 = any.
        names: labels that came with the file or were given; None where there are none.
        options: parameters given with `--head`.
        forced: the head that was asked for; "" where the rules decide.
    """

    graph: Graph
    metadata: Metadata
    ultralytics: Mapping[str, Any]
    image: TensorInfo
    names: Labels | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    forced: str = ""

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """The outputs, in the file's order."""
        return tuple(self.graph.tensors[i] for i in self.graph.outputs)

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of the input, 0 = any."""
        return self.image.shape[2], self.image.shape[1]

    @property
    def channels(self) -> int:
        """Channels of the input: 3 or 1."""
        return self.image.shape[3]

    def activation(self, output: TensorInfo) -> str:
        """Return the operator that gives an output its values, those that only store them left out; "" for none."""
        index = output.index
        for _ in range(12):
            op = self.graph.maker(index)
            if op is None or not op.inputs:
                return ""
            if op.kind not in PASSING:
                return op.kind
            index = op.inputs[0]
        return ""

    def has(self, *kinds: str) -> bool:
        """Tell whether the network has an operator of one of these kinds."""
        return any(op.kind in kinds for op in self.graph.ops)


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule recognised.

    Attributes:
        outputs: (tensor index, role), as the head wants them.
        why: sentences: what fired the rule.
        classes: number of names that the head needs; None where it has no classes.
        background: the first of these classes may stand for "nothing".
        labels: names that the family always has.
        normalize: how the family's float inputs are scaled, where all its exports agree; "" where they do not.
        normalize_why: what says so.
        color: the family's order of colours.
    """

    task: str
    head: Mapping[str, Any]
    outputs: tuple[tuple[int, str], ...]
    why: tuple[str, ...]
    classes: int | None = None
    background: bool = False
    labels: tuple[str, ...] = ()
    resize: str = "stretch"
    pad_value: int = 0
    normalize: str = ""
    normalize_why: str = ""
    color: str = "rgb"
    threshold: float = 0.0


def unclear(what: str, *flags: str) -> ModelError:
    """Return the error for a file with two readings: `what` is not known, one of `flags` says it."""
    ask = f"Say which: {' or '.join(flags)}" if len(flags) > 1 else f"If it is this, say so: {flags[0]}"
    return ModelError(f"{what} {ask}.")
