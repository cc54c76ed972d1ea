"""The face detector: coordinates there and back, thresholds, what it refuses, and its golden sample."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vedette.app import load
from vedette.contract import Contract, InputContract, ModelFile, OutputContract
from vedette.errors import EngineError, ModelError, SettingsError, VedetteError
from vedette.models.face import FaceDetector, check_image
from vedette.testing import FakeEngine, fake_image, spec

SIDE, STRIDE = 64, 8
PLACES = SIDE // STRIDE
MAPS = {"score": 1, "box": 4, "points": 10}
HEAD = {"type": "face", "strides": [STRIDE], "nms_iou": 0.4}
OUTPUTS = tuple(OutputContract(f"{role}_{STRIDE}", role, STRIDE) for role in MAPS)
SPECS = tuple(spec(f"{role}_{STRIDE}", (1, PLACES, PLACES, n)) for role, n in MAPS.items())
PICTURE = spec("image", (1, SIDE, SIDE, 3), "uint8", scale=1 / 255)
CONTRACT = Contract(
    name="toy",
    version="1",
    task="face-detection",
    head=HEAD,
    input=InputContract("image", (SIDE, SIDE), "rgb", "letterbox", 114, (0.0,) * 3, (255.0,) * 3),
    outputs=OUTPUTS,
    labels=("face",),
    threshold=0.5,
    license="CC0",
    training_data=(),
    metrics={},
    golden=None,
)


def logit(score: float) -> float:
    return float(np.log(score / (1 - score)))


def maps(*faces: tuple[int, int, float, float]) -> list[NDArray[np.float32]]:
    """Return raw outputs with faces at (column, row) of a score and a size in input pixels; landmarks in the middle."""
    score, box, points = (np.zeros((1, PLACES, PLACES, n), np.float32) for n in MAPS.values())
    score[...] = -20
    for column, row, chance, size_px in faces:
        score[0, row, column] = logit(chance)
        box[0, row, column, 2:] = np.log(size_px / STRIDE)
    return [score, box, points]


def toy(
    *faces: tuple[int, int, float, float], min_score: float | None = None, **contract: Any
) -> FaceDetector:
    model = ModelFile(Path("toy.tflite"), b"", "0" * 64, replace(CONTRACT, **contract))
    return FaceDetector(FakeEngine([PICTURE], SPECS, maps(*faces)), model, min_score=min_score)


@pytest.fixture(scope="module")
def bundled() -> Iterator[FaceDetector]:
    with load(threads=1) as detector:
        yield detector


def golden_picture(detector: FaceDetector) -> NDArray[np.uint8]:
    golden = detector.model.contract.golden
    assert golden is not None
    bgr = cv2.imdecode(np.frombuffer(golden.image, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def test_nothing_found_is_faces_of_the_same_kind() -> None:
    found = toy().detect(fake_image(0, (100, 50)))

    assert len(found) == 0
    assert (found.xyxy.shape, found.xyxy.dtype) == ((0, 4), np.float32)
    assert (found.landmarks.shape, found.landmarks.dtype) == ((0, 5, 2), np.float32)
    assert (found.class_id.dtype, found.track_id.dtype) == (np.int32, np.int32)
    assert found.labels == ("face",)


# The face lies in the input at x 28..44, y 20..36, around (36, 28).
@pytest.mark.parametrize(
    ("size_wh", "box", "middle"),
    [
        pytest.param((64, 64), (28, 20, 44, 36), (36, 28), id="as large as the input"),
        pytest.param((32, 32), (14, 10, 22, 18), (18, 14), id="enlarged"),
        pytest.param((128, 64), (56, 8, 88, 40), (72, 24), id="landscape: bars above and below"),
        pytest.param((64, 128), (24, 40, 56, 72), (40, 56), id="portrait: bars left and right"),
    ],
)
def test_coordinates_come_back_to_the_picture(
    size_wh: tuple[int, int], box: tuple[int, ...], middle: tuple[int, int]
) -> None:
    found = toy((4, 3, 0.9, 16.0)).detect(fake_image(0, size_wh))

    np.testing.assert_allclose(found.xyxy, [box], atol=1e-3)
    np.testing.assert_allclose(found.landmarks, [[middle] * 5], atol=1e-3)
    np.testing.assert_allclose(found.score, [0.9], atol=1e-6)
    assert (found.class_id.tolist(), found.track_id.tolist()) == ([0], [-1])


def test_boxes_end_at_the_border_and_landmarks_do_not() -> None:
    model = toy((0, 0, 0.9, 40.0))
    model.engine._answer[2][...] = -2.0  # type: ignore[attr-defined]  # landmarks beyond the corner
    found = model.detect(fake_image(0, (64, 64)))

    np.testing.assert_allclose(found.xyxy, [(0, 0, 24, 24)], atol=1e-3)
    assert found.landmarks.max() < 0


@pytest.mark.parametrize(
    ("min_score", "scores"),
    [
        pytest.param(None, [0.9, 0.6], id="the model's own"),
        pytest.param(0.7, [0.9], id="given"),
        pytest.param(0.95, [], id="none reaches it"),
        pytest.param(1.0, [], id="one"),
    ],
)
def test_min_score_decides(min_score: float | None, scores: list[float]) -> None:
    found = toy((1, 1, 0.6, 8.0), (6, 6, 0.9, 8.0), (1, 6, 0.3, 8.0), min_score=min_score)
    np.testing.assert_allclose(found.detect(fake_image(0, (64, 64))).score, scores, atol=1e-6)


@pytest.mark.parametrize("min_score", [50, -0.1, 1.0001, float("nan"), float("inf")])
def test_a_min_score_that_is_none_is_refused(min_score: float) -> None:
    with pytest.raises(SettingsError, match=r"min_score is .*, allowed is 0 to 1"):
        toy(min_score=min_score)


def test_a_min_score_of_zero_is_not_the_models_own() -> None:
    model = toy((1, 1, 0.6, 8.0), min_score=0.0)
    assert model.min_score == 0.0
    assert len(model.detect(fake_image(0, (64, 64)))) == PLACES * PLACES


def test_outputs_are_read_by_name_not_by_place() -> None:
    model = ModelFile(Path("toy.tflite"), b"", "0" * 64, CONTRACT)
    turned = FakeEngine([PICTURE], SPECS[::-1], maps((4, 3, 0.9, 16.0))[::-1])
    assert len(FaceDetector(turned, model).detect(fake_image(0, (64, 64)))) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"head": {**HEAD, "type": "ssd"}, "task": "cars"}, r"is for cars \(head 'ssd'\)", id="head"
        ),
        pytest.param({"head": {"type": "face", "nms_iou": 0.4}}, "needs 'strides'", id="no strides"),
        pytest.param({"head": {"type": "face", "strides": [8]}}, "needs .* 'nms_iou'", id="no overlap"),
        pytest.param({"head": {**HEAD, "strides": 8}}, "convert it again", id="strides are no list"),
        pytest.param({"head": {**HEAD, "strides": [0]}}, "Convert it again", id="stride 0"),
        pytest.param({"head": {**HEAD, "nms_iou": 4}}, "nms_iou 4", id="overlap out of range"),
        pytest.param({"head": {**HEAD, "strides": []}, "outputs": ()}, "Convert it again", id="no outputs"),
        pytest.param({"outputs": OUTPUTS[:2]}, "Convert it again", id="an output too few"),
        pytest.param({"outputs": OUTPUTS[::-1]}, "Convert it again", id="roles out of order"),
        pytest.param({"labels": ()}, "a label", id="no label"),
    ],
)
def test_a_contract_that_is_not_a_face_detectors_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        toy(**changes)


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        pytest.param([spec("image", (1, 32, 32, 3), "uint8")], SPECS, r"\(1, 32, 32, 3\)", id="input size"),
        pytest.param([spec("image", (1, 64, 64, 3), "int32")], SPECS, "int32", id="input type"),
        pytest.param([PICTURE, PICTURE], SPECS, "promises one input", id="two inputs"),
        pytest.param([PICTURE], SPECS[:2], r"lacks the outputs \['points_8'\]", id="an output is missing"),
        pytest.param(
            [PICTURE],
            [*SPECS[:2], spec("points_8", (1, 8, 8, 8))],
            r"points_8 is \(1, 8, 8, 8\)",
            id="channels",
        ),
        pytest.param(
            [PICTURE], [spec("score_8", (1, 4, 4, 1)), *SPECS[1:]], r"score_8 is \(1, 4, 4, 1\)", id="places"
        ),
    ],
)
def test_a_network_that_breaks_its_contract_is_refused(inputs: Any, outputs: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        FaceDetector(FakeEngine(inputs, outputs), ModelFile(Path("toy.tflite"), b"", "0" * 64, CONTRACT))


def test_closing_closes_the_engine_and_a_failure_is_told() -> None:
    engine = FakeEngine([PICTURE], SPECS, error="out of memory")
    with (
        FaceDetector(engine, ModelFile(Path("toy.tflite"), b"", "0" * 64, CONTRACT)) as model,
        pytest.raises(EngineError, match="out of memory"),
    ):
        model.detect(fake_image())
    assert engine.closed == 1


@pytest.mark.parametrize(
    ("image", "message"),
    [
        pytest.param(np.zeros((4, 6), np.uint8), r"not uint8 \(4, 6\)", id="grey"),
        pytest.param(np.zeros((4, 6, 1), np.uint8), r"not uint8 \(4, 6, 1\)", id="one channel"),
        pytest.param(np.zeros((4, 6, 4), np.uint8), r"not uint8 \(4, 6, 4\)", id="RGBA"),
        pytest.param(np.zeros((4, 6, 3), np.float32), r"not float32 \(4, 6, 3\)", id="float"),
        pytest.param(np.zeros((4, 6, 3), np.uint16), r"not uint16 \(4, 6, 3\)", id="16 bit"),
        pytest.param(np.zeros((1, 4, 6, 3), np.uint8), r"not uint8 \(1, 4, 6, 3\)", id="batch"),
        pytest.param(np.zeros((0, 6, 3), np.uint8), "is empty: 6x0 px", id="no rows"),
        pytest.param(np.zeros((4, 0, 3), np.uint8), "is empty: 0x4 px", id="no columns"),
        pytest.param([[[0, 0, 0]]], "not list.*vedette.read_image", id="list"),
        pytest.param(None, "not NoneType", id="none"),
    ],
)
def test_what_is_no_picture_is_refused(image: Any, message: str) -> None:
    with pytest.raises(VedetteError, match=message):
        check_image(image)
    with pytest.raises(VedetteError, match=message):
        toy().detect(image)


@pytest.mark.parametrize(
    "size_wh", [(1, 1), (1, 5000), (20_000, 20), (20, 20_000)], ids=lambda s: f"{s[0]}x{s[1]}"
)
def test_any_size_runs_through_the_real_model(bundled: FaceDetector, size_wh: tuple[int, int]) -> None:
    found = bundled.detect(np.random.default_rng(0).integers(0, 256, (*size_wh[::-1], 3), np.uint8))

    assert found.xyxy.shape == (len(found), 4)
    assert np.isfinite(found.xyxy).all()
    assert (found.xyxy >= 0).all()
    assert (found.xyxy <= np.tile(size_wh, 2)).all()


def test_a_view_gives_the_same_as_a_copy(bundled: FaceDetector) -> None:
    picture = golden_picture(bundled)
    view = picture[:, ::-1]
    assert not view.flags.c_contiguous
    np.testing.assert_array_equal(bundled.detect(view).xyxy, bundled.detect(view.copy()).xyxy)


def test_the_picture_is_not_written_to(bundled: FaceDetector) -> None:
    picture = golden_picture(bundled)
    picture.flags.writeable = False
    before = picture.copy()
    bundled.detect(picture)
    np.testing.assert_array_equal(picture, before)


def test_the_golden_sample_holds(bundled: FaceDetector) -> None:
    assert "face(s), off by 0.00 px" in bundled.replay_golden()


def altered(detector: FaceDetector, **golden: Any) -> FaceDetector:
    contract = detector.model.contract
    assert contract.golden is not None
    model = replace(detector.model, contract=replace(contract, golden=replace(contract.golden, **golden)))
    return FaceDetector(detector.engine, model)


def shifted(detector: FaceDetector, key: str, by: float) -> list[MappingProxyType[str, Any]]:
    golden = detector.model.contract.golden
    assert golden is not None
    return [MappingProxyType({**d, key: (np.asarray(d[key]) + by).tolist()}) for d in golden.detections]


@pytest.mark.parametrize(
    ("key", "by"),
    [pytest.param("box", 5.0, id="box"), pytest.param("landmarks", -5.0, id="landmarks"),
     pytest.param("score", 0.2, id="score")],
)  # fmt: skip
def test_an_altered_answer_is_told(bundled: FaceDetector, key: str, by: float) -> None:
    with pytest.raises(VedetteError, match="away from its golden sample"):
        altered(bundled, detections=tuple(shifted(bundled, key, by))).replay_golden()


def test_an_answer_within_tolerance_holds(bundled: FaceDetector) -> None:
    altered(bundled, detections=tuple(shifted(bundled, "box", 1.0)), tolerance_px=2.0).replay_golden()


@pytest.mark.parametrize(
    ("golden", "message"),
    [
        pytest.param({"detections": ()}, "inf px", id="another number of faces"),
        pytest.param({"image": b"nonsense"}, "golden picture in .* is damaged", id="no picture"),
    ],
)
def test_a_damaged_golden_sample_is_told(bundled: FaceDetector, golden: dict[str, Any], message: str) -> None:
    with pytest.raises(VedetteError, match=message):
        altered(bundled, **golden).replay_golden()


def test_a_model_without_a_golden_sample_says_so() -> None:
    with pytest.raises(ModelError, match="carries no golden sample"):
        toy().replay_golden()


def test_threads_get_the_answers_to_their_own_pictures(bundled: FaceDetector) -> None:
    picture = golden_picture(bundled)
    height, width = picture.shape[:2]
    pictures = [np.ascontiguousarray(picture[: height - 2 * i, : width - 2 * i]) for i in range(4)]
    wanted = [bundled.detect(p) for p in pictures]
    wrong: list[object] = []

    def ask(i: int) -> None:
        try:
            for _ in range(5):
                found = bundled.detect(pictures[i])
                np.testing.assert_array_equal(found.xyxy, wanted[i].xyxy)
                np.testing.assert_array_equal(found.landmarks, wanted[i].landmarks)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert len({w.xyxy.tobytes() for w in wanted}) > 1  # or the test could not fail
