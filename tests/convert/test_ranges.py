"""Which ranges are chosen, what saturates, and what equalizing changes and does not."""

import numpy as np
import pytest

from tiny_run import draw_pictures
from vedette.errors import SettingsError
from vedette_convert.compare import compare
from vedette_convert.equalize import equalize
from vedette_convert.graph import read_graph
from vedette_convert.probe import Probe
from vedette_convert.ranges import BINS, Seen, check_rule, choose, observe, saturated


def seen(values):
    low, high = min(0.0, values.min()), max(0.0, values.max())
    return Seen("layer", low, high, np.histogram(values, BINS, (low, high))[0])


@pytest.fixture(scope="module")
def tails():
    """A normal distribution, and one value of 10,000 thirty times as far out."""
    values = np.random.default_rng(0).normal(0, 1, 50_000)
    values[:5] = 30
    return {"key": seen(values)}


def test_min_max_is_all_that_was_seen(tails):
    ((low, high),) = choose(tails, "minmax").values()
    assert high == 30
    assert low < -3.5
    assert saturated(tails, {"key": (low, high)}) == {}


def test_a_percentile_leaves_out_the_tails(tails):
    ((low, high),) = choose(tails, "percentile:99.9").values()
    assert -4 < low < -3  # .05 % of a normal distribution lie below -3.29
    assert 3 < high < 4
    assert saturated(tails, {"key": (low, high)})["layer"] == pytest.approx(1e-3, rel=0.3)


def test_least_error_lies_between(tails):
    """The widest range rounds all values coarsely, the narrowest cuts off thirty; both cost more."""
    ((low, high),) = choose(tails, "mse").values()
    assert 9 <= high < 30  # nothing is shrunk below .3
    errors = [squared_error(tails["key"], r) for r in ((low, high), *choose(tails, "minmax").values())]
    assert errors[0] < errors[1]


def squared_error(of, limits):
    """Quantize each bin's middle to 255 steps and sum up, as a second way to the same figure."""
    low, high = limits
    step = (high - low) / 255
    rounded = np.clip(low + np.rint((of.centers - low) / step) * step, low, high)
    return float(of.counts @ (rounded - of.centers) ** 2)


def test_what_was_always_zero_stays_so():
    flat = {"key": Seen("layer", 0.0, 0.0, np.zeros(BINS, np.int64))}
    assert {rule: choose(flat, rule)["key"] for rule in ("minmax", "mse")} == dict.fromkeys(
        ("minmax", "mse"), (0.0, 0.0)
    )


def test_after_relu_the_lower_end_is_zero():
    relu = {"key": seen(np.maximum(np.random.default_rng(0).normal(0, 1, 9_000), 0))}
    for rule in ("minmax", "percentile:99", "mse"):
        assert choose(relu, rule)["key"][0] == 0


@pytest.mark.parametrize("rule", ["minmaxx", "percentile:x", "percentile:101", "percentile:50", "mse:3", ""])
def test_a_rule_that_is_none_is_refused(rule):
    with pytest.raises(SettingsError):
        check_rule(rule)


def test_every_activation_is_seen(tiny_float, tiny_input):
    pictures = draw_pictures(4)
    found = observe(tiny_float, pictures, tiny_input)
    graph = read_graph(tiny_float)
    assert list(found) == [t.full_name for t in graph.activations]
    image = found[graph.activations[0].full_name]
    assert (image.low, image.high) == (-1.0, 1.0)  # black and white, by the contract's mean and std
    assert {int(s.counts.sum()) for s in found.values()} == {
        4 * int(np.prod(t.shape)) for t in graph.activations
    }


def test_equalizing_changes_no_answer_but_the_channels_ranges(tiny_float, tiny_input):
    pictures = draw_pictures(6)
    level, count = equalize(tiny_float, pictures, tiny_input)
    outputs, _ = compare(tiny_float, level, pictures, tiny_input)
    assert count == 1
    assert all(a.snr_db > 90 for a in outputs)  # float32 rounding alone
    spread = [channel_ranges(network, pictures, tiny_input) for network in (tiny_float, level)]
    assert spread[0].max() / spread[0].min() > 5  # how far apart they lie differs from training to training
    assert spread[1].max() / spread[1].min() < 1.01


def channel_ranges(network, pictures, contract):
    probe = Probe(network, contract)
    (op,) = [op for op in read_graph(network).ops if op.kind == "DEPTHWISE_CONV_2D"]
    most = np.zeros(8)
    for picture in pictures:
        probe.run(picture)
        most = np.maximum(most, np.abs(probe.real(op.outputs[0])).max((0, 1, 2)))
    return most
