"""`vedette convert --fix`: each remedy mends a network that really fails the gate, and says what it costs."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from asked import ask
from face_run import needs_tensorflow
from tiny_run import CONTRACT, draw_pictures
from vedette_convert.probe import Probe

pytestmark = [needs_tensorflow, pytest.mark.timeout(600)]
HERE = Path(__file__).resolve().parent
LEAST_DB = 30.0
COST = re.compile(r"[\d,]+ bytes, [\d.]+ ms \([+-][\d,]+ bytes, [+-][\d.]+ ms\): ")


def write_contract(folder, stored, **changes):
    """Write a contract by which a network passes that keeps `LEAST_DB` of the stored masks; 60 is the judge's cap."""
    command = [str(HERE / "judge.py"), "{model}", str(stored)]
    evaluation = {"command": command, "limits": {"psnr": 60 - LEAST_DB}}
    path = folder / "contract.json"
    path.write_text(json.dumps({**CONTRACT, **changes, "evaluation": evaluation}))
    return path


def attempts(said):
    """Return the plan and the verdict of each attempt."""
    lines = [line for line in said.out.splitlines() if line.startswith("int8, ")]
    assert all(COST.search(line) for line in lines[1:]), lines
    assert not COST.search(lines[0])  # against nothing
    return [(line.partition(": ")[0], line.endswith(": passes")) for line in lines]


def fix(capsys, tmp_path, networks, name):
    contract = write_contract(
        tmp_path, networks / f"{name}_judged.npz", outputs=[{"name": "mask", "role": "raw"}]
    )
    words = ["--contract", contract, "--calibration", networks / f"{name}_pictures", "--fix"]
    said = ask(capsys, "convert", networks / f"{name}.tflite", "-o", tmp_path / "out.tflite", *words)
    assert said.code == 0, said.err
    return said


def test_more_pictures_mend_what_was_calibrated_on_grey_ones(
    capsys, tmp_path, tiny_run, tiny_float, tiny_input
):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    pictures = draw_pictures(24)
    judged, masks = pictures[12:], []
    probe = Probe(tiny_float, tiny_input)
    for picture in judged:
        probe.run(picture)
        masks.append(probe.answers()["mask"])
    np.savez(run / "judged.npz", images=judged, masks=np.stack(masks))
    grey = (pictures[:6].astype(np.float32) * 0.1 + 114).astype(np.uint8)
    np.savez(run / "calibration.npz", images=np.concatenate([grey, pictures[6:]]))
    write_contract(run, run / "judged.npz")
    limits = json.loads((run / "contract.json").read_text())
    limits["evaluation"]["limits"]["psnr"] = 40.0  # the small network keeps 27 dB by min-max
    (run / "contract.json").write_text(json.dumps(limits))
    said = ask(capsys, "convert", run, "-o", tmp_path / "out.tflite", "--pictures", "6", "--fix")
    assert said.code == 0, said.err
    assert [passed for _, passed in attempts(said)] == [False, True]
    assert "calibrated on 24 pictures" in said.out


def test_a_percentile_mends_a_range_that_one_pixel_has_made(capsys, tmp_path, networks):
    said = fix(capsys, tmp_path, networks, "spiked")
    plans = attempts(said)
    assert [passed for _, passed in plans] == [False, False, True]
    assert "minmax" in plans[0][0]
    assert "percentile:99.999" in plans[2][0]


def test_weights_that_make_up_for_each_other_mend_a_difference_from_a_mean(capsys, tmp_path, networks):
    plans = attempts(fix(capsys, tmp_path, networks, "detail"))
    assert [passed for _, passed in plans] == [False, True]
    assert "gptq" not in plans[0][0]
    assert "gptq" in plans[1][0]


def test_layers_kept_float_mend_channels_that_differ_too_much(capsys, tmp_path, networks):
    plans = attempts(fix(capsys, tmp_path, networks, "wide"))
    assert [passed for _, passed in plans] == [False, False, False, False, True]
    assert "kept float" in plans[-1][0]
    assert "gptq" in plans[1][0]
    assert "percentile" in plans[2][0]
    assert "equalized" in plans[3][0]


def test_where_nothing_helps_it_says_how_much_was_tried(capsys, tmp_path, networks):
    contract = write_contract(
        tmp_path, networks / "wide_judged.npz", outputs=[{"name": "mask", "role": "raw"}]
    )
    wanted = json.loads(contract.read_text())
    wanted["evaluation"]["limits"]["psnr"] = -1.0  # better than float: no form can be
    contract.write_text(json.dumps(wanted))
    words = ["--contract", contract, "--calibration", networks / "wide_pictures"]
    out = tmp_path / "out.tflite"
    out.write_bytes(b"the old one")
    said = ask(capsys, "convert", networks / "wide.tflite", "-o", out, *words)
    assert said.code == 4
    order = [
        "more pictures",
        "--rounding gptq",
        "percentile:99.999",
        "--equalize",
        "--keep-float",
        "fake quantization",
        "--fix",
    ]
    places = [said.err.index(word) for word in order]
    assert places == sorted(places)
    assert out.read_bytes() == b"the old one"
