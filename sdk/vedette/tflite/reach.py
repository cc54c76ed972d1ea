"""How far around a place a network looks, read from its operators: what tiles of a picture must overlap by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from vedette.errors import ModelError
from vedette.tflite.graph import Graph, Op, TensorInfo, read_graph

__all__ = ["Reach", "read_reach"]

_POINTWISE = frozenset(
    "ABS ADD CAST CONCATENATION COS DEQUANTIZE DIV ELU EXP FLOOR GELU HARD_SWISH LEAKY_RELU LOG LOGISTIC "  # noqa: SIM905
    "MAXIMUM MINIMUM MIRROR_PAD MUL NEG PAD PADV2 POW PRELU QUANTIZE RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 ROUND "
    "RSQRT SIN SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SUB TANH".split()
)
"""Each place of the output is made of the same place of the inputs. Pads are: what they add lies outside."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a place of a network's answer depends on its picture.

    Attributes:
        radius_px: pixels of the input to each side of the place.
        step_px: a network that works on a coarser grid answers alike only for pictures moved by multiples of this.
    """

    radius_px: int
    step_px: int

    @property
    def margin_px(self) -> int:
        """What a tile needs around what is kept of it: the radius, rounded up to the grid."""
        return math.ceil(self.radius_px / self.step_px) * self.step_px


@dataclass(frozen=True, slots=True)
class _Place:
    """A tensor's grid: input pixels from one place to the next, and how far each place has looked."""

    jump: Fraction
    radius: Fraction


def read_reach(data: bytes) -> Reach | None:
    """Return the reach of the network in a TFLite file; None where it looks everywhere, or that cannot be told.

    After Araujo, Norris & Sim, Computing Receptive Fields of Convolutional Neural Networks (Distill, 2019), but for the
    wider side of each window where the paddings differ: a bound, not always met.

    Raises:
        ModelError: the file is damaged.
    """
    graph = read_graph(data)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return None
    places = {graph.inputs[0]: _Place(Fraction(1), Fraction(0))}
    coarsest = Fraction(1)
    for op in graph.ops:
        seen = [places[i] for i in op.inputs if i in places]
        if not seen or op.kind == "SHAPE":
            continue
        made = _through(op, seen, graph)
        if made is None:
            return None
        coarsest = max(coarsest, made.jump)
        places.update(dict.fromkeys(op.outputs, made))
    end = places.get(graph.outputs[0])
    if end is None or end.jump > 1 or coarsest.denominator != 1:
        return None
    return Reach(math.ceil(end.radius), int(coarsest))


def _through(op: Op, seen: list[_Place], graph: Graph) -> _Place | None:
    """Return the grid of an operator's outputs; None where it mixes places in a way that is not known here."""
    if len({place.jump for place in seen}) > 1:
        return None
    place = _Place(seen[0].jump, max(one.radius for one in seen))
    if op.kind in _POINTWISE:
        return place
    tensors = [graph.tensors[i] for i in op.inputs]
    if op.kind in _SLIDING:
        return _slide(place, *_SLIDING[op.kind](op, tensors)) if op.table else None
    return _rescale(op, place, tensors, graph)


def _slide(place: _Place, window: int, stride: int, same: bool) -> _Place:
    """Return the grid after a window of so many places; in the middle of it only where nothing is left out."""
    side = math.ceil((window - 1) / 2) if same and stride == 1 else window - 1
    return _Place(place.jump * stride, place.radius + place.jump * side)


def _rescale(op: Op, place: _Place, tensors: list[TensorInfo], graph: Graph) -> _Place | None:
    if op.kind in ("DEPTH_TO_SPACE", "SPACE_TO_DEPTH") and op.table:
        block = op.table.number(0, "i", 1)
        if not 0 < block <= 64:
            raise ModelError(f"{op.kind} has blocks of {block}; the file is damaged.")
        if op.kind == "SPACE_TO_DEPTH":
            return _Place(place.jump * block, place.radius + place.jump * (block - 1))
        return _refine(place, Fraction(1, block), 0)
    if op.kind == "TRANSPOSE_CONV" and op.table and len(tensors) > 2:
        stride, kernel = max(1, op.table.number(1, "i", 1)), max(tensors[1].shape[1:3], default=1)
        return _refine(place, Fraction(1, stride), math.ceil(kernel / stride))
    if op.kind in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        old, new = tensors[0].shape, graph.tensors[op.outputs[0]].shape
        if len(old) == len(new) == 4 and old[1] and old[2] and new[1] * old[2] == new[2] * old[1] > 0:
            return _refine(place, Fraction(old[1], new[1]), 1)
    return None


def _refine(place: _Place, factor: Fraction, side: int) -> _Place:
    """Return a finer grid: a fine place may lie anywhere in the coarse one that it is made of."""
    jump = place.jump * factor
    slack = max(Fraction(0), place.jump - max(Fraction(1), jump))
    return _Place(jump, place.radius + place.jump * side + slack)


def _conv(op: Op, tensors: list[TensorInfo], dilations: tuple[int, int]) -> tuple[int, int, bool]:
    assert op.table is not None
    kernel = tensors[1].shape[1:3] if len(tensors) > 1 and len(tensors[1].shape) == 4 else (1, 1)
    dilation_hw = [max(1, op.table.number(slot, "i", 1)) for slot in dilations]
    window = max((k - 1) * d + 1 for k, d in zip(kernel, dilation_hw, strict=True))
    return window, _stride(op), op.table.number(0, "b") == 0


def _pool(op: Op, _: list[TensorInfo]) -> tuple[int, int, bool]:
    assert op.table is not None
    window = max(op.table.number(3, "i", 1), op.table.number(4, "i", 1), 1)
    return window, _stride(op), op.table.number(0, "b") == 0


def _stride(op: Op) -> int:
    """Return the larger stride: options of convolutions and pools begin with padding, stride_w, stride_h."""
    assert op.table is not None
    return max(op.table.number(1, "i", 1), op.table.number(2, "i", 1), 1)


_SLIDING: Mapping[str, Callable[[Op, list[TensorInfo]], tuple[int, int, bool]]] = {
    "CONV_2D": lambda op, tensors: _conv(op, tensors, (5, 4)),
    "DEPTHWISE_CONV_2D": lambda op, tensors: _conv(op, tensors, (6, 5)),
    "AVERAGE_POOL_2D": _pool,
    "MAX_POOL_2D": _pool,
}
"""Operator with a window -> its width, its stride, and whether it pads alike on both sides (padding SAME)."""
