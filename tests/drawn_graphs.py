"""TFLite files drawn for tests: graphs of any shape, with labels, metadata and a zip; few of them would run."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers

TYPES = {k: v for k, v in vars(schema.TensorType).items() if k.isupper()}
KINDS = {k: v for k, v in vars(schema.BuiltinOperator).items() if k.isupper()}


@dataclass(frozen=True)
class T:
    """A tensor: -1 in the shape is a dynamic size."""

    name: str
    shape: Sequence[int]
    dtype: str = "float32"
    scale: float = 0.0
    zero: int = 0
    values: Sequence[float] | None = None
    variable: bool = False


@dataclass(frozen=True)
class O:  # noqa: E742 - beside T
    """An operator between tensors by name; of a custom kind where its name is no builtin's."""

    kind: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    options: Mapping[str, Any] = field(default_factory=dict)
    builtin: Any = None


def draw(
    tensors: Sequence[T],
    inputs: Sequence[str],
    outputs: Sequence[str],
    ops: Sequence[O] = (),
    *,
    signature: tuple[Mapping[str, str], Mapping[str, str]] | None = None,
    metadata: bytes | None = None,
    attached: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return the bytes of a file."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.description = 3, "drawn"
    model.buffers = [schema.BufferT()]
    index = {t.name: i for i, t in enumerate(tensors)}
    graph.tensors = [_tensor(t, model) for t in tensors]
    graph.inputs, graph.outputs = ([index[n] for n in names] for names in (inputs, outputs))
    model.operatorCodes, graph.operators = [], []
    for op in ops:
        model.operatorCodes.append(_code(op.kind))
        graph.operators.append(_op(op, len(model.operatorCodes) - 1, index))
    model.subgraphs = [graph]
    if signature is not None:
        model.signatureDefs = [_signature(signature, index)]
    if metadata is not None:
        entry, buffer = schema.MetadataT(), schema.BufferT()
        entry.name, entry.buffer, buffer.data = (
            "TFLITE_METADATA",
            len(model.buffers),
            np.frombuffer(metadata, np.uint8),
        )
        model.buffers.append(buffer)
        model.metadata = [entry]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return with_zip(bytes(builder.Output()), attached or {})


def with_zip(data: bytes, attached: Mapping[str, bytes]) -> bytes:
    """Return `data` with a zip of `attached` behind it; unchanged where there is nothing to attach."""
    if not attached:
        return data
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a") as archive:
        for name, content in attached.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _tensor(t: T, model: Any) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.isVariable = t.name, TYPES[t.dtype.upper()], t.variable
    tensor.shape = [1 if n < 0 else n for n in t.shape]
    if any(n < 0 for n in t.shape):
        tensor.shapeSignature = list(t.shape)
    if t.scale:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [t.scale], [t.zero]
    if t.values is not None:
        buffer = schema.BufferT()
        values = np.resize(np.array(t.values), math.prod(t.shape) if t.shape else 1)
        buffer.data = np.frombuffer(values.astype(t.dtype).tobytes(), np.uint8)
        tensor.buffer = len(model.buffers)
        model.buffers.append(buffer)
    return tensor


def _code(kind: str) -> Any:
    code = schema.OperatorCodeT()
    code.version = 1
    code.builtinCode = KINDS.get(kind, KINDS["CUSTOM"])
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    if kind not in KINDS:
        code.customCode = kind
    return code


def _op(op: O, code: int, index: Mapping[str, int]) -> Any:
    made = schema.OperatorT()
    made.opcodeIndex = code
    made.inputs, made.outputs = ([index[n] for n in names] for names in (op.inputs, op.outputs))
    if op.options:
        made.customOptions = np.frombuffer(bytes(flexbuffers.Dumps(dict(op.options))), np.uint8)
    if op.builtin is not None:
        made.builtinOptions = op.builtin
        made.builtinOptionsType = getattr(schema.BuiltinOptions, type(op.builtin).__name__[:-1])
    return made


def _signature(names: tuple[Mapping[str, str], Mapping[str, str]], index: Mapping[str, int]) -> Any:
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    sides = []
    for side in names:
        sides.append([])
        for name, tensor in side.items():
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = name, index[tensor]
            sides[-1].append(entry)
    signature.inputs, signature.outputs = sides
    return signature


def image(
    size: tuple[int, int] = (64, 64),
    *,
    channels: int = 3,
    dtype: str = "float32",
    scale: float = 0.0,
    zero: int = 0,
) -> T:
    """Return an input of `size` (width, height)."""
    return T("image", (1, size[1], size[0], channels), dtype, scale, zero)


def chain(given: T, made: T, *kinds: str, attached: Mapping[str, bytes] | None = None, **more: Any) -> bytes:
    """Return a file whose operators `kinds` lead one after the other from `given` to `made`."""
    between = [T(f"t{i}", made.shape) for i in range(len(kinds) - 1)]
    names = [given.name, *(t.name for t in between), made.name]
    ops = [O(kind, [names[i]], [names[i + 1]]) for i, kind in enumerate(kinds)]
    return draw([given, *between, made], [given.name], [made.name], ops, attached=attached, **more)


def shape_options(*shape: int) -> Any:
    """Return the options of a RESHAPE."""
    options = schema.ReshapeOptionsT()
    options.newShape = list(shape)
    return options


def block(size: int) -> Any:
    """Return the options of a DEPTH_TO_SPACE."""
    options = schema.DepthToSpaceOptionsT()
    options.blockSize = size
    return options


def runnable_classifier(attached: Mapping[str, bytes] | None = None) -> bytes:
    """Return a classifier that runs: 12 classes, the softmax of the 12 values of a 2 x 2 picture."""
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    tensors = [
        T("image", (1, 2, 2, 3), "uint8", 1 / 255, 0),
        T("flat", (1, 12), "uint8", 1 / 255, 0),
        T("shape", (2,), "int32", values=(1, 12)),
        T("probabilities", (1, 12), "uint8", 1 / 256, 0),
    ]
    ops = [
        O("RESHAPE", ["image", "shape"], ["flat"], builtin=shape_options(1, 12)),
        O("SOFTMAX", ["flat"], ["probabilities"], builtin=softmax),
    ]
    return draw(tensors, ["image"], ["probabilities"], ops, attached=attached)
