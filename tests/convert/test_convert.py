"""From a run folder to a packaged model: what is in it, what it answers, and what is refused."""

import json
import shutil
import subprocess
import sys
import zipfile

import cv2
import numpy as np
import pytest

import vedette
from face_run import ENVIRONMENT, needs_tensorflow
from vedette.contract import open_model_file
from vedette.engines.litert import LiteRTEngine
from vedette.errors import SinkError, VedetteError
from vedette_convert.package import package
from vedette_convert.run import convert

pytestmark = [needs_tensorflow, pytest.mark.timeout(300)]


def members(model):
    with zipfile.ZipFile(model) as archive:
        return {info.filename: (archive.read(info), info.date_time) for info in archive.infolist()}


def test_the_file_describes_itself(face_run, face_model):
    inside = members(face_model)
    assert set(inside) == {"vedette.json", "labels.txt", "golden.png"}
    assert inside["labels.txt"][0] == b"face"
    assert inside["golden.png"][0] == (face_run.run / "golden.png").read_bytes()
    assert {date for _, date in inside.values()} == {(1980, 1, 1, 0, 0, 0)}
    contract = json.loads(inside["vedette.json"][0])
    assert contract["schema"] == 1
    assert contract["input"] == json.loads((face_run.run / "contract.json").read_text())["input"]
    assert contract["golden"]["image"] == "golden.png"


def test_it_is_int8_through_and_through(face_model):
    with LiteRTEngine(network_of(face_model), label="model") as engine:
        (image,) = engine.inputs
        assert (image.name, image.dtype, image.shape) == ("image", np.uint8, (1, 64, 64, 3))
        assert image.scale == pytest.approx(1 / 255, rel=1e-6)
        assert image.zero_point == 0
        assert {str(spec.dtype) for spec in engine.outputs} == {"int8"}
        names = {f"{role}_{s}" for role in ("score", "box", "points") for s in (8, 16, 32)}
        assert {spec.name for spec in engine.outputs} == names


def test_its_operators_map_to_an_edge_tpu(face_model):
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(network_of(face_model), 0))
    known = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    used = {known[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes}
    # QUANTIZE makes int8 of the camera's uint8, once
    assert used == {"QUANTIZE", "CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "RESIZE_NEAREST_NEIGHBOR"}


def test_other_runtimes_find_the_standard_metadata(face_model):
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(network_of(face_model), 0))
    (entry,) = [m for m in model.metadata if m.name == b"TFLITE_METADATA"]
    data = bytes(model.buffers[entry.buffer].data)
    assert data[4:8] == b"M001"
    assert b"labels.txt" in data


def test_it_is_made_again_to_the_byte_and_int8_follows_float(face_run, face_model, tmp_path):
    agreements = convert(face_run.run, tmp_path / "again.tflite").chosen.outputs
    assert (tmp_path / "again.tflite").read_bytes() == face_model.read_bytes()
    assert len(agreements) == 9
    for agreement in agreements:
        assert agreement.cosine > 0.98, agreement  # 1 is the same; a level lost costs more than .02
        assert not agreement.constant


def test_the_golden_answer_is_the_models_own(face_model):
    inside = members(face_model)
    golden = json.loads(inside["vedette.json"][0])["golden"]
    picture = cv2.imdecode(np.frombuffer(inside["golden.png"][0], np.uint8), cv2.IMREAD_COLOR)
    with vedette.load(face_model) as detector:
        found = detector.detect(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    assert len(found.score) == len(golden["detections"])
    for i, wanted in enumerate(golden["detections"]):
        np.testing.assert_allclose(found.xyxy[i], wanted["box"], atol=golden["tolerance_px"])


def network_of(model):
    """Return the flatbuffer alone: what stands before the zip."""
    with zipfile.ZipFile(model) as archive:
        return open_model_file(model).data[: min(info.header_offset for info in archive.infolist())]


@pytest.mark.parametrize("name", ["model.keras", "calibration.npz", "golden.png", "contract.json"])
def test_a_run_that_lacks_a_file_is_refused(face_run, tmp_path, name):
    run = tmp_path / "run"
    shutil.copytree(face_run.run, run, ignore=shutil.ignore_patterns("backup", name))
    with pytest.raises(VedetteError, match=name):
        convert(run, tmp_path / "out.tflite")
    assert not list(tmp_path.glob("*.tflite"))


def test_a_damaged_contract_is_refused(face_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(face_run.run, run, ignore=shutil.ignore_patterns("backup"))
    (run / "contract.json").write_text('{"schema": 1,')
    with pytest.raises(VedetteError, match=r"contract\.json"):
        convert(run, tmp_path / "out.tflite")


def test_a_damaged_network_is_refused_with_the_converters_words(face_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(face_run.run, run, ignore=shutil.ignore_patterns("backup"))
    (run / "model.keras").write_bytes(b"no zip")
    with pytest.raises(VedetteError, match=r"converting .*model\.keras failed"):
        convert(run, tmp_path / "out.tflite")


def test_what_stands_there_stays_when_writing_fails(face_model, tmp_path):
    contract = json.loads(members(face_model)["vedette.json"][0])
    contract.pop("golden")
    golden = members(face_model)["golden.png"][0]
    target = tmp_path / "out.tflite"
    target.mkdir()  # cannot be replaced by a file, whoever runs this
    (target / "kept").touch()
    with pytest.raises(SinkError, match="untouched"):
        package(network_of(face_model), contract, golden, target)
    assert [p.name for p in tmp_path.iterdir()] == ["out.tflite"]
    assert (target / "kept").exists()


def test_no_run_at_all_is_one_sentence_on_the_command_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "vedette", "convert", tmp_path / "none", "-o", tmp_path / "x.tflite"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "there is nothing at" in done.stderr
    assert "none" in done.stderr
