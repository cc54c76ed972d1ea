"""Store the float32 weights of a network in 16 bits; a DEQUANTIZE before each use brings them back.

This is TFLite's own float16 form: runtimes unpack the weights once, when the model is loaded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vedette_convert.graph import constant, pack, unpack

__all__ = ["halve_weights"]

FLOAT16, DEQUANTIZE = 1, 6  # TensorType and BuiltinOperator of the schema
LEAST_VALUES = 64  # below it the operator costs more than the bytes it saves
LARGEST = 65504.0  # of a finite float16


def halve_weights(network: bytes) -> bytes:
    """Return `network` with its float32 constants of `LEAST_VALUES` and more as float16."""
    model = unpack(network)
    graph = model.subgraphs[0]
    used = {int(i) for op in graph.operators if op.inputs is not None for i in op.inputs}
    wide = [i for i in sorted(used) if i >= 0 and _fits(model, graph.tensors[i])]
    if wide:
        code = _operator_code(model)
        shared = {graph.tensors[i].buffer for i in wide}  # two tensors may have the same values
        graph.operators = [_narrow(graph, i, code) for i in wide] + list(graph.operators)
        for k in shared:
            values = np.asarray(model.buffers[k].data, np.uint8).view(np.float32).astype(np.float16)
            model.buffers[k].data = np.frombuffer(values.tobytes(), np.uint8)
    return pack(model)


def _fits(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data if tensor.buffer else None
    if tensor.type != 0 or data is None or len(data) < 4 * LEAST_VALUES:
        return False
    return bool(np.abs(constant(model, tensor)).max() <= LARGEST)


def _operator_code(model: Any) -> int:
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.deprecatedBuiltinCode = code.builtinCode = DEQUANTIZE
    code.version = 3  # the first that takes float16
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _narrow(graph: Any, index: int, code: int) -> Any:
    """Put a float16 constant beside tensor `index`, which becomes what the returned operator makes of it."""
    from ai_edge_litert import schema_py_generated as schema

    tensor, half, op = graph.tensors[index], schema.TensorT(), schema.OperatorT()
    half.shape, half.name, half.type = tensor.shape, tensor.name + b"_half", FLOAT16
    half.buffer, tensor.buffer = tensor.buffer, 0
    graph.tensors.append(half)
    op.opcodeIndex, op.inputs, op.outputs = code, [len(graph.tensors) - 1], [index]
    return op
