"""`vedette run` and `vedette detect --tiles` with models of others, on engines that answer as asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from drawn_graphs import runnable_classifier
from strangers import stranger
from vedette import app
from vedette.cli import main
from vedette.contract import ModelFile
from vedette.testing import FakeEngine

POINTS = np.full((1, 1, 17, 3), 0.5, np.float32)
MAPS = np.zeros((1, 4, 8), np.int64)
MAPS[0, :, 4:] = 1
SCORES = np.float32([[0.1, 0.7, 0.2]])
CLASSIFY = {"type": "classify", "activation": "none", "label_offset": 0}
ANSWERS: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], tuple[str, ...]]] = {
    "classes": (CLASSIFY, {"scores": SCORES}, ("a", "b", "c")),
    "shares": ({"type": "segment", "kind": "argmax"}, {"classes": MAPS}, ("background", "cat")),
    "poses": ({"type": "movenet"}, {"keypoints": POINTS}, ()),
    "size_wh": (
        {"type": "image-to-image", "scale": 1, "range": "unit"},
        {"image": np.full((1, 32, 64, 3), 0.5, np.float32)},
        (),
    ),
    "embedding": ({"type": "embed", "normalize": False}, {"embedding": np.float32([[3, 4]])}, ()),
    "boxes": (
        {
            "type": "yolo",
            "layout": "channels-last",
            "objectness": False,
            "units": "pixels",
            "box": "xyxy",
            "end_to_end": True,
            "nms_iou": 0.5,
        },
        {"predictions": np.float32([[[16, 8, 48, 24, 0.9, 1]]])},
        ("a", "b"),
    ),
}
Use = Callable[[str], FakeEngine]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Let the command open a model that answers with one of `ANSWERS`."""

    def set_up(name: str) -> FakeEngine:
        head, answers, labels = ANSWERS[name]
        engine, file = stranger(head, answers, labels=labels)

        def open_model(*_: object, **__: object) -> ModelFile:
            return file

        monkeypatch.setattr(app, "open_model", open_model)
        monkeypatch.setattr(app, "LiteRTEngine", lambda *_, **__: engine)
        return engine

    return set_up


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.full((64, 128, 3), 100, np.uint8))
    return path


@pytest.mark.parametrize(
    ("name", "json_says", "text"),
    [
        pytest.param("classes", [{"label": "b", "class_id": 1, "score": 0.7}], "b 0.70", id="classes"),
        pytest.param("shares", {"background": 0.5, "cat": 0.5}, "background 50.0%, cat 50.0%", id="segments"),
        pytest.param("poses", None, "person 0.50 nose [64 32] left_eye [64 32]", id="poses"),
        pytest.param("size_wh", [128, 64], "128x64", id="picture"),
        pytest.param("embedding", [3.0, 4.0], "2 numbers, 3.000 4.000 ...", id="embedding"),
    ],
)
def test_each_task_is_told_and_drawn(
    use: Use, photo: Path, capsys: pytest.CaptureFixture[str], name: str, json_says: Any, text: str
) -> None:
    engine = use(name)
    out = photo.parent / "out"
    assert main(["run", str(photo), "--model", "any.tflite", "--min-score", "0.3", "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith(f"{photo}: {text}")
    assert cv2.imread(str(out / "photo.jpg")).shape == (64, 128, 3)
    assert main(["run", str(photo), "--model", "any.tflite", "--min-score", "0.3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["source"], told["index"]) == (str(photo), 0)
    assert told[name] == json_says or (name == "poses" and told["poses"][0]["points"]["nose"]["x"] == 64)
    assert engine.closed == 2


def test_one_picture_that_fails_does_not_end_the_rest(
    use: Use, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use("classes")
    assert main(["run", str(photo.parent / "none.png"), str(photo), "--model", "any.tflite"]) == 3
    said = capsys.readouterr()
    assert str(photo) in said.out
    assert "none.png" in said.err


def test_a_detector_is_sent_to_its_own_verb(
    use: Use, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use("boxes")
    assert main(["run", str(photo), "--model", "any.tflite"]) == 4
    assert "vedette detect --model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "runs", "boxes"),
    [
        pytest.param([], 1, ["b 0.90 [32 16 96 48]"], id="whole"),
        pytest.param(["--tiles", "2x1", "--overlap", "0"], 3, ["b 0.90 [16 16 48 48]", "b 0.90 [32 16 96 48]",
                                                               "b 0.90 [80 16 112 48]"], id="tiles"),
    ],
)  # fmt: skip
def test_detect_looks_at_tiles(
    use: Use, photo: Path, capsys: pytest.CaptureFixture[str], extra: list[str], runs: int, boxes: list[str]
) -> None:
    engine = use("boxes")
    assert main(["detect", str(photo), "--model", "any.tflite", *extra]) == 0
    said = capsys.readouterr().out
    assert len(engine.fed) == runs
    assert all(box in said for box in boxes)
    assert said.count("0.90") == len(boxes)


def test_an_overlap_without_tiles_is_refused(
    use: Use, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use("boxes")
    assert main(["detect", str(photo), "--model", "any.tflite", "--overlap", "0.1"]) == 2
    assert "--tiles 2x2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "kind"), [("seen.png", b"\x89PNG"), ("seen.jpg", b"\xff\xd8\xff")], ids=["PNG", "JPEG"]
)
def test_one_picture_is_written_as_its_name_says(use: Use, photo: Path, name: str, kind: bytes) -> None:
    use("size_wh")
    out = photo.with_name(name)
    assert main(["run", str(photo), "--model", "any.tflite", "--out", str(out)]) == 0
    assert out.read_bytes().startswith(kind)
    if name.endswith(".png"):
        assert set(cv2.imread(str(out)).ravel()) == {128}  # half, and not what JPEG makes of it


def test_a_second_picture_has_no_room_in_one_file(
    use: Use, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use("size_wh")
    second = photo.with_name("second.png")
    second.write_bytes(photo.read_bytes())
    out = photo.with_name("out.png")
    assert main(["run", str(photo), str(second), "--model", "any.tflite", "--out", str(out)]) == 5
    assert "for more than one picture name a folder" in capsys.readouterr().err
    assert main(["run", str(photo), "--model", "any.tflite", "--out", str(photo)]) == 5
    assert "it is read from" in capsys.readouterr().err
    assert main(["run", str(photo), "--model", "any.tflite", "--out", str(photo.with_name("x.webp"))]) == 2


def test_classify_takes_what_a_file_does_not_say(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of another's file of twelve classes: their names, what it is; a list of another length names both numbers."""
    model, labels = photo.with_name("other.tflite"), photo.with_name("labels.txt")
    model.write_bytes(runnable_classifier())
    labels.write_text("\n".join(f"kind {i}" for i in range(12)))
    words = ["classify", str(photo), "--model", str(model), "--min-score", "0"]
    assert main([*words, "--labels", str(labels)]) == 0
    assert f"{photo}: kind " in capsys.readouterr().out
    assert main([*words, "--head", "embed"]) == 4
    assert "does not fit --head embed" in capsys.readouterr().err
    labels.write_text("kind 0\nkind 1\n")
    assert main([*words, "--labels", str(labels)]) == 4
    said = capsys.readouterr().err
    assert "12" in said
    assert "2" in said
