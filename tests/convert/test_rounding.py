"""Weights that are rounded together: `vedette convert --rounding gptq`."""

import numpy as np
import pytest

from asked import ask
from face_run import needs_tensorflow
from vedette_convert.graph import constant, read_graph, unpack
from vedette_convert.probe import Probe
from vedette_convert.rounding import _flat, _layers, _seen, round_weights

pytestmark = [needs_tensorflow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def judged(networks):
    """Pictures by which nothing was calibrated."""
    return np.load(networks / "detail_judged.npz")["images"]


def calibration(networks):
    return np.load(networks / "windows_judged.npz")["images"]


def parts(network):
    model = unpack(network)
    return model, model.subgraphs[0].tensors, list(_layers(model, read_graph(network)))


def test_what_a_kernel_sees_gives_what_the_layer_makes(networks, tiny_input, judged):
    network = (networks / "windows.tflite").read_bytes()
    model, tensors, layers = parts(network)
    assert [(layer.stride, layer.same, layer.depthwise) for layer in layers] == [
        ((2, 2), False, False),
        ((1, 1), False, False),  # dilated: between a SPACE_TO_BATCH and its inverse
        ((2, 2), True, True),
        ((1, 1), False, False),
    ]
    probe = Probe(network, tiny_input)
    probe.run(judged[0])
    for layer in layers:
        made = probe.real(layer.made)[0]
        rows, columns = (at.ravel() for at in np.indices(made.shape[:2]))
        seen = _seen(probe.real(layer.given)[0], layer, rows, columns)
        kernel, bias = (constant(model, tensors[i]) for i in (layer.kernel, layer.bias))
        flat = _flat(kernel, layer)
        flat = np.concatenate([flat, bias.reshape(len(flat), 1, -1)], axis=1)
        found = (seen @ flat).transpose(1, 0, 2).reshape(made.shape)
        np.testing.assert_allclose(found, made, atol=1e-4 * np.abs(made).max())


@pytest.mark.parametrize("name", ["windows", "detail", "other_tool"])
def test_weights_stand_on_steps_whose_size_the_converter_finds_again(networks, tiny_input, judged, name):
    network = (networks / f"{name}.tflite").read_bytes()
    model, _, layers = parts(network)
    rounded = unpack(round_weights(network, judged, tiny_input))
    assert layers
    for layer in layers:
        before, after = (
            _flat(constant(m, t.subgraphs[0].tensors[layer.kernel]), layer)
            for m, t in ((model, model), (rounded, rounded))
        )
        step = np.abs(before).max(axis=1, keepdims=True) / 127
        np.testing.assert_allclose(np.abs(after).max(axis=1, keepdims=True) / 127, step, rtol=1e-6)
        np.testing.assert_allclose(after / step, np.rint(after / step), atol=1e-3)
        assert (after != before).any()


def test_what_is_made_of_pictures_changes_less_than_by_the_nearest_steps(networks, tiny_input, judged):
    network = (networks / "detail.tflite").read_bytes()
    answers = []
    for form in (network, round_weights(network, calibration(networks), tiny_input), nearest(network)):
        probe = Probe(form, tiny_input)
        probe.run(judged[1])
        answers.append(probe.answers()["mask"])
    exact, gptq, plain = answers
    assert np.abs(gptq - exact).mean() < np.abs(plain - exact).mean() / 5


def nearest(network):
    from vedette_convert.graph import pack, set_constant

    model, tensors, layers = parts(network)
    for layer in layers:
        kernel = constant(model, tensors[layer.kernel])
        step = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True) / 127
        set_constant(model, tensors[layer.kernel], np.rint(kernel / step) * step)
    return pack(model)


def test_another_rounding_is_refused_with_the_nearest_name(capsys, tmp_path, networks):
    said = ask(
        capsys, "convert", networks / "detail.tflite", "-o", tmp_path / "a.tflite", "--rounding", "gptk"
    )
    assert said.code == 2
    assert "gptq" in said.err
