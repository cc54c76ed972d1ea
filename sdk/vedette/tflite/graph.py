"""What stands in a TFLite file: operators, tensors, signatures, work and memory. No interpreter, no library.

Field numbers are those of TensorFlow Lite's `schema.fbs`, version 3.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from vedette.errors import ModelError
from vedette.tflite.flat import Reader, Table
from vedette.tflite.kinds import KINDS

__all__ = ["DTYPES", "Graph", "Op", "Signature", "TensorInfo", "read_graph"]

MARK = b"TFL3"
MAX_RANK = 16
DTYPES: Mapping[int, tuple[str, float]] = {
    0: ("float32", 4), 1: ("float16", 2), 2: ("int32", 4), 3: ("uint8", 1), 4: ("int64", 8), 5: ("string", 0),
    6: ("bool", 1), 7: ("int16", 2), 8: ("complex64", 8), 9: ("int8", 1), 10: ("float64", 8),
    11: ("complex128", 16), 12: ("uint64", 8), 13: ("resource", 0), 14: ("variant", 0), 15: ("uint32", 4),
    16: ("uint16", 2), 17: ("int4", 0.5), 18: ("bfloat16", 2), 19: ("int2", 0.25), 20: ("uint4", 0.5),
}  # fmt: skip
"""TensorType of the schema -> name, bytes an element."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor of the main subgraph.

    Attributes:
        shape: as stored; 0 where the size is only known once the network runs, () also where the rank is not.
        scale: 0 where it is not quantized as a whole.
        channels: how many scales it has; more than 1 = quantized by channel.
        values: the constant's bytes, of length 0 where it is no constant.
        variable: it keeps its values from one run to the next.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int
    channels: int
    variable: bool
    values: memoryview = field(repr=False)

    @property
    def elements(self) -> int:
        """Number of elements; 0 where a size is not known."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Size in bytes; 0 where a size is not known."""
        return math.ceil(self.elements * next((n for name, n in DTYPES.values() if name == self.dtype), 1))

    @property
    def constant(self) -> bool:
        """Whether its values are in the file."""
        return len(self.values) > 0

    @property
    def quantized(self) -> bool:
        """Whether real = (code - zero_point) * scale."""
        return self.scale > 0 and self.dtype in ("uint8", "int8", "int16")

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest real value of a quantized tensor."""
        low, high = {"uint8": (0, 255), "int8": (-128, 127)}.get(self.dtype, (-32768, 32767))
        return (low - self.zero_point) * self.scale, (high - self.zero_point) * self.scale

    def floats(self, *, limit: int = 65536) -> tuple[float, ...]:
        """Return up to `limit` real values of a constant; none where its dtype is not read here."""
        form = {"float32": "f", "float16": "e", "int8": "b", "uint8": "B", "int32": "i", "int16": "h"}.get(
            self.dtype
        )
        if form is None:
            return ()
        count = min(len(self.values) // struct.calcsize(form), limit)
        codes = struct.unpack_from(f"<{count}{form}", self.values)
        if not self.quantized:
            return tuple(map(float, codes))
        return tuple((code - self.zero_point) * self.scale for code in codes)


@dataclass(frozen=True, slots=True)
class Op:
    """An operator: its builtin name, or the custom one's; tensor indices, those of absent inputs left out.

    Attributes:
        table: the builtin options, to be read by those who know the operator.
        custom_options: bytes of a custom operator's options, a flexbuffer as a rule.
    """

    kind: str
    custom: bool
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: Table | None = field(repr=False)
    custom_options: memoryview = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signature:
    """A named way to call the network: names of inputs and outputs by tensor index."""

    key: str
    inputs: Mapping[int, str]
    outputs: Mapping[int, str]
    subgraph: int


@dataclass(frozen=True, slots=True)
class Graph:
    """The main subgraph of a file, and what the file says besides."""

    tensors: tuple[TensorInfo, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    signatures: tuple[Signature, ...]
    subgraphs: int
    description: str
    metadata: Mapping[str, memoryview] = field(repr=False)

    def name(self, index: int) -> str:
        """Return a tensor's name as the engine tells it: the signature's where there is exactly one."""
        if len(self.signatures) == 1:
            (only,) = self.signatures
            named = only.inputs.get(index) or only.outputs.get(index)
            if named:
                return named
        return self.tensors[index].name

    def maker(self, index: int) -> Op | None:
        """Return the operator that gives a tensor; None for inputs and constants."""
        return next((op for op in self.ops if index in op.outputs), None)

    def values(self, index: int, *, limit: int = 65536) -> tuple[float, ...]:
        """Return up to `limit` real values of a constant, also of one that is stored smaller; none of others."""
        tensor = self.tensors[index]
        if not tensor.constant:
            op = self.maker(index)
            if op is None or op.kind != "DEQUANTIZE" or not op.inputs:
                return ()
            tensor = self.tensors[op.inputs[0]]
        return tensor.floats(limit=limit)

    def users(self, index: int) -> list[Op]:
        """Return the operators that take a tensor."""
        return [op for op in self.ops if index in op.inputs]

    def behind(self, index: int, *, depth: int = 40) -> Iterator[Op]:
        """Yield up to `depth` operators that lead to a tensor, the nearest first."""
        makers = {out: op for op in self.ops for out in op.outputs}
        queue, seen = [index], {index}
        while queue and depth:
            op = makers.get(queue.pop(0))
            if op is None:
                continue
            yield op
            depth -= 1
            fresh = [i for i in op.inputs if i not in seen]
            seen.update(fresh)
            queue += fresh

    @property
    def counts(self) -> dict[str, int]:
        """Operators by kind, the most frequent first."""
        return dict(Counter(op.kind for op in self.ops).most_common())

    @property
    def customs(self) -> tuple[str, ...]:
        """Names of the custom operators."""
        return tuple(dict.fromkeys(op.kind for op in self.ops if op.custom))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and dense layers for one picture, of the sizes that are known."""
        return sum(_macs(op, self.tensors) for op in self.ops)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all constants."""
        return sum(len(t.values) for t in self.tensors)

    @property
    def arena_bytes(self) -> int:
        """The most bytes of activations alive at once: no planner can do with less. Unknown sizes count as 0."""
        first: dict[int, int] = dict.fromkeys(self.inputs, 0)
        last: dict[int, int] = dict.fromkeys(self.outputs, len(self.ops))
        for step, op in enumerate(self.ops):
            for i in op.outputs:
                first.setdefault(i, step)
            for i in (*op.inputs, *op.outputs):
                last[i] = max(last.get(i, 0), step)
        change: Counter[int] = Counter()
        for i, step in first.items():
            if not self.tensors[i].constant:
                change[step] += self.tensors[i].bytes
                change[last.get(i, step) + 1] -= self.tensors[i].bytes
        alive = most = 0
        for step in sorted(change):
            alive += change[step]
            most = max(most, alive)
        return most

    @property
    def dynamic(self) -> tuple[int, ...]:
        """Inputs and outputs whose size is not fixed."""
        return tuple(
            i
            for i in (*self.inputs, *self.outputs)
            if 0 in self.tensors[i].shape or not self.tensors[i].shape
        )


def read_graph(data: bytes) -> Graph:
    """Return the graph of a TFLite file, read with every offset checked, in bounded time and memory.

    Raises:
        ModelError: it is no TFLite file, or a damaged one.
    """
    if data[4:8] != MARK:
        raise ModelError("this is not a TFLite model (no 'TFL3' mark at its start). Give a .tflite file.")
    reader = Reader(data)
    model = reader.root()
    buffers = [_constant(reader, t) for t in model.tables(4)]
    codes = [_opcode(t) for t in model.tables(1)]
    graphs = list(model.tables(2))
    if not graphs:
        raise ModelError("the file holds no network (no subgraph); it is damaged.")
    signatures = tuple(_signature(t) for t in model.tables(7))
    main = graphs[0]
    tensors = tuple(_tensor(i, t, buffers) for i, t in enumerate(main.tables(0)))
    shared = signatures if all(s.subgraph == 0 for s in signatures) else ()
    return Graph(
        tensors,
        tuple(_op(t, codes, tensors) for t in main.tables(3)),
        _indices(main.whole_numbers(1), tensors),
        _indices(main.whole_numbers(2), tensors),
        shared,
        len(graphs),
        model.text(3),
        {t.text(0): _of(buffers, t.number(1, "I")) for t in model.tables(6)},
    )


def _constant(reader: Reader, table: Table) -> memoryview:
    """Return a buffer's bytes; those of large files lie outside the flatbuffer, at an offset."""
    offset, size = table.number(1, "Q"), table.number(2, "Q")
    return reader.span(offset, size) if offset > 1 else table.raw(0)


def _of(buffers: list[memoryview], index: int) -> memoryview:
    if index == 0:  # stands for "no values", also where there are no buffers at all
        return memoryview(b"")
    if index >= len(buffers):
        raise ModelError(f"it names buffer {index} of {len(buffers)}; the file is damaged.")
    return buffers[index]


def _indices(numbers: tuple[int, ...], tensors: tuple[TensorInfo, ...]) -> tuple[int, ...]:
    """Return tensor indices without those of absent tensors (-1)."""
    wrong = next((i for i in numbers if not -1 <= i < len(tensors)), None)
    if wrong is not None:
        raise ModelError(f"it names tensor {wrong} of {len(tensors)}; the file is damaged.")
    return tuple(i for i in numbers if i >= 0)


def _tensor(index: int, table: Table, buffers: list[memoryview]) -> TensorInfo:
    stored, signed = table.whole_numbers(0), table.whole_numbers(7)
    if max(len(stored), len(signed)) > MAX_RANK:
        raise ModelError(
            f"tensor {index} has {max(len(stored), len(signed))} dimensions; the file is damaged."
        )
    shape = signed if len(signed) == len(stored) else stored
    dtype, _ = DTYPES.get(table.number(1, "B"), (f"type {table.number(1, 'B')}", 1))
    quant = table.table(4)
    scales = quant.numbers(2, "f", limit=1) if quant else ()
    zeros = quant.whole_numbers(3, "q", limit=1) if quant else ()
    scale = float(scales[0]) if scales else 0.0
    return TensorInfo(
        index,
        table.text(3),
        tuple(max(0, n) for n in shape),
        dtype,
        scale if math.isfinite(scale) and scale > 0 else 0.0,
        zeros[0] if zeros else 0,
        quant.length(2) if quant else 0,
        bool(table.number(5, "B")),
        _of(buffers, table.number(2, "I")),
    )


def _opcode(table: Table) -> tuple[str, bool, int]:
    code = max(table.number(0, "b"), table.number(3, "i"))
    name = table.text(1)
    kind = KINDS[code] if 0 <= code < len(KINDS) else f"OPERATOR_{code}"
    custom = kind == "CUSTOM"
    return (name or kind) if custom else kind, custom, table.number(2, "i", 1)


def _op(table: Table, codes: list[tuple[str, bool, int]], tensors: tuple[TensorInfo, ...]) -> Op:
    which = table.number(0, "I")
    if which >= len(codes):
        raise ModelError(f"it names operator code {which} of {len(codes)}; the file is damaged.")
    kind, custom, version = codes[which]
    inputs, outputs = (_indices(table.whole_numbers(slot), tensors) for slot in (1, 2))
    return Op(kind, custom, version, inputs, outputs, table.table(4), table.raw(5))


def _signature(table: Table) -> Signature:
    sides = [{t.number(1, "I"): t.text(0) for t in table.tables(slot)} for slot in (0, 1)]
    return Signature(table.text(2), sides[0], sides[1], table.number(4, "I"))


def _macs(op: Op, tensors: tuple[TensorInfo, ...]) -> int:
    """Return multiply-accumulates: places of the output times weights that each of them uses."""
    shapes = [tensors[i].shape for i in op.inputs]
    if not op.outputs or len(shapes) < 2:
        return 0
    made, weights = tensors[op.outputs[0]].elements, shapes[1]
    if op.kind in ("CONV_2D", "FULLY_CONNECTED"):  # weights: output channels first
        return made * math.prod(weights[1:])
    if op.kind == "DEPTHWISE_CONV_2D":
        return made * math.prod(weights[1:3])
    if op.kind == "TRANSPOSE_CONV" and len(shapes) > 2 and len(weights) == 4:
        return math.prod(shapes[2]) * weights[0] * weights[1] * weights[2]
    return 0
