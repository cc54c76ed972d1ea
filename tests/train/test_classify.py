"""A classifier from folders of pictures to a verified int8 file, on drawn shapes."""

import csv
import json
import re

import numpy as np
import pytest

from face_run import needs_tensorflow, run_program
from shapes import CLASSES, draw_shape, make_shapes
from vedette.errors import SettingsError
from vedette_train.evaluate_classify import classify_figures, confusion, surest_threshold

OPTIONS = [
    "--epochs=5", "--steps=50", "--batch=16", "--rate=0.004", "--freeze=0", "--input=64x64", "--name=shapes",
]  # fmt: skip


@pytest.fixture(scope="module")
def shapes_run(tmp_path_factory):
    """A run on drawn shapes, one picture of which is broken and one a copy, and the model converted from it."""
    folder = tmp_path_factory.mktemp("classify")
    data, run = make_shapes(folder / "data"), folder / "run"
    (data / "train" / "bar" / "0.png").write_bytes(b"no picture")
    (data / "train" / "bar" / "copy.png").write_bytes((data / "val" / "disc" / "0.png").read_bytes())
    run_program("-m", "vedette", "train", "classify", f"--data={data}", f"--out={run}", *OPTIONS)
    said = run_program("-m", "vedette", "convert", run, "-o", folder / "shapes.tflite")
    return data, run, folder / "shapes.tflite", said


@needs_tensorflow
@pytest.mark.timeout(300)
def test_it_learns_and_the_small_form_knows_as_much(shapes_run):
    """Chance is .33; the gate of the converter has judged both forms through `vedette classify`."""
    _, run, _, said = shapes_run
    metrics = json.loads((run / "metrics.json").read_text())["float"]
    assert metrics["top1"] > 0.8
    assert set(metrics["by_class"]) == set(CLASSES)
    judged = re.search(r"top1 +float ([\d.]+), int8 ([\d.]+) \(judged\)", said)
    assert judged
    assert float(judged[1]) == pytest.approx(metrics["top1"], abs=1e-4)
    assert float(judged[2]) > 0.8


@needs_tensorflow
@pytest.mark.timeout(300)
def test_a_pruned_run_learns_on_from_stored_outputs(shapes_run, tmp_path):
    data, run, _, _ = shapes_run
    files = [str(path.relative_to(data)) for path in sorted(data.glob("train/*/*.png"))]
    outputs = [[8.0 * (name in file) for name in CLASSES] for file in files]
    np.savez(tmp_path / "stored.npz", files=files, outputs=np.array(outputs, np.float32))
    words = [
        "-m",
        "vedette",
        "train",
        "classify",
        f"--data={data}",
        "--input=64x64",
        "--freeze=0",
        "--batch=16",
    ]
    small = tmp_path / "small"
    more = [f"--init={run}", "--prune=0.4", f"--teacher={tmp_path / 'stored.npz'}", f"--out={small}"]
    run_program(*words, *more, "--epochs=2", "--steps=30", "--rate=0.003")
    assert json.loads((small / "metrics.json").read_text())["float"]["top1"] > 0.8
    assert (small / "model.keras").stat().st_size < 0.75 * (run / "model.keras").stat().st_size


@needs_tensorflow
@pytest.mark.timeout(300)
def test_a_run_leaves_all_that_was_promised(shapes_run):
    _, run, _, _ = shapes_run
    files = {
        "model.keras", "contract.json", "calibration.npz", "preprocessing.npz", "golden.png", "settings.json",
        "metrics.json", "log.csv", "curves.png", "confusion.png", "report.html",
    }  # fmt: skip
    assert {p.name for p in run.iterdir()} >= files
    contract = json.loads((run / "contract.json").read_text())
    assert (contract["task"], contract["labels"]) == ("classification", list(CLASSES))
    assert 0 < contract["threshold"] <= 1
    images = np.load(run / "calibration.npz")["images"]
    assert (images.shape, images.dtype) == ((200, 64, 64, 3), np.uint8)
    environment = json.loads((run / "settings.json").read_text())["environment"]
    assert environment["backend"] == "tensorflow"
    with (run / "log.csv").open(newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0]


@needs_tensorflow
@pytest.mark.timeout(300)
def test_what_was_left_out_is_listed(shapes_run):
    """The broken picture is met when it is first drawn, the copy before anything is learned."""
    lines = (shapes_run[1] / "left_out.txt").read_text().splitlines()
    assert lines[0] == "train/bar/copy.png is a copy of val: val/disc/0.png"
    assert len(lines) == 2
    assert "0.png is not a picture" in lines[1]


@needs_tensorflow
@pytest.mark.timeout(300)
def test_the_report_opens_offline(shapes_run):
    text = (shapes_run[1] / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert text.count("data:image/png;base64,") >= 3  # curves, confusion, golden
    assert "top1" in text
    assert "<script" not in text


@needs_tensorflow
@pytest.mark.timeout(300)
def test_the_command_says_what_a_picture_shows(shapes_run, tmp_path):
    import cv2

    _, _, model, _ = shapes_run
    rng = np.random.default_rng(1)
    for name in CLASSES:
        cv2.imwrite(str(tmp_path / f"{name}.png"), draw_shape(name, rng))
    words = ["-m", "vedette", "classify", tmp_path, "--model", model, "--min-score", "0", "--json"]
    rows = [json.loads(line) for line in run_program(*words).splitlines()]
    assert len(rows) == 3
    assert sum(row["classes"][0]["label"] in row["source"] for row in rows) >= 2
    assert all(len(row["classes"]) == 1 for row in rows)
    plain = run_program("-m", "vedette", "classify", tmp_path / "disc.png", "--model", model, "--top", "3")
    assert plain.startswith(str(tmp_path / "disc.png"))
    assert "golden" in run_program("-m", "vedette", "inspect", model)
    assert "off by 0.00%" in run_program("-m", "vedette", "verify", model)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param({"input": (100, 96)}, "multiples of 32", id="input"),
        pytest.param({"smoothing": 1.0}, "smoothing is 1.0", id="smoothing"),
        pytest.param({"checked": 0}, "checked is 0", id="checked"),
        pytest.param({"backbone": "nowhere.tflite"}, "no backbone at nowhere.tflite", id="backbone"),
        pytest.param({"freeze": 12}, "freeze is 12 of 12", id="never unfrozen"),
        pytest.param({"prune": 0.5}, "give --init", id="prune what has not learned"),
        pytest.param({"teacher": "nobody.keras"}, "no teacher at nobody.keras", id="teacher"),
    ],
)
def test_settings_are_checked(options, told):
    from pathlib import Path

    from vedette_train.recipes.classify import Settings

    paths = {k: Path(v) if k in ("backbone", "teacher") else v for k, v in options.items()}
    with pytest.raises(SettingsError, match=re.escape(told)):
        Settings(data=Path("x"), **paths)


def test_figures_by_hand():
    answered, wanted = np.array([0, 0, 1, 1], np.int32), np.array([0, 0, 0, 1], np.int32)
    figures = classify_figures(answered, wanted, ["a", "b", "none"])
    assert figures == {"top1": 0.75, "balanced": 0.8333, "by_class": {"a": 0.6667, "b": 1.0}}
    assert confusion(answered, wanted, 2).tolist() == [[2, 1], [0, 1]]
    nothing = np.zeros(0, np.int32)
    assert classify_figures(nothing, nothing, ["a"]) == {"top1": 0.0, "balanced": 0.0, "by_class": {}}


@pytest.mark.parametrize(
    ("score", "right", "threshold"),
    [
        pytest.param([0.9, 0.8, 0.3], [True, True, False], 0.31, id="above what is wrong"),
        pytest.param([0.9, 0.2], [False, False], 1.0, id="never right"),
        pytest.param([], [], 1.0, id="nothing asked"),
    ],
)
def test_threshold(score, right, threshold):
    assert surest_threshold(np.array(score, np.float32), np.array(right, bool)) == threshold
