"""Golden samples of models without a head of their own: what is stored, what is compared, and what is noticed."""

import json
import zipfile
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from asked import ask
from vedette.contract import Golden, open_model_file
from vedette.engines.litert import LiteRTEngine
from vedette.errors import ModelError, VedetteError
from vedette.models.face import FaceDetector
from vedette.models.golden import open_replayer, record
from vedette.models.raw import RawNetwork
from vedette.sources.images import decode_image
from vedette.zoo import find


@pytest.fixture(scope="module")
def face_file():
    return open_model_file(find("face-detector"))


@pytest.fixture(scope="module")
def engine(face_file):
    with LiteRTEngine(face_file.data, threads=1) as engine:
        yield engine


@pytest.fixture(scope="module")
def raw_file(face_file, engine):
    """The face detector's file as if nobody knew its head, with the answer that a conversion would store."""
    file = replace(
        face_file, contract=replace(face_file.contract, head=MappingProxyType({"type": "unheard-of"}))
    )
    image = face_file.contract.golden.image
    stored = record(engine, file, decode_image(image, label="golden"))
    golden = Golden(
        image, stored["tolerance_px"], stored["tolerance_score"], (), MappingProxyType(stored["outputs"])
    )
    return replace(file, contract=replace(file.contract, golden=golden))


def test_the_head_decides_who_replays(face_file, raw_file, engine):
    assert isinstance(open_replayer(engine, face_file), FaceDetector)
    assert isinstance(open_replayer(engine, raw_file), RawNetwork)


def test_a_known_head_stores_what_was_found(face_file, engine):
    stored = record(engine, face_file, decode_image(face_file.contract.golden.image, label="golden"))
    assert len(stored["detections"]) == len(face_file.contract.golden.detections) == 1
    np.testing.assert_allclose(stored["detections"][0]["box"], face_file.contract.golden.detections[0]["box"])
    assert json.dumps(stored)
    assert "outputs" not in stored


def test_an_unknown_head_stores_the_raw_outputs(raw_file, engine):
    outputs = raw_file.contract.golden.outputs
    assert set(outputs) == {spec.name for spec in engine.outputs}
    assert {len(o["values"]) for o in outputs.values()} == {64}
    assert all(o["spread"] > 0 for o in outputs.values())
    assert RawNetwork(engine, raw_file).replay_golden() == "9 output(s), off by 0.00% of their spread"


def test_another_answer_is_noticed(raw_file, engine):
    golden = raw_file.contract.golden
    score = golden.outputs["score_8"]
    moved = {**score, "values": [v + 0.06 * score["spread"] for v in score["values"]]}
    outputs = MappingProxyType({**golden.outputs, "score_8": moved})
    wrong = replace(raw_file, contract=replace(raw_file.contract, golden=replace(golden, outputs=outputs)))
    with pytest.raises(VedetteError, match=r"6\.0% of its spread away .* in score_8"):
        RawNetwork(engine, wrong).replay_golden()
    missing = MappingProxyType({k: v for k, v in golden.outputs.items() if k != "score_8"})
    lacking = replace(raw_file, contract=replace(raw_file.contract, golden=replace(golden, outputs=missing)))
    with pytest.raises(VedetteError, match="score_8"):
        RawNetwork(engine, lacking).replay_golden()


def test_without_a_golden_sample_nothing_can_be_replayed(raw_file, engine):
    bare = replace(raw_file, contract=replace(raw_file.contract, golden=None))
    with pytest.raises(ModelError, match="no golden sample"):
        RawNetwork(engine, bare).replay_golden()


def test_verify_names_each_runtime_and_what_it_compared(capsys):
    said = ask(capsys, "verify", "face-detector")
    assert said.code == 0
    assert said.out.startswith("  ok  litert: ai-edge-litert ")
    assert "1 face(s)" in said.out


def test_verify_fails_where_the_answer_differs(tmp_path, capsys):
    """The same network with another stored answer: one box, moved by ten pixels."""
    source, moved = find("face-detector"), tmp_path / "moved.tflite"
    with zipfile.ZipFile(source) as archive:
        start = min(info.header_offset for info in archive.infolist())
        members = {name: archive.read(name) for name in archive.namelist()}
    contract = json.loads(members["vedette.json"])
    contract["golden"]["detections"][0]["box"][0] += 10
    moved.write_bytes(source.read_bytes()[:start])
    with zipfile.ZipFile(moved, "a") as archive:
        for name, data in {**members, "vedette.json": json.dumps(contract)}.items():
            archive.writestr(name, data)
    said = ask(capsys, "verify", moved, "--json")
    assert said.code == 1
    verdict = json.loads(said.out.splitlines()[0])
    assert (verdict["runtime"], verdict["holds"]) == ("litert", False)
    assert "10.00 px" in verdict["detail"]


def test_verify_of_no_model_at_all(capsys, tmp_path):
    assert ask(capsys, "verify", tmp_path / "none.tflite").code == 4
