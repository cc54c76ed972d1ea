"""Scores of strangers, measured by the converted model and carried in its file."""

import json
import shutil
import zipfile

import numpy as np
import pytest

from drawn_people import make_people
from vedette.contract import open_model_file
from vedette.errors import ModelError
from vedette.models.recognize import impostors_of
from vedette.zoo import bundled
from vedette_train.impostors import attach, main

needs_model = pytest.mark.skipif(
    "face-embedder" not in bundled(), reason="the model face-embedder is not bundled here"
)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.tflite"
    shutil.copy(bundled()["face-embedder"], path)
    return path


@needs_model
def test_the_scores_are_in_the_file_and_the_model_is_the_same(model, tmp_path, capsys):
    data = make_people(tmp_path / "data", train=4, val=12, photos=2, web=1)
    before = open_model_file(model)
    assert main([str(model), "--data", str(data), "--pairs", "150"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["people"], told["scores"]) == (12, 150)
    after = open_model_file(model)  # the network's bytes are held to their hash
    assert after.contract == before.contract
    found = impostors_of(after)
    assert (found.total, found.people, found.model_sha256) == (150, 12, after.sha256)
    assert found.highest[0] == pytest.approx(told["cosine_at_rate"]["0.0001"], abs=1e-3)


@needs_model
def test_a_dry_run_writes_nothing(model, tmp_path, capsys):
    data = make_people(tmp_path / "data", train=3, val=3, photos=2, web=1)
    before = model.read_bytes()
    assert main([str(model), "--data", str(data), "--split", "train", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["people"] == 3
    assert model.read_bytes() == before


def test_attached_anew_it_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"network")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("vedette.json", "{}")
    for content in (b"one", b"two"):
        attach(path, content)
    assert path.read_bytes().startswith(b"network")
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["impostors.npz", "vedette.json"]
        assert archive.read("impostors.npz") == b"two"
    assert [one.name for one in tmp_path.iterdir()] == ["model.tflite"]


def test_a_file_without_a_contract_is_refused(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(np.zeros(100, np.uint8).tobytes())
    with pytest.raises(ModelError, match="carries no contract"):
        attach(path, b"")
