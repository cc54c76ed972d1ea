"""Which operators an Edge TPU would take, and which stay on the CPU: a prediction, not the compiler's word.

Rules of the last compiler, 16.0: its documented list of operators and limits (coral.ai/docs/edgetpu/models-intro),
sizes inferred from compiled models, and the partition into one subgraph that the TPU runs (as TensorFlow Lite's
delegates do it). It cannot tell whether the compiler succeeds, nor how fast or how exact the TPU is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vedette_convert.graph import Graph, Op, TensorInfo

__all__ = ["Placement", "predict"]

# fmt: off
KNOWN = frozenset((
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "EXPAND_DIMS",
    "FULLY_CONNECTED", "L2_NORMALIZATION", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL",
    "PACK", "PAD", "PRELU", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RELU_N1_TO_1",
    "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH",
    "SPLIT", "SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TRANSPOSE",
    "TRANSPOSE_CONV", "UNIDIRECTIONAL_SEQUENCE_LSTM",
))
# fmt: on
REFUSED_FROM = {"CONV_2D": 6, "QUANTIZE": 3, "EXP": 2, "TRANSPOSE_CONV": 4, "FULLY_CONNECTED": 12, "GELU": 1}
"""Operator -> first version on which the compiler gives up the whole model."""

TILE_BYTES = 196_608
MEMORY_BYTES = 3_145_728
# fmt: off
FLAT = frozenset((
    "ADD", "CONCATENATION", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "QUANTIZE", "RESHAPE", "STRIDED_SLICE", "SUB",
))
# fmt: on


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the operators would run.

    Attributes:
        mapped: indices of the operators on the TPU.
        why_not: index -> why it stays on the CPU.
        fatal: why the compiler would refuse the whole model; empty where nothing is known against it.
    """

    mapped: frozenset[int]
    why_not: Mapping[int, str]
    fatal: tuple[str, ...]


def predict(graph: Graph) -> Placement:
    """Return where each operator of `graph` would run."""
    blocked = {k: why for k, op in enumerate(graph.ops) if (why := _refused(op, graph))}
    mapped: set[int] = set()
    tainted: set[int] = set()  # tensors behind a CPU operator that itself waits for the TPU
    on_tpu: set[int] = set()
    why_not = dict(blocked)
    for k, op in enumerate(graph.ops):
        behind = any(i in tainted for i in op.inputs)
        if k not in blocked and not behind:
            mapped.add(k)
            on_tpu.update(op.outputs)
            continue
        if k not in blocked:
            why_not[k] = "comes after an operator that stays on the CPU; the compiler makes one subgraph"
        if behind or any(i in on_tpu for i in op.inputs):
            tainted.update(op.outputs)
    fatal = [
        f"{op.kind} version {op.version}: the compiler knows up to {REFUSED_FROM[op.kind] - 1}"
        for op in graph.ops
        if op.version >= REFUSED_FROM.get(op.kind, op.version + 1)
    ]
    return Placement(frozenset(mapped), why_not, tuple(sorted(set(fatal))))


def _refused(op: Op, graph: Graph) -> str:
    """Return why the TPU does not take `op`, nothing where it does."""
    given = [graph.tensors[i] for i in op.inputs if not graph.tensors[i].constant]
    made = [graph.tensors[i] for i in op.outputs]
    if op.kind not in KNOWN:
        return "the Edge TPU has no such operator"
    if any(t.dtype not in ("int8", "uint8") for t in given + made):
        return "works on values that are not 8 bit"
    if any(n > 1 for t in given + made for n in t.shape[:-3]):
        return "has more than three dimensions that are not 1"
    return _by_limits(op, given, graph) or _by_size(op, given, made)


def _by_limits(op: Op, given: list[TensorInfo], graph: Graph) -> str:
    if op.kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "CONCATENATION") and op.fused:
        return "has a fused activation"
    if op.kind == "FULLY_CONNECTED" and not graph.tensors[op.inputs[1]].constant:
        return "its weights are not constant"
    if op.kind == "RESIZE_BILINEAR" and given and given[0].shape[1:3] == (1, 1):
        return "enlarges a single place"
    return ""


def _by_size(op: Op, given: list[TensorInfo], made: list[TensorInfo]) -> str:
    largest = max((t.bytes for t in given + made), default=0)
    total = sum(t.bytes for t in given[:1] + made)
    flat = all(len(t.shape) <= 3 or t.shape[1] == 1 for t in given + made)
    too_large = (
        (op.kind == "TRANSPOSE" and 2 * largest > TILE_BYTES)
        or (op.kind in FLAT and flat and largest > TILE_BYTES)
        or (op.kind.startswith(("RESIZE_", "RESHAPE")) and total > MEMORY_BYTES)
    )
    return f"its tensors are too large ({largest:,} bytes)" if too_large else ""
