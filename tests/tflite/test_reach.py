"""How far a network looks, read from its operators."""

from __future__ import annotations

import pytest
from ai_edge_litert import schema_py_generated as schema

from drawn_enhancers import conv, curve_model, picture_model
from drawn_graphs import O, T, block, draw
from vedette.tflite.reach import Reach, read_reach

SIDE = (1, 16, 16, 3)
KERNEL = [
    T("w3", (3, 3, 3, 3), values=(0.1,)),
    T("w5", (3, 5, 5, 3), values=(0.1,)),
    T("b", (3,), values=(0.0,)),
]


def network(*ops: O, more: tuple[T, ...] = ()) -> bytes:
    """Return a network from `image` to `made` over tensors `t1`, `t2` of the same shape."""
    tensors = [T("image", SIDE), T("t1", SIDE), T("t2", SIDE), T("made", SIDE), *KERNEL, *more]
    return draw(tensors, ["image"], ["made"], ops)


def pool(size: int, stride: int) -> object:
    options = schema.Pool2DOptionsT()
    options.padding, options.strideW, options.strideH = schema.Padding.SAME, stride, stride
    options.filterWidth = options.filterHeight = size
    return options


@pytest.mark.parametrize(
    ("data", "reach"),
    [
        pytest.param(network(O("RELU", ["image"], ["made"])), Reach(0, 1), id="pointwise"),
        pytest.param(
            network(O("CONV_2D", ["image", "w5", "b"], ["made"], builtin=conv())), Reach(2, 1), id="5 x 5"
        ),
        pytest.param(
            network(O("CONV_2D", ["image", "w3", "b"], ["made"], builtin=conv(dilation=4))),
            Reach(4, 1),
            id="dilated",
        ),
        pytest.param(
            network(O("CONV_2D", ["image", "w3", "b"], ["made"], builtin=conv(valid=True))),
            Reach(2, 1),
            id="without padding: either side",
        ),
        pytest.param(
            network(
                O("CONV_2D", ["image", "w3", "b"], ["t1"], builtin=conv()),
                O("CONV_2D", ["t1", "w3", "b"], ["t2"], builtin=conv()),
                O("ADD", ["t2", "image"], ["made"]),
            ),
            Reach(2, 1),
            id="a skip: the longer way counts",
        ),
        pytest.param(picture_model(3), Reach(2, 1), id="larger"),
        pytest.param(picture_model(1, stride=2), Reach(5, 2), id="a coarser grid: 2 + 2 x 1 + 1"),
        pytest.param(
            network(
                O("MAX_POOL_2D", ["image"], ["t1"], builtin=pool(2, 2)),
                O("DEPTH_TO_SPACE", ["t1"], ["made"], builtin=block(2)),
            ),
            Reach(2, 2),
            id="pool",
        ),
        pytest.param(network(O("MEAN", ["image"], ["made"])), None, id="looks everywhere"),
        pytest.param(
            network(
                O("MAX_POOL_2D", ["image"], ["t1"], builtin=pool(2, 2)), O("ADD", ["t1", "image"], ["made"])
            ),
            None,
            id="two grids",
        ),
        pytest.param(network(O("MAX_POOL_2D", ["image"], ["made"], builtin=pool(2, 2))), None, id="smaller"),
        pytest.param(network(O("made up", ["image"], ["made"])), None, id="unknown operator"),
        pytest.param(curve_model(), Reach(0, 1), id="1 x 1"),
    ],
)
def test_the_reach_is_read(data: bytes, reach: Reach | None) -> None:
    assert read_reach(data) == reach


def test_the_margin_keeps_to_the_grid() -> None:
    assert Reach(5, 2).margin_px == 6
    assert Reach(0, 4).margin_px == 0
