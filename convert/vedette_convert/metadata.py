"""Standard TFLite metadata, so that other runtimes read a model's normalization, colours and labels.

Written by the field numbers of TensorFlow's ``metadata_schema.fbs`` (file identifier M001); flatbuffers has no
generated code for it that is installable beside TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flatbuffers

from vedette_convert.graph import pack, unpack

__all__ = ["add_metadata", "describe"]

IDENTIFIER = b"M001"
BUFFER = b"TFLITE_METADATA"
NORMALIZATION = 1  # ProcessUnitOptions
FEATURE_PROPERTIES, IMAGE_PROPERTIES = 1, 2  # ContentProperties
RGB = 1  # ColorSpaceType
VALUE_LABELS = 3  # AssociatedFileType TENSOR_VALUE_LABELS


def add_metadata(network: bytes, contract: Mapping[str, Any]) -> bytes:
    """Return the flatbuffer `network` with the contract's facts in its metadata buffer."""
    from ai_edge_litert import schema_py_generated as schema

    model = unpack(network)
    names = [t.name.decode() for t in _outputs(model)]
    entry, buffer = schema.MetadataT(), schema.BufferT()
    buffer.data = describe(contract, names)
    entry.name, entry.buffer = BUFFER, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(m for m in model.metadata or () if m.name != BUFFER), entry]
    return pack(model)


def _outputs(model: Any) -> list[Any]:
    graph = model.subgraphs[0]
    return [graph.tensors[i] for i in graph.outputs]


def describe(contract: Mapping[str, Any], outputs: Sequence[str]) -> bytes:
    """Return a ModelMetadata flatbuffer: name, version, licence, how the input is normalized, the labels' file."""
    b = flatbuffers.Builder(1024)
    labels = _table(b, 3, {0: _string(b, "labels.txt"), 2: (b.PrependInt8Slot, VALUE_LABELS)})
    files = _vector(b, [labels])
    given = contract["input"]
    norm = _table(b, 2, {0: _floats(b, given["mean"]), 1: _floats(b, given["std"])})
    unit = _table(b, 2, {0: (b.PrependUint8Slot, NORMALIZATION), 1: norm})
    image = _table(b, 2, {0: (b.PrependInt8Slot, RGB)})
    content = _table(b, 3, {0: (b.PrependUint8Slot, IMAGE_PROPERTIES), 1: image})
    stats = _table(b, 2, {0: _floats(b, [1.0]), 1: _floats(b, [0.0])})
    units = _vector(b, [unit])
    tensor = _table(b, 7, {0: _string(b, given["name"]), 3: content, 4: units, 5: stats})
    inputs, results = _vector(b, [tensor]), _vector(b, [_output(b, name) for name in outputs])
    graphs = _vector(b, [_table(b, 7, {2: inputs, 3: results, 4: files})])
    text = {i: _string(b, contract[key]) for i, key in ((0, "name"), (2, "version"), (5, "license"))}
    b.Finish(_table(b, 8, {**text, 3: graphs}), IDENTIFIER)
    return bytes(b.Output())


def _output(b: flatbuffers.Builder, name: str) -> int:
    feature = _table(b, 0, {})
    content = _table(b, 3, {0: (b.PrependUint8Slot, FEATURE_PROPERTIES), 1: feature})
    return _table(b, 7, {0: _string(b, name), 3: content})


def _table(
    b: flatbuffers.Builder, size: int, fields: Mapping[int, int | tuple[Callable[..., None], int]]
) -> int:
    """Return a table's offset; a field is an offset, or the slot function and value of a small number."""
    b.StartObject(size)
    for slot, value in fields.items():
        if isinstance(value, tuple):
            value[0](slot, value[1], 0)
        else:
            b.PrependUOffsetTRelativeSlot(slot, value, 0)
    return int(b.EndObject())


def _string(b: flatbuffers.Builder, text: str) -> int:
    return int(b.CreateString(text))


def _vector(b: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _floats(b: flatbuffers.Builder, values: Sequence[float]) -> int:
    b.StartVector(4, len(values), 4)
    for value in reversed(values):
        b.PrependFloat32(value)
    return int(b.EndVector())
