"""Tiles: they cover the picture, and what several of them saw is told once, where it is."""

from __future__ import annotations

import numpy as np
import pytest

import vedette
from strangers import stranger
from vedette import app
from vedette.errors import SettingsError
from vedette.models.tiles import TiledDetector, merge, tile_boxes
from vedette.settings import Tiling, parse_stage, parse_tiling
from vedette.testing import FakeEngine


@pytest.mark.parametrize(
    "tiling", [Tiling(2, 2), Tiling(3, 1, 0.5), Tiling(1, 1), Tiling(8, 8, 0.0)], ids=str
)
@pytest.mark.parametrize("size_wh", [(640, 480), (1, 1), (333, 77)], ids=str)
def test_tiles_cover_the_picture(size_wh: tuple[int, int], tiling: Tiling) -> None:
    seen = np.zeros(size_wh[::-1], int)
    for x1, y1, x2, y2 in tile_boxes(size_wh, tiling):
        assert 0 <= x1 < x2 <= size_wh[0]
        assert 0 <= y1 < y2 <= size_wh[1]
        seen[y1:y2, x1:x2] += 1
    assert seen.min() >= 1


def test_tiles_overlap_as_asked() -> None:
    (left, _, right, _), (other, *_) = tile_boxes((1800, 100), Tiling(2, 1, 0.2))
    assert (right - left, other) == (1000, 800)


WHOLE, LEFT, RIGHT, NEAR = [10, 10, 50, 50], [10, 10, 30, 50], [30, 10, 50, 50], [40, 12, 80, 50]


@pytest.mark.parametrize(
    ("boxes", "score", "class_id", "cut", "kept"),
    [
        pytest.param([WHOLE, WHOLE], [0.5, 0.9], [0, 0], [0, 0], [1], id="seen twice"),
        pytest.param(
            [WHOLE, LEFT, RIGHT], [0.4, 0.9, 0.8], [0] * 3, [0, 1, 1], [0], id="whole before its parts"
        ),
        pytest.param([WHOLE, LEFT], [0.4, 0.9], [0, 1], [0, 1], [1, 0], id="another class"),
        pytest.param([WHOLE, NEAR], [0.4, 0.9], [0, 0], [0, 0], [1, 0], id="two neighbours"),
        pytest.param([WHOLE, LEFT], [0.9, 0.4], [0, 0], [0, 0], [0, 1], id="small in front of large, uncut"),
        pytest.param(np.zeros((0, 4)), [], [], [], [], id="nothing"),
    ],
)
def test_merge(boxes, score, class_id, cut, kept) -> None:
    columns = np.float32(boxes), np.float32(score), np.int32(class_id), np.array(cut, bool)
    assert merge(*columns).tolist() == kept


def bright_spot(buffers: list[np.ndarray]) -> list[np.ndarray]:
    """Answer as a detector that finds what is bright, if at the network's resolution there is anything left of it."""
    rows, columns = np.nonzero(buffers[0][0, :, :, 0] > 200)
    found = np.zeros((1, 8, 6), np.float32)
    if len(rows):
        low, high = np.array([columns.min(), rows.min()]), np.array([columns.max() + 1, rows.max() + 1])
        found[0, 0] = (*low, *high, 0.9, 1)
    return [found]


def detector() -> vedette.Detector:
    head = {
        "type": "yolo", "layout": "channels-last", "objectness": False, "units": "pixels", "box": "xyxy",
        "end_to_end": True, "nms_iou": 0.5,
    }  # fmt: skip
    engine, file = stranger(head, {"predictions": np.zeros((1, 8, 6), np.float32)}, labels=("dark", "bright"))
    return vedette.Detector(FakeEngine(engine.inputs, engine.outputs, bright_spot), file)


def test_tiles_find_what_the_whole_picture_loses() -> None:
    image = np.zeros((320, 640, 3), np.uint8)
    image[200:204, 100:104] = 255  # between the places where a network of 64 x 32 looks
    one = detector()
    assert len(one.detect(image)) == 0
    with TiledDetector(one, Tiling(4, 4, 0.2)) as tiled:
        found = tiled.detect(image)
    assert found.names == ["bright"]
    np.testing.assert_allclose(
        found.xyxy[0], [100, 200, 106, 206], atol=6
    )  # a pixel of the network is 3 here


def test_a_large_thing_is_told_once() -> None:
    image = np.zeros((320, 640, 3), np.uint8)
    image[100:260, 200:440] = 255
    found = TiledDetector(detector(), Tiling(2, 2)).detect(image)
    assert len(found) == 1
    np.testing.assert_allclose(found.xyxy[0], [200, 100, 440, 260], atol=10)


def test_faces_keep_their_landmarks() -> None:
    head = {
        "type": "blazeface", "strides": [8, 16, 16, 16], "interpolated_scale_aspect_ratio": 1.0, "scale": 128,
        "nms_iou": 0.3,
    }  # fmt: skip
    answers = {
        "box_encodings": np.zeros((1, 896, 16), np.float32),
        "scores": np.full((1, 896, 1), -100, np.float32),
    }
    answers["scores"][0, 300], answers["box_encodings"][0, 300, 2:4] = 3, 16
    engine, file = stranger(head, answers, labels=("face",), size_wh=(128, 128))
    found = TiledDetector(vedette.FaceDetector(engine, file), Tiling(2, 1, 0.0)).detect(
        np.zeros((64, 256, 3), np.uint8)
    )
    assert found.landmarks.shape == (len(found), 5, 2)
    np.testing.assert_allclose(found.landmarks[:, 2], (found.xyxy[:, :2] + found.xyxy[:, 2:]) / 2, atol=1e-3)


def test_the_stage_takes_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "load", lambda *_, **__: detector())
    with app.make_stage("objects=any.tflite?tiles=3x2&overlap=0.3") as stage:
        assert isinstance(stage.detector, TiledDetector)
        assert stage.detector.tiling == Tiling(3, 2, 0.3)
        before = stage.detector.min_score
        app.make_stage("track?weak=0.5", after=[stage])
        assert stage.detector.detector.min_score == before * 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("objects=a?tiles=2", "give columns x rows"),
        ("objects=a?tiles=0x2", "give columns x rows"),
        ("objects=a?tiles=99x99", "up to 64 tiles"),
        ("objects=a?tiles=2x2&overlap=0.9", "allowed is 0.0 to 0.8"),
        ("objects=a?overlap=0.2", "give tiles too"),
        ("track?tiles=2x2", "unknown option of stage track 'tiles'"),
        ("objects=a?tile=2x2", "did you mean 'tiles'"),
    ],
)
def test_impossible_tiles_are_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_stage(text)


def test_an_overlap_out_of_range_is_refused() -> None:
    with pytest.raises(SettingsError, match="overlap is 2"):
        parse_tiling("2x2", 2)
