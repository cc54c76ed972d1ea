"""What is read out of a flatbuffer: work, memory, names; and where an Edge TPU would stop."""

import numpy as np
import pytest

from vedette.errors import ModelError
from vedette_convert.edgetpu import predict
from vedette_convert.graph import Graph, Op, TensorInfo, read_graph
from vedette_convert.half import halve_weights
from vedette_convert.probe import Probe


def tensor(index, shape, dtype="int8", constant=False):
    return TensorInfo(index, f"t{index}", f"t{index}", shape, dtype, constant)


def chain(kinds, shapes, dtype="int8", versions=None):
    """A graph in which each operator reads the tensor before it."""
    tensors = tuple(tensor(i, shape, dtype) for i, shape in enumerate(shapes))
    versions = versions or [1] * len(kinds)
    ops = tuple(Op(kind, versions[i], (i,), (i + 1,), 0, False) for i, kind in enumerate(kinds))
    return Graph(tensors, ops, (0,), (len(kinds),))


def test_work_and_names_are_those_of_the_network(tiny_float):
    graph = read_graph(tiny_float)
    # stem 16*16*8*27, depthwise 16*16*8*9, pointwise 16*16*8*8, mask 16*16*2*8, dense 8*4
    assert graph.macs == 16 * 16 * (8 * 27 + 8 * 9 + 8 * 8 + 2 * 8) + 8 * 4
    assert {graph.tensors[i].name for i in graph.outputs} == {"mask", "label"}
    assert [graph.tensors[i].name for i in graph.inputs] == ["image"]
    # floats: kernels 216 + 72 + 64 + 16 + 32, biases 8 + 8 + 8 + 2 + 4; two axes of the mean, int32
    assert graph.weight_bytes == 4 * (400 + 30 + 2)


def test_the_arena_is_what_is_alive_at_once():
    # at the second operator 400 bytes are read while 100 are written; the input's 8 are gone by then
    graph = chain(["A", "B", "C"], [(8,), (400,), (100,), (1,)])
    assert graph.arena_bytes == 500


@pytest.mark.parametrize(("data", "words"), [(b"", "TFL3"), (b"xxxxTFL2" + b"x" * 20, "TFL3")])
def test_what_is_no_flatbuffer_is_refused(data, words):
    with pytest.raises(ModelError, match=words):
        read_graph(data)


def test_halved_weights_answer_alike_and_take_less(tiny_float, tiny_input):
    half = halve_weights(tiny_float)
    answers = []
    for network in (tiny_float, half):
        probe = Probe(network, tiny_input)
        probe.run(np.full((32, 32, 3), 200, np.uint8))
        answers.append(probe.answers())
    kinds = {op.kind for op in read_graph(half).ops}
    # three kernels have 64 values and more: 352 of 400 floats are stored in half the bytes
    assert read_graph(tiny_float).weight_bytes - read_graph(half).weight_bytes == 352 * 2
    assert "DEQUANTIZE" in kinds
    for name, wanted in answers[0].items():
        # 11 bits of mantissa: each weight is off by 2^-11 of itself at most
        np.testing.assert_allclose(answers[1][name], wanted, atol=2e-3 * np.abs(wanted).max())
        assert np.abs(answers[1][name] - wanted).max() > 0


SMALL = (1, 8, 8, 4)


@pytest.mark.parametrize(
    ("graph", "mapped", "why"),
    [
        pytest.param(chain(["CONV_2D", "ADD"], [SMALL] * 3), {0, 1}, {}, id="all"),
        pytest.param(
            chain(["CONV_2D", "HARD_SWISH", "CONV_2D"], [SMALL] * 4), {0}, {1, 2}, id="one subgraph"
        ),
        pytest.param(chain(["CAST", "CONV_2D"], [SMALL] * 3), {1}, {0}, id="a leading one costs no more"),
        pytest.param(chain(["CONV_2D"], [SMALL] * 2, "float32"), set(), {0}, id="float"),
        pytest.param(chain(["TRANSPOSE"], [(1, 240, 240, 1)] * 2), {0}, {}, id="transpose of 57,600 bytes"),
        pytest.param(
            chain(["TRANSPOSE"], [(1, 320, 320, 1)] * 2), set(), {0}, id="transpose of 102,400 bytes"
        ),
        pytest.param(chain(["RESHAPE"], [(1, 2100, 84)] * 2), {0}, {}, id="flat, 176,400 bytes"),
        pytest.param(chain(["RESHAPE"], [(1, 2100, 110)] * 2), set(), {0}, id="flat, 231,000 bytes"),
        pytest.param(chain(["RESIZE_BILINEAR"], [(1, 1, 1, 8), SMALL]), set(), {0}, id="from one place"),
        pytest.param(chain(["ADD"], [(2, 8, 8, 4)] * 2), set(), {0}, id="four dimensions"),
    ],
)
def test_an_edge_tpu_takes(graph, mapped, why):
    placed = predict(graph)
    assert placed.mapped == mapped
    assert set(placed.why_not) == set(why)


def test_newer_versions_are_fatal():
    assert predict(chain(["CONV_2D"], [SMALL] * 2, versions=[5])).fatal == ()
    (why,) = predict(chain(["QUANTIZE"], [SMALL] * 2, versions=[3])).fatal
    assert "QUANTIZE version 3" in why
