"""Train for real, a little: it learns, it leaves what was promised, it refuses what it cannot do."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import vedette
from drawn import make_data
from face_run import needs_tensorflow, run_program
from vedette_train.data.faces import read_faces
from vedette_train.evaluate import average_precision, judge

pytestmark = [needs_tensorflow, pytest.mark.timeout(300)]
TOY = Path(__file__).resolve().parent.parent / "toy.py"
SHORT = ["--epochs=2", "--steps=3", "--batch=2", "--size=64", "--seed=1", "--input=64x64"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("short") / "data")


def words(data, run, *options):
    return ["train", "faces", f"--data={data}", f"--out={run}", *options]


def log(run):
    with (run / "log.csv").open(newline="") as file:
        return [(row["epoch"], row["loss"]) for row in csv.DictReader(file)]


def test_it_learns_to_find_drawn_faces(face_run, face_model):
    """An untrained network's AP is 0 for any seed; this short run reaches .37."""
    losses = [float(loss) for _, loss in log(face_run.run)]
    assert losses[-1] < 0.5 * losses[0]
    with vedette.load(face_model, min_score=0.05) as detector:
        judged = []
        for photo in read_faces(face_run.data, split="val"):
            found = detector.detect(vedette.read_image(photo.path))
            judged.append(
                judge(
                    found.xyxy,
                    found.score,
                    found.landmarks,
                    wanted=photo.xyxy,
                    ignored=np.zeros((0, 4), np.float32),
                )
            )
    assert average_precision(judged) > 0.2


def test_a_run_leaves_what_the_converter_needs(face_run):
    wanted = {"model.keras", "contract.json", "calibration.npz", "golden.png", "settings.json", "log.csv"}
    assert {p.name for p in face_run.run.iterdir()} >= wanted
    contract = json.loads((face_run.run / "contract.json").read_text())
    assert contract["input"]["size_wh"] == [64, 64]
    assert 0 < contract["threshold"] < 1
    images = np.load(face_run.run / "calibration.npz")["images"]
    assert images.shape[1:] == (64, 64, 3)
    assert images.dtype == np.uint8
    assert (
        images.min((1, 2, 3)).max() == 255
    )  # one is white and one black: the input's scale is 1/255 exactly
    assert images.max((1, 2, 3)).min() == 0


def test_it_shows_its_worst_answers_and_its_curve(face_run):
    for name in ("worst.png", "pr_curves.png"):
        assert cv2.imread(str(face_run.run / name)).size


def test_it_begins_with_another_runs_weights(face_run, tmp_path):
    more = ["--epochs=1", "--steps=3", "--batch=8", "--size=64", "--rate=0.0001", "--input=64x64"]
    run_program("-m", "vedette", *words(face_run.data, tmp_path / "more", f"--init={face_run.run}", *more))
    first, last = (float(log(face_run.run)[i][1]) for i in (0, -1))
    assert float(log(tmp_path / "more")[0][1]) < (first + last) / 2


def test_what_cannot_be_is_refused_in_one_sentence(data, face_run, tmp_path):
    new = tmp_path / "run"
    cases = [
        (words(data, new, "--epochs=0"), 2, "epochs is 0"),
        (words(data, new, "--rate=-1"), 2, "rate is -1"),
        (words(data, new, "--size=100"), 2, "multiple of 32"),
        (words(data, new, "--input=320"), 2, "--input is '320'"),
        (words(data, new, "--input=300x320"), 2, "multiples of 32"),
        (words(data, new, "--epochs=many"), 2, "--epochs"),
        (words(tmp_path / "nowhere", new, *SHORT), 1, "--data"),
        (words(face_run.data, face_run.run, *SHORT), 2, "other settings"),
    ]
    said = json.loads(run_program(TOY, "--each", json.dumps([case[0] for case in cases])))
    for (command, code, told), (found_code, found_told) in zip(cases, said, strict=True):
        assert (found_code, told in found_told) == (code, True), (command, found_code, found_told)
        assert found_told.count("\n") == 1
