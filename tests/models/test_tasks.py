"""Every task on an engine that answers as asked: values in the original picture, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import vedette
from strangers import stranger
from vedette.errors import ModelError, SettingsError
from vedette.models.golden import HEADS
from vedette.recognise import HEADS as RULES
from vedette.testing import fake_image

YOLO = {
    "type": "yolo",
    "layout": "channels-last",
    "objectness": False,
    "units": "pixels",
    "box": "cxcywh",
    "end_to_end": False,
    "nms_iou": 0.5,
}


def one_box(classes: int = 2) -> np.ndarray[Any, Any]:
    """Return (1, 8, 4 + classes) with a box at 16..48, 8..24 of a 64 x 32 input."""
    rows = np.zeros((1, 8, 4 + classes), np.float32)
    rows[0, 5, :4], rows[0, 5, 5] = (32, 16, 32, 16), 0.8
    return rows


def test_every_rule_has_a_model_that_reads_its_head() -> None:
    assert set(RULES) <= set(HEADS)


@pytest.mark.parametrize(
    ("resize", "wanted"),
    [
        pytest.param("stretch", [50, 50, 150, 150], id="stretch"),
        pytest.param("letterbox", [0, 50, 200, 150], id="bars at both sides"),
        pytest.param("letterbox-topleft", [100, 50, 200, 150], id="bar at the right"),
    ],
)
def test_boxes_come_back_to_the_picture(resize: str, wanted: list[float]) -> None:
    """A square picture of 200 px in an input of 64 x 32: stretched by .32 and .16, or scaled by .16 in 32 x 32."""
    engine, file = stranger(YOLO, {"predictions": one_box()}, labels=("a", "b"), resize=resize)
    found = vedette.Detector(engine, file).detect(fake_image(0, (200, 200)))
    np.testing.assert_allclose(found.xyxy[0], wanted, atol=1e-3)
    assert found.names == ["b"]


def test_a_detector_picks_outputs_by_role() -> None:
    answers = {
        "count": np.float32([1]),
        "scores": np.float32([[0.9, 0.8]]),
        "boxes": np.float32([[[0.25, 0.25, 0.75, 0.5], [0, 0, 1, 1]]]),
        "classes": np.float32([[1, 0]]),
    }
    engine, file = stranger({"type": "ssd-postprocess", "label_offset": 0}, answers, labels=("a", "b"))
    found = vedette.Detector(engine, file).detect(fake_image(0, (100, 100)))
    np.testing.assert_allclose(found.xyxy, [[25, 25, 50, 75]], atol=1e-3)
    assert found.names == ["b"]


BLAZE = {
    "type": "blazeface", "strides": [8, 16, 16, 16], "interpolated_scale_aspect_ratio": 1.0, "scale": 128,
    "nms_iou": 0.3,
}  # fmt: skip


def test_faces_of_blazeface() -> None:
    answers = {
        "box_encodings": np.zeros((1, 896, 16), np.float32),
        "scores": np.full((1, 896, 1), -100, np.float32),
    }
    answers["scores"][0, 0] = 3
    answers["box_encodings"][0, 0, :] = [4, 4, 64, 64, *range(12)]
    engine, file = stranger(BLAZE, answers, labels=("face",), size_wh=(128, 128), resize="letterbox")
    found = vedette.FaceDetector(engine, file).detect(fake_image(0, (256, 256)))
    np.testing.assert_allclose(found.xyxy, [[0, 0, 80, 80]], atol=1e-3)  # middle 8, 8; what is outside is cut
    np.testing.assert_allclose(found.landmarks[0, 1], [2 * (4 + 2), 2 * (4 + 3)], atol=1e-3)


def test_a_segmentation_is_as_large_as_the_picture() -> None:
    maps = np.zeros((1, 4, 8), np.int64)
    maps[0, :2, :4] = 1
    engine, file = stranger(
        {"type": "segment", "kind": "argmax"},
        {"classes": maps},
        labels=("none", "cat"),
        resize="letterbox-topleft",
    )
    found = vedette.Segmenter(engine, file).segment(
        fake_image(0, (100, 100))
    )  # in 32 x 32 at the left: 4 x 4 places
    assert found.class_map.shape == (100, 100)
    assert found.mask("cat")[:50].all()
    assert not found.mask("cat")[50:].any()
    assert found.shares == {"none": 0.5, "cat": 0.5}


def test_a_matte_is_smooth_and_has_a_subject() -> None:
    alpha = np.zeros((1, 2, 2, 1), np.float32)
    alpha[0, :, 1] = 1
    engine, file = stranger({"type": "matting", "activation": "none"}, {"alpha": alpha}, threshold=0.0)
    found = vedette.Segmenter(engine, file).segment(fake_image(0, (8, 2)))
    assert isinstance(found, vedette.Matte)
    np.testing.assert_allclose(found.alpha[0], [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1], atol=1 / 64)
    assert found.mask("subject")[0].tolist() == [False] * 4 + [True] * 4


@pytest.mark.parametrize(("score", "people"), [(0.9, 1), (0.1, 0)])
def test_a_pose_is_there_or_not(score: float, people: int) -> None:
    points = np.full((1, 1, 17, 3), 0.5, np.float32)
    points[..., 2] = score
    engine, file = stranger({"type": "movenet"}, {"keypoints": points}, resize="letterbox")
    found = vedette.PoseEstimator(engine, file).estimate(fake_image(0, (256, 64)))
    assert (found.points.shape, found.score.shape) == ((people, 17, 2), (people,))
    np.testing.assert_allclose(found.points, np.broadcast_to([128, 32], (people, 17, 2)), atol=1e-3)


IMAGE = {"type": "image-to-image", "scale": 2, "range": "unit"}


@pytest.mark.parametrize(
    ("resize", "size_wh"), [("stretch", (40, 24)), ("letterbox", (48, 64)), ("letterbox-topleft", (48, 64))]
)
def test_a_picture_comes_back_larger_and_without_bars(resize: str, size_wh: tuple[int, int]) -> None:
    """The picture, 20 x 12 stretched back, or an upright one in the middle 24 x 32 px of the input."""
    answer = np.full((1, 64, 128, 3), 0.5, np.float32)
    answer[0, :, :, 0] = 1
    engine, file = stranger(IMAGE, {"image": answer}, resize=resize, color="bgr")
    picture = fake_image(9, (size_wh[0] // 2, size_wh[1] // 2))
    made = vedette.ImageToImage(engine, file).enhance(picture)
    assert (made.shape[1], made.shape[0]) == size_wh
    assert made[0, 0].tolist() == [128, 128, 255]


def test_a_network_of_any_size_gets_the_picture_as_it_is() -> None:
    answer = np.full((1, 14, 10, 3), 1, np.float32)
    engine, file = stranger(IMAGE, {"image": answer}, size_wh=(0, 0), dynamic=(1, 2))
    assert vedette.ImageToImage(engine, file).enhance(fake_image(7, (5, 7))).shape == (14, 10, 3)
    assert engine.fed[0][0].shape == (1, 7, 5, 3)
    assert (engine.fed[0][0] == 7).all()


def test_an_embedding_has_length_one() -> None:
    engine, file = stranger(
        {"type": "embed", "normalize": True}, {"embedding": np.float32([[3, 4]])}, color="gray"
    )
    np.testing.assert_allclose(vedette.Embedder(engine, file).embed(fake_image(5)), [0.6, 0.8])
    assert engine.fed[0][0].shape == (1, 32, 64, 1)


def test_a_row_of_scores_is_a_classification() -> None:
    row = np.array([[0, 192, 64]], np.uint8)
    head = {"type": "classify", "activation": "none", "label_offset": 0}
    engine, file = stranger(head, {"scores": row}, labels=("a", "b", "c"), scale=1 / 256)
    assert vedette.Classifier(engine, file).classify(fake_image()).names == ("b", "c")


BOX = {"predictions": one_box()}
YOLOX = {"type": "yolox", "strides": [8], "decoded": True, "nms_iou": 0.5}
LOGITS = {"logits": np.zeros((1, 4, 4, 3), np.float32)}
SCORES = {"scores": np.zeros((1, 2), np.float32)}
SMALL = {"image": np.zeros((1, 32, 64, 3), np.float32)}


@pytest.mark.parametrize(
    ("task", "head", "answers", "message"),
    [
        pytest.param(vedette.Detector, {**YOLO, "units": "inches"}, BOX, "units 'inches'", id="parameter"),
        pytest.param(vedette.Detector, YOLO, {"predictions": one_box(3)}, "with its 2 labels", id="labels"),
        pytest.param(vedette.Detector, {**YOLO, "nms_iou": 3}, BOX, "nms_iou 3", id="overlap"),
        pytest.param(vedette.Detector, {"type": "ssd-postprocess"}, BOX, "reads boxes, classes", id="roles"),
        pytest.param(vedette.Detector, YOLOX, BOX, r"reads \(1, 32, 7\)", id="places"),
        pytest.param(vedette.Segmenter, YOLO, BOX, "not segments", id="task"),
        pytest.param(
            vedette.Segmenter, {"type": "segment", "kind": "logits"}, LOGITS, "with 2 channel", id="classes"
        ),
        pytest.param(vedette.PoseEstimator, {"type": "movenet"}, BOX, r"reads \(1, 1, 17, 3\)", id="points"),
        pytest.param(vedette.ImageToImage, IMAGE, SMALL, r"reads \(1, 64, 128, 3\)", id="scale"),
        pytest.param(
            vedette.Classifier, {"type": "classify", "activation": "relu"}, SCORES, "'relu'", id="activation"
        ),
    ],
)
def test_what_does_not_hold_is_refused(
    task: Any, head: Mapping[str, Any], answers: Any, message: str
) -> None:
    engine, file = stranger(head, answers, labels=("a", "b"))
    with pytest.raises(ModelError, match=message):
        task(engine, file)


def test_a_threshold_out_of_range_is_refused() -> None:
    engine, file = stranger(YOLO, {"predictions": one_box()}, labels=("a", "b"))
    with pytest.raises(SettingsError, match="min_score is 2"):
        vedette.Detector(engine, file, min_score=2)


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "letterbox-topleft"])
def test_what_is_fitted_ahead_is_what_would_be_fitted(resize: str) -> None:
    engine, file = stranger(YOLO, {"predictions": one_box()}, labels=("a", "b"), resize=resize, color="bgr")
    image = np.random.default_rng(3).integers(0, 256, (50, 70, 3), np.uint8)
    detector = vedette.Detector(engine, file)
    one, other = detector.detect(image), detector.detect(image, fitted=detector.fit(image))
    np.testing.assert_array_equal(one.xyxy, other.xyxy)
    np.testing.assert_array_equal(engine.fed[0][0], engine.fed[1][0])
