"""The object detector trained for real, a little: on drawn shapes, through conversion, judged through the SDK."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import vedette
from drawn_objects import LABELS, make_shapes
from face_run import needs_tensorflow, run_program

pytestmark = [needs_tensorflow, pytest.mark.timeout(400)]
HERE = Path(__file__).resolve().parent
OPTIONS = ["--epochs=5", "--steps=100", "--batch=8", "--size=96", "--input=96x96", "--rate=0.006"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Drawn shapes; one train picture is broken, one a copy of a val picture, and one val picture is broken."""
    folder = make_shapes(tmp_path_factory.mktemp("shapes") / "data")
    (folder / "3.png").write_bytes(b"no picture")
    (folder / "4.png").write_bytes((folder / "48.png").read_bytes())
    (folder / "50.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A short run of the real recipe with the small body."""
    out = tmp_path_factory.mktemp("detect") / "run"
    run_program(
        "-m",
        "vedette",
        "train",
        "detect",
        f"--data={data}",
        f"--out={out}",
        "--partial=half=disc",
        *OPTIONS,
        timeout_s=380,
    )
    return out


@pytest.fixture(scope="module")
def model(run):
    out = run.parent / "shapes.tflite"
    run_program("-m", "vedette", "convert", run, "-o", out, "--no-evaluation")
    return out


def test_a_run_leaves_what_the_converter_needs(run):
    contract = json.loads((run / "contract.json").read_text())
    assert contract["task"] == "object-detection"
    assert sorted(contract["labels"]) == sorted(LABELS)
    assert contract["input"]["size_wh"] == [96, 96]
    images = np.load(run / "calibration.npz")["images"]
    assert images.shape[1:] == (96, 96, 3)
    assert (images.min(), images.max()) == (0, 255)
    figures = json.loads((run / "metrics.json").read_text())["float"]
    assert set(figures["by_class"]) == set(LABELS)


def test_broken_pictures_and_copies_are_left_out_and_listed(run):
    lines = (run / "left_out.txt").read_text().splitlines()
    assert lines[0] == "4.png is a copy of val: 48.png"
    assert len(lines) == 2
    assert "3.png is not a picture" in lines[1]


def test_it_shows_its_worst_answers_and_its_curves(run):
    for name in ("worst.png", "pr_curves.png", "curves.png"):
        assert cv2.imread(str(run / name)).size
    page = (run / "report.html").read_text()
    assert "Worst answers" in page
    assert "Precision over recall" in page


def test_it_learns_and_int8_through_the_sdk_is_as_good(run, data, model):
    """An untrained network's AP50 is 0 for any seed; this short run reaches .6."""
    wanted = json.loads((run / "metrics.json").read_text())["float"]["ap50"]
    words = ["--data", data, "--classes", ",".join(json.loads((run / "contract.json").read_text())["labels"])]
    said = run_program("-m", "vedette_train.judge_detect", model, *words).splitlines()[-1]
    assert wanted > 0.3
    assert json.loads(said)["ap50"] > wanted - 0.05


def test_the_packaged_model_is_a_detector(model):
    with vedette.load(model) as detector:
        assert sorted(detector.detect(np.zeros((50, 70, 3), np.uint8)).labels) == sorted(LABELS)
        assert "off by 0.00 px" in detector.replay_golden()


@pytest.fixture(scope="module")
def cases():
    return json.loads(run_program(HERE / "loss_check.py").splitlines()[-1])


def test_each_object_gets_the_places_that_serve_it_best(cases):
    assert {tuple(box) for box in map(tuple, cases["box"])} == {(7, 9, 39, 43)}
    assert 1 <= cases["places"] <= 10
    assert cases["most"] == pytest.approx(1.0)
    assert cases["quality"][0] == 0
    overlap = 29 * 31 / (32 * 34 + 32 * 32 - 29 * 31)
    assert cases["quality"][1] == pytest.approx(overlap, abs=1e-3)


def test_no_object_is_left_without_a_place(cases):
    places, weight, quality = cases["far"]  # boxes that all miss it: drawn to it, but not called sure
    assert places >= 1
    assert weight == pytest.approx(1.0)
    assert quality == 0
    assert cases["tiny"] >= 1
    assert cases["two"] == [[0, 0, 30, 30], [2, 2, 64, 64]]


def test_unlabelled_classes_cost_nothing(cases):
    assert cases["unknown loud"] == pytest.approx(cases["unknown"])
    assert cases["known loud"] > 10 * cases["nothing"]


def test_overlap_and_distance_are_those_of_the_paper(cases):
    assert cases["iou"] == pytest.approx([1 / 7, 2 / 18])
    assert np.isfinite(cases["finite"])
