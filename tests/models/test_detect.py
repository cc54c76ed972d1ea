"""The object detector: classes and coordinates, what it refuses, and how the app and the command take it."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vedette import app
from vedette.contract import Contract, Golden, InputContract, ModelFile, OutputContract
from vedette.errors import ModelError, VedetteError
from vedette.models.detect import Detector
from vedette.models.maps import golden_answer
from vedette.testing import FakeEngine, fake_image, spec

SIDE, STRIDE = 64, 8
PLACES = SIDE // STRIDE
LABELS = ("person", "car")
HEAD = {"type": "detect", "strides": [STRIDE], "nms_iou": 0.5}
OUTPUTS = (OutputContract("score_8", "score", STRIDE), OutputContract("box_8", "box", STRIDE))
SPECS = (spec("score_8", (1, PLACES, PLACES, 2)), spec("box_8", (1, PLACES, PLACES, 4)))
PICTURE = spec("image", (1, SIDE, SIDE, 3), "uint8", scale=1 / 255)
CONTRACT = Contract(
    name="toy",
    version="1",
    task="object-detection",
    head=HEAD,
    input=InputContract("image", (SIDE, SIDE), "rgb", "letterbox", 114, (0.0,) * 3, (255.0,) * 3),
    outputs=OUTPUTS,
    labels=LABELS,
    threshold=0.5,
    license="CC0",
    training_data=(),
    metrics={},
    golden=None,
)


def maps(*objects: tuple[int, int, int, float]) -> list[NDArray[np.float32]]:
    """Return raw outputs with 16 px objects at (column, row) of a class and a logit."""
    score = np.full((1, PLACES, PLACES, len(LABELS)), -20, np.float32)
    box = np.zeros((1, PLACES, PLACES, 4), np.float32)
    box[..., 2:] = np.log(16 / STRIDE)
    for column, row, class_id, logit in objects:
        score[0, row, column, class_id] = logit
    return [score, box]


def toy(*objects: tuple[int, int, int, float], **contract: Any) -> Detector:
    model = ModelFile(Path("toy.tflite"), b"", "0" * 64, replace(CONTRACT, **contract))
    return Detector(FakeEngine([PICTURE], SPECS, maps(*objects)), model)


def test_nothing_found_is_detections_of_the_same_kind() -> None:
    found = toy().detect(fake_image(0, (100, 50)))
    assert (found.xyxy.shape, found.score.shape, found.labels) == ((0, 4), (0,), LABELS)
    assert (found.class_id.dtype, found.track_id.dtype) == (np.int32, np.int32)


def test_classes_and_coordinates_come_back_to_the_picture() -> None:
    found = toy((4, 3, 1, 2.0), (0, 3, 0, 3.0)).detect(fake_image(0, (128, 64)))
    np.testing.assert_allclose(found.xyxy, [(0, 8, 24, 40), (56, 8, 88, 40)], atol=1e-3)
    assert [found.labels[i] for i in found.class_id] == ["person", "car"]
    np.testing.assert_allclose(found.score, 1 / (1 + np.exp([-3.0, -2.0])), rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"head": {**HEAD, "type": "face"}}, r"\(head 'face'\), not objects", id="head"),
        pytest.param({"head": {"type": "detect", "nms_iou": 0.4}}, "needs 'strides'", id="no strides"),
        pytest.param({"head": {**HEAD, "nms_iou": 4}}, "nms_iou 4", id="overlap out of range"),
        pytest.param({"outputs": OUTPUTS[::-1]}, "Convert it again", id="roles out of order"),
        pytest.param({"labels": ()}, "a label", id="no label"),
        pytest.param(
            {"labels": ("a", "b", "c")},
            r"score_8 is \(1, 8, 8, 2\), a detect head reads \(1, 8, 8, 3\)",
            id="labels",
        ),
    ],
)
def test_a_contract_that_does_not_hold_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        toy(**changes)


def with_golden(*objects: tuple[int, int, int, float]) -> Golden:
    """Return the golden sample of a toy that finds `objects` in a grey picture."""
    import cv2

    _, png = cv2.imencode(".png", fake_image(99, (SIDE, SIDE)))
    answer = golden_answer(toy(*objects).detect(fake_image(99, (SIDE, SIDE))))
    return Golden(png.tobytes(), 2.0, 0.05, tuple(answer))


@pytest.mark.parametrize(
    ("objects", "holds"),
    [
        pytest.param([(4, 3, 1, 2.0)], True, id="the same"),
        pytest.param([(4, 3, 1, 2.1)], True, id="nearly the same score"),
        pytest.param([(4, 3, 1, 3.0)], False, id="another score"),
        pytest.param([(4, 3, 0, 2.0)], False, id="another class"),
        pytest.param([(5, 3, 1, 2.0)], False, id="another place"),
        pytest.param([], False, id="nothing"),
    ],
)
def test_the_golden_sample_is_replayed(objects: list[tuple[int, int, int, float]], holds: bool) -> None:
    detector = toy(*objects, golden=with_golden((4, 3, 1, 2.0)))
    if holds:
        assert detector.replay_golden().startswith("1 object(s), off by 0.00 px")
    else:
        with pytest.raises(VedetteError, match="golden sample"):
            detector.replay_golden()


def model_file(folder: Path, head: dict[str, Any]) -> Path:
    """Write a file with a contract behind no network, enough for `open_model_file`."""
    contract = {
        "schema": 1, "name": "toy", "version": "1", "task": "object-detection", "head": head, "labels": list(LABELS),
        "input": {"name": "image", "size_wh": [SIDE, SIDE], "color": "rgb", "resize": "letterbox", "pad_value": 114,
                  "mean": [0, 0, 0], "std": [255, 255, 255]},
        "outputs": [{"name": o.name, "role": o.role, "stride": o.stride} for o in OUTPUTS],
        "threshold": 0.5, "license": "CC0",
    }  # fmt: skip
    data = io.BytesIO(b"\0\0\0\0TFL3")
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr("vedette.json", json.dumps(contract))
    path = folder / "toy.tflite"
    path.write_bytes(data.getvalue())
    return path


@pytest.fixture
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine([PICTURE], SPECS, maps((4, 3, 1, 2.0)))
    monkeypatch.setattr(app, "LiteRTEngine", lambda *_, **__: engine)
    return engine


def test_the_stage_objects_takes_a_file(fake_engine: FakeEngine, tmp_path: Path) -> None:
    path = model_file(tmp_path, HEAD)
    with app.make_stage(f"objects={path}?min_score=0.2") as stage:
        assert stage.name == "objects"
        assert len(stage.detector.detect(fake_image())) == 1
        assert stage.detector.min_score == 0.2  # type: ignore[attr-defined]
    assert fake_engine.closed == 1


def test_a_stage_refuses_what_another_finds(fake_engine: FakeEngine, tmp_path: Path) -> None:
    path = model_file(tmp_path, HEAD)
    with pytest.raises(ModelError, match=f"finds objects; name the stage so: objects={path}"):
        app.make_stage(f"faces={path}")
    assert fake_engine.closed == 1


def test_a_model_of_another_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"object-detection \(head 'classify'\), not for finding"):
        app.load(model_file(tmp_path, {"type": "classify"}))


def test_the_stage_takes_the_bundled_model() -> None:
    with app.make_stage("objects") as stage:
        assert stage.detector.model.contract.labels == ("person", "car", "motorcycle", "bus", "truck")
