"""Every kind of source into every form, on small networks: what comes out, what is refused, what the gate does."""

import json
import math
import re
import resource
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from asked import ask
from face_run import needs_tensorflow
from tiny_run import CONTRACT, SIDE, draw_pictures, write_run
from vedette.contract import open_model_file
from vedette.engines.litert import LiteRTEngine
from vedette.errors import ModelError, SettingsError, SinkError, VedetteError
from vedette.zoo import find
from vedette_convert.compare import compare
from vedette_convert.graph import read_graph
from vedette_convert.half import LEAST_VALUES
from vedette_convert.package import package
from vedette_convert.probe import Probe
from vedette_convert.quantize import Precision, float_network, is_fake_quantized, quantize
from vedette_convert.ranges import choose, observe
from vedette_convert.run import Plan, convert

pytestmark = [needs_tensorflow, pytest.mark.timeout(300)]
HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def ranges(tiny_float, tiny_input):
    return choose(observe(tiny_float, draw_pictures(24), tiny_input), "minmax")


def dtypes(network):
    graph = read_graph(network)
    return [graph.tensors[i].dtype for i in (*graph.inputs, graph.outputs[0])]


@pytest.mark.parametrize("source", ["tiny_saved_model", "other_tool.tflite"])
def test_other_sources_give_the_same_network(networks, tiny_float, tiny_input, source):
    found = float_network(networks / source, draw_pictures(3)[2], tiny_input)
    outputs, _ = compare(tiny_float, found, draw_pictures(5), tiny_input)
    assert [a.output for a in outputs] == ["label", "mask"]
    assert all(a.snr_db > 90 for a in outputs)
    assert read_graph(found).tensors[read_graph(found).inputs[0]].shape == (1, SIDE, SIDE, 3)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("flex", "MatrixInverse.*Flex"),
        ("open_saved_model", "fixed size"),
        ("open_size.keras", "fixed size"),
        ("two_inputs.keras", "2 inputs"),
    ],
)
def test_what_no_device_can_run_is_refused_with_the_remedy(networks, tiny_input, source, words):
    with pytest.raises(ModelError, match=words) as refused:
        float_network(networks / source, draw_pictures(3)[2], tiny_input)
    assert source in str(refused.value)


def test_a_quantized_file_is_refused(tiny_input):
    with pytest.raises(ModelError, match="quantized already"):
        float_network(find("face-detector"), draw_pictures(3)[2], tiny_input)


@pytest.mark.parametrize(
    ("io", "wanted"),
    [("uint8", ["uint8", "int8"]), ("int8", ["int8", "int8"]), ("float", ["float32", "float32"])],
)
def test_int8_takes_and_gives(tiny_float, tiny_input, ranges, io, wanted):
    network = quantize(tiny_float, ranges, Precision(io=io))
    assert dtypes(network) == wanted
    inner = {t.dtype for t in read_graph(network).activations}
    assert "int8" in inner
    if io != "float":
        assert "float32" not in inner
    outputs, _ = compare(tiny_float, network, draw_pictures(8)[2:], tiny_input)
    assert all(a.snr_db > 20 for a in outputs), outputs


def test_named_layers_stay_float_with_16_bit_weights(tiny_float, tiny_input, ranges):
    mixed = quantize(tiny_float, ranges, Precision(keep_float=("/stem", "/dw")))
    graph = read_graph(mixed)
    kept = [
        graph.tensors[op.outputs[0]].dtype for op in graph.ops if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D")
    ]
    assert kept == ["float32", "float32", "int8", "int8"]  # stem, dw, pw, mask
    assert "float16" in {t.dtype for t in graph.tensors}
    outputs, _ = compare(tiny_float, mixed, draw_pictures(8)[2:], tiny_input)
    assert all(a.snr_db > 20 for a in outputs)


def test_a_layer_that_is_none_is_refused(tiny_float):
    for expression, words in (("nowhere", "/stem"), ("(", "regular expression")):
        with pytest.raises(SettingsError, match=words):
            quantize(tiny_float, {}, Precision(keep_float=(expression,)))
    with pytest.raises(SettingsError, match="nothing to keep float"):
        Precision("float16", keep_float=("x",))
    with pytest.raises(SettingsError, match="int8, float16, float32"):
        Precision("int7")


def test_a_network_trained_with_its_ranges_keeps_them(networks, tiny_input, own_layers):
    network = float_network(
        networks / "fake_quantized.keras", draw_pictures(3)[2], tiny_input, modules=["fakequant"]
    )
    assert is_fake_quantized(network)
    small = quantize(network, {}, Precision())
    graph = read_graph(small)
    assert {t.dtype for t in graph.activations} == {"uint8", "int8"}
    with LiteRTEngine(small) as engine:
        assert engine.outputs[0].scale == pytest.approx(4 / 255, rel=1e-5)  # the range -2..2, exactly


@pytest.mark.parametrize(("form", "weights"), [("float16", {"float16"}), ("float32", {"float32"})])
def test_float_forms_are_packaged_too(networks, tiny_run, tmp_path, form, weights):
    """Without a child process for int8: a float .tflite with a contract and a folder of pictures."""
    (tmp_path / "photos").mkdir()
    for k, picture in enumerate(draw_pictures(4)):
        cv2.imwrite(str(tmp_path / "photos" / f"{k}.png"), picture)
    out = tmp_path / "float.tflite"
    plan = Plan(Precision(form), calibration=str(tmp_path / "photos"))
    outcome = convert(networks / "other_tool.tflite", out, plan, contract=tiny_run / "contract.json")
    assert outcome.chosen.pictures == 0
    graph = read_graph(outcome.chosen.network)
    assert {t.dtype for t in graph.tensors if t.constant and math.prod(t.shape) >= LEAST_VALUES} == weights
    assert dtypes(outcome.chosen.network) == ["float32", "float32"]
    assert open_model_file(out).contract.golden.outputs.keys() == {"mask", "label"}


def test_the_same_run_gives_the_same_bytes_a_report_and_an_answer_to_replay(tiny_run, tmp_path, capsys):
    picture, fitted = draw_pictures(3)[2], (draw_pictures(3)[2].astype(np.float32) - 127.5) / 127.5
    run = shutil.copytree(tiny_run, tmp_path / "run")
    np.savez(run / "preprocessing.npz", picture_0=picture, input_0=fitted)
    outs = [tmp_path / "1.tflite", tmp_path / "2.tflite"]
    words = ["--ranges", "percentile:99.9", "--report", tmp_path / "report"]
    said = ask(capsys, "convert", run, "-o", outs[0], *words)
    assert (said.code, said.err) == (0, "")
    assert "calibrated on 24 pictures: calibration.npz of the run" in said.out
    shares = [
        float(share) for share in re.findall(r"^saturates   \S+: ([\d.]+)% of its values$", said.out, re.M)
    ]
    assert shares
    assert max(shares) <= 0.12  # a thousandth is cut off at most, and the bin in which the limit lies
    convert(run, outs[1], Plan(ranges="percentile:99.9"))
    assert outs[0].read_bytes() == outs[1].read_bytes()
    replayed = ask(capsys, "verify", outs[0], "--json")
    verdict = json.loads(replayed.out.splitlines()[0])
    assert (replayed.code, verdict["holds"]) == (0, True)
    assert "2 output(s)" in verdict["detail"]
    check_report(tmp_path / "report")


def check_report(folder):
    told, page = (folder / "report.md").read_text(), (folder / "report.html").read_text()
    macs = (16 * 16 * (8 * 27 + 8 * 9 + 8 * 8 + 2 * 8) + 8 * 4) / 1e6
    for text in (told, page):
        assert f"{macs:.1f} million multiply-accumulates" in text
        assert "Calibrated on 24 pictures" in text
        assert re.search(r"Layers that saturate \(share of values cut off\): \S+ 0\.\d\d%", text)
        assert "differ by at most 0.000 grey levels" in text
        assert "functional" in text
        assert "DEPTHWISE_CONV_2D" in text
        assert "not compiled and not run" in text
    assert (
        page.count("<rect ") == page.count("<title>") - 1 == 9
    )  # a bar for each layer, and the page's own title
    assert not re.search(r"(src|href)=", page)  # nothing that is fetched


def test_an_output_that_never_changes_is_refused(networks, tmp_path):
    run = write_run(tmp_path / "run", networks / "still.keras", outputs=[{"name": "still", "role": "raw"}])
    out = tmp_path / "out.tflite"
    out.write_bytes(b"the old one")
    with pytest.raises(ModelError, match=r"output still never changes.*--calibration.*--fix"):
        convert(run, out)
    assert out.read_bytes() == b"the old one"


def judged_run(folder, tiny_run, network, contract, allowed_db):
    """A copy of the small run that names judge.py as its evaluation."""
    probe, images = Probe(network, contract), draw_pictures(24)[2:]
    masks = []
    for image in images:
        probe.run(image)
        masks.append(probe.answers()["mask"])
    run = shutil.copytree(tiny_run, folder / "run")
    np.savez(run / "wanted.npz", images=images, masks=np.stack(masks))
    command = [str(HERE / "judge.py"), "{model}", str(run / "wanted.npz")]
    evaluation = {"command": command, "limits": {"psnr": allowed_db}}
    (run / "contract.json").write_text(json.dumps({**CONTRACT, "evaluation": evaluation}))
    return run


def test_what_loses_too_much_is_refused_then_mended(tiny_run, tiny_float, tiny_input, tmp_path, capsys):
    """By min-max, kernels rounded together and percentile 27.6 dB of the mask stay, by equalized channels 28.3.

    60 is the judge's cap.
    """
    run = judged_run(tmp_path, tiny_run, tiny_float, tiny_input, 60 - 27.95)
    out = tmp_path / "out.tflite"
    said = ask(capsys, "convert", run, "-o", out, "--fix")
    assert said.code == 0, said.err
    tried = [line for line in said.out.splitlines() if line.startswith("int8, ")]
    assert ["passes" in line for line in tried] == [False, False, False, True]
    assert "equalized" in tried[-1]
    assert "saturates" not in said.out  # by min-max nothing is cut off
    assert re.search(r"\([+-][\d,]+ bytes, [+-][\d.]+ ms\)", tried[-1])
    contract = json.loads(read_member(out))
    assert contract["metrics"]["float"]["psnr"] == 60
    assert contract["metrics"]["int8"]["psnr"] > 27.95
    assert "evaluation" not in contract
    with pytest.raises(
        ModelError, match=r"psnr 60 -> 2\d.*Worst layer: mask.*--keep-float.*dw.*fake quantization"
    ):
        convert(run, tmp_path / "other.tflite")
    assert not (tmp_path / "other.tflite").exists()


def read_member(model):
    with zipfile.ZipFile(model) as archive:
        return archive.read("vedette.json")


def test_a_full_disk_leaves_the_old_file(tiny_float, tmp_path):
    out = tmp_path / "out.tflite"
    out.write_bytes(b"the old one")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, before[1]))  # as if there were no more room
    try:
        with pytest.raises(SinkError, match="untouched"):
            package(tiny_float, CONTRACT, cv2.imencode(".png", draw_pictures(3)[2])[1].tobytes(), out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [p.name for p in tmp_path.iterdir()] == ["out.tflite"]
    assert out.read_bytes() == b"the old one"


def test_layers_that_cannot_be_imported_are_named(networks, tiny_input):
    with pytest.raises(VedetteError, match="no_such_layers"):
        float_network(
            networks / "fake_quantized.keras", draw_pictures(3)[2], tiny_input, modules=["no_such_layers"]
        )
