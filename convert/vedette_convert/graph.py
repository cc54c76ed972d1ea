"""What stands in a TFLite flatbuffer: operators, tensors, work and memory. No interpreter, no TensorFlow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray

from vedette.errors import ModelError

__all__ = ["DTYPES", "Graph", "Op", "TensorInfo", "constant", "pack", "read_graph", "set_constant", "unpack"]

DTYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8"}
"""TensorType of the schema -> numpy's name; others have no numpy dtype here."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor. `name` is the signature's where it has one, else the first of the fused layers'.

    Attributes:
        full_name: as it stands in the file; the same in the float and the int8 form of a network.
        shape: as planned, batch first.
        dtype: numpy's name, or ``type N``.
        constant: its values are in the file.
    """

    index: int
    name: str
    full_name: str
    shape: tuple[int, ...]
    dtype: str
    constant: bool

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        size = np.dtype(self.dtype).itemsize if self.dtype in DTYPES.values() else 1
        return math.prod(self.shape) * size


@dataclass(frozen=True, slots=True)
class Op:
    """An operator: its builtin name (``CUSTOM name`` for others), version, tensor indices, multiply-accumulates."""

    kind: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    macs: int
    fused: bool


@dataclass(frozen=True, slots=True)
class Graph:
    """The main subgraph of a network."""

    tensors: tuple[TensorInfo, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and dense layers for one picture."""
        return sum(op.macs for op in self.ops)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all constants."""
        return sum(t.bytes for t in self.tensors if t.constant)

    @property
    def arena_bytes(self) -> int:
        """The most bytes of activations alive at once: no planner can do with less."""
        first: dict[int, int] = dict.fromkeys(self.inputs, 0)
        last: dict[int, int] = dict.fromkeys(self.outputs, len(self.ops))
        for step, op in enumerate(self.ops):
            for i in op.outputs:
                first.setdefault(i, step)
                last.setdefault(i, step)
            for i in op.inputs:
                last[i] = max(last.get(i, 0), step)
        live = {i: t.bytes for i, t in enumerate(self.tensors) if not t.constant and i in first}
        return max(
            (sum(n for i, n in live.items() if first[i] <= s <= last[i]) for s in range(len(self.ops))),
            default=0,
        )

    @property
    def activations(self) -> tuple[TensorInfo, ...]:
        """The input and what operators make, in the order of the graph."""
        made = [i for op in self.ops for i in op.outputs]
        return tuple(self.tensors[i] for i in [*self.inputs, *made] if not self.tensors[i].constant)


def unpack(network: bytes) -> Any:
    """Return the schema's ModelT object of a flatbuffer."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(network, 0))


def pack(model: Any) -> bytes:
    """Return the flatbuffer of a ModelT; everything lies inside, as older tools and runtimes need it."""
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def constant(model: Any, tensor: Any) -> NDArray[np.float32]:
    """Return a copy of a float32 constant's values, in its shape."""
    raw = np.asarray(model.buffers[tensor.buffer].data, np.uint8).tobytes()
    return np.frombuffer(raw, np.float32).reshape(tensor.shape).copy()


def set_constant(model: Any, tensor: Any, values: NDArray[np.generic]) -> None:
    """Store `values` as the constant's."""
    model.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)


@cache
def _kinds() -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}


def read_graph(network: bytes) -> Graph:
    """Return the graph of a flatbuffer.

    Raises:
        ModelError: it is not a TFLite flatbuffer, or holds several subgraphs.
    """
    if network[4:8] != b"TFL3":
        raise ModelError("this is not a TFLite flatbuffer (no 'TFL3' mark); give a .tflite file.")
    model = unpack(network)
    if len(model.subgraphs) != 1:
        raise ModelError(
            f"the network has {len(model.subgraphs)} subgraphs (loops or branches); export it without them."
        )
    graph = model.subgraphs[0]
    told = {m.tensorIndex: m for d in model.signatureDefs or () for m in (*d.inputs, *d.outputs)}
    tensors = tuple(_tensor(model, i, t, told) for i, t in enumerate(graph.tensors))
    ops = tuple(_op(model, op, tensors) for op in graph.operators)
    return Graph(tensors, ops, tuple(map(int, graph.inputs)), tuple(map(int, graph.outputs)))


def _tensor(model: Any, index: int, tensor: Any, told: dict[int, Any]) -> TensorInfo:
    full = tensor.name.decode()
    name = told[index].name.decode() if index in told else full.partition(";")[0]
    data = model.buffers[tensor.buffer].data if tensor.buffer else None
    shape = () if tensor.shape is None else tuple(map(int, tensor.shape))
    dtype = DTYPES.get(tensor.type, f"type {tensor.type}")
    return TensorInfo(index, name, full, shape, dtype, data is not None and len(data) > 0)


def _op(model: Any, op: Any, tensors: tuple[TensorInfo, ...]) -> Op:
    code = model.operatorCodes[op.opcodeIndex]
    kind = _kinds()[max(code.builtinCode, code.deprecatedBuiltinCode)]
    if code.customCode:
        kind = f"CUSTOM {code.customCode.decode()}"
    inputs = () if op.inputs is None else tuple(int(i) for i in op.inputs if i >= 0)
    outputs = tuple(map(int, op.outputs))
    fused = bool(getattr(op.builtinOptions, "fusedActivationFunction", 0))
    return Op(kind, code.version, inputs, outputs, _macs(kind, inputs, outputs, tensors), fused)


def _macs(
    kind: str, inputs: tuple[int, ...], outputs: tuple[int, ...], tensors: tuple[TensorInfo, ...]
) -> int:
    """Return multiply-accumulates: places of the output times weights that each of them uses."""
    made = math.prod(tensors[outputs[0]].shape)
    if kind in ("CONV_2D", "FULLY_CONNECTED"):  # weights: output channels first
        return made * math.prod(tensors[inputs[1]].shape[1:])
    if kind == "DEPTHWISE_CONV_2D":
        return made * math.prod(tensors[inputs[1]].shape[1:3])
    if kind == "TRANSPOSE_CONV":
        channels, height, width, _ = tensors[inputs[1]].shape
        return math.prod(tensors[inputs[2]].shape) * channels * height * width
    return 0
