"""Boxes out of the tensors of other families: each head is fed what an encoder of its own layout wrote."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vedette.heads import blazeface, ssd, ssd_raw, yolo, yolox
from vedette.heads.anchors import blazeface_anchors, make_anchors
from vedette.types import Tensor

SIZE = (64, 32)
XYXY = np.float32([[10, 4, 30, 20], [40, 8, 60, 28], [11, 4, 31, 20]])
SCORE = np.float32([0.9, 0.7, 0.6])
CLASS = np.int32([0, 1, 2])
FORM: dict[str, Any] = {
    "channels_first": True,
    "objectness": False,
    "normalized": False,
    "corners": False,
    "end_to_end": False,
    "nms_iou": 0.7,
}


def tensor(data: Any, *, scale: float = 0.0, zero_point: int = 0, dtype: str = "int8") -> Tensor:
    """Return real values as a float tensor, or as one quantized by `scale`."""
    real = np.asarray(data, np.float32)
    if not scale:
        return Tensor("t", real, 0.0, 0)
    limits = np.iinfo(dtype)
    codes = np.clip(np.rint(real / scale) + zero_point, limits.min, limits.max)
    return Tensor("t", codes.astype(dtype), scale, zero_point)


def middles(xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([(xyxy[:, :2] + xyxy[:, 2:]) / 2, xyxy[:, 2:] - xyxy[:, :2]], 1)


def yolo_rows(form: dict[str, Any], *, boxes: int = 12) -> NDArray[np.float32]:
    """Return (boxes, numbers) that say what stands above, in the last rows; the others are nothing."""
    rows = np.zeros((boxes, 4 + form["objectness"] + 3), np.float32)
    box = XYXY if form["corners"] else middles(XYXY)
    if form["normalized"]:
        box = box / np.float32((*SIZE, *SIZE))
    rows[-3:, :4] = box
    rows[[-3, -2, -1], 4 + form["objectness"] + CLASS] = SCORE / (0.95 if form["objectness"] else 1)
    if form["objectness"]:
        rows[-3:, 4] = 0.95
    return rows


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="channels first, pixels"),
        pytest.param({"channels_first": False}, id="channels last"),
        pytest.param({"normalized": True}, id="normalized"),
        pytest.param({"objectness": True, "channels_first": False}, id="objectness"),
        pytest.param({"corners": True}, id="corners"),
    ],
)
def test_yolo_of_every_layout(changes: dict[str, Any]) -> None:
    form = {**FORM, **changes}
    rows = yolo_rows(form)
    data = (rows.T if form["channels_first"] else rows)[None]
    xyxy, score, class_id = yolo.decode(tensor(data), yolo.Form(**form), size_wh=SIZE, min_score=0.25)
    np.testing.assert_allclose(xyxy, XYXY, atol=1e-3)
    np.testing.assert_allclose(score, SCORE, atol=1e-5)
    np.testing.assert_array_equal(class_id, CLASS)


@pytest.mark.parametrize("layout", [True, False], ids=["first", "last"])
def test_yolo_quantized(layout: bool) -> None:
    form = {**FORM, "normalized": True, "channels_first": layout}
    rows = yolo_rows(form)
    data = tensor((rows.T if layout else rows)[None], scale=1 / 200, zero_point=-100)
    xyxy, score, _ = yolo.decode(data, yolo.Form(**form), size_wh=SIZE, min_score=0.6)
    np.testing.assert_allclose(
        score, SCORE, atol=1 / 400 + 1e-6
    )  # half a code; .6 is a code itself and passes
    np.testing.assert_allclose(xyxy, XYXY, atol=64 / 200)


def test_yolo_end_to_end_is_not_suppressed_again() -> None:
    rows = np.concatenate([XYXY, SCORE[:, None], [[0], [1], [0]]], 1)
    rows = np.concatenate([rows, np.zeros((5, 6))])[None]
    form = yolo.Form(**{**FORM, "channels_first": False, "corners": True, "end_to_end": True})
    xyxy, score, class_id = yolo.decode(tensor(rows), form, size_wh=SIZE, min_score=0.25)
    np.testing.assert_allclose(xyxy, XYXY)
    assert (score.tolist(), class_id.tolist()) == (pytest.approx(SCORE.tolist()), [0, 1, 0])


@pytest.mark.parametrize(("iou", "left"), [(0.95, 2), (0.5, 1)])
def test_yolo_suppresses_within_a_class(iou: float, left: int) -> None:
    rows = np.zeros((1, 4 + 1, 2), np.float32)
    rows[0, :4], rows[0, 4] = middles(XYXY[[0, 2]]).T, SCORE[[0, 2]]
    form = yolo.Form(**{**FORM, "nms_iou": iou})
    assert len(yolo.decode(tensor(rows), form, size_wh=SIZE, min_score=0.25)[1]) == left


def test_a_box_may_pass_in_two_classes() -> None:
    rows = np.zeros((1, 4 + 2, 1), np.float32)
    rows[0, :, 0] = (*middles(XYXY[:1])[0], 0.5, 0.4)
    _, score, class_id = yolo.decode(tensor(rows), yolo.Form(**FORM), size_wh=SIZE, min_score=0.25)
    assert (class_id.tolist(), score.tolist()) == ([0, 1], pytest.approx([0.5, 0.4]))


@pytest.mark.parametrize("decoded", [True, False])
def test_yolox(decoded: bool) -> None:
    places = yolox.grid(SIZE, (8, 16, 32))
    assert len(places) == 8 * 4 + 4 * 2 + 2
    rows = np.zeros((len(places), 5 + 3), np.float32)
    at = [3, 33, 41]  # one in each grid
    box = middles(XYXY)
    if not decoded:
        stride = places[at, 2:]
        box = np.concatenate([box[:, :2] / stride - places[at, :2], np.log(box[:, 2:] / stride)], 1)
    rows[at, :4], rows[at, 4] = box, 0.95
    rows[at, 5 + CLASS] = SCORE / 0.95
    xyxy, score, class_id = yolox.decode(
        tensor(rows[None]), places, decoded=decoded, min_score=0.3, nms_iou=0.45
    )
    np.testing.assert_allclose(xyxy, XYXY, atol=1e-3)
    np.testing.assert_allclose(score, SCORE, atol=1e-5)
    np.testing.assert_array_equal(class_id, CLASS)


def test_ssd_reads_no_further_than_its_count() -> None:
    yxyx = XYXY[:, [1, 0, 3, 2]] / np.float32((32, 64, 32, 64))
    parts = (yxyx[None], CLASS[None], SCORE[None])
    boxes, classes, scores = (tensor(np.concatenate([part, part[:, :1]], 1)) for part in parts)
    found = ssd.decode(boxes, classes, scores, tensor([3]), size_wh=SIZE, min_score=0.65, label_offset=1)
    np.testing.assert_allclose(found[0], XYXY[:2], atol=1e-4)
    assert found[2].tolist() == [1, 2]
    none = ssd.decode(boxes, classes, scores, tensor([0]), size_wh=SIZE, min_score=0.0)
    assert [len(column) for column in none] == [0, 0, 0]


ANCHORS = np.float32([[0.5, 0.5, 1, 1], [0.4, 0.3, 0.5, 0.4], [0.55, 0.8, 0.5, 0.3], [0.4, 0.3, 0.4, 0.4]])
SCALES = (10.0, 10.0, 5.0, 5.0)


def encoded() -> NDArray[np.float32]:
    """Return (1, 4, 4) of what stands above at the last three anchors."""
    anchor = ANCHORS[1:]
    box = middles(XYXY)[:, [1, 0, 3, 2]] / np.float32((32, 64, 32, 64))
    code = np.concatenate(
        [(box[:, :2] - anchor[:, :2]) / anchor[:, 2:], np.log(box[:, 2:] / anchor[:, 2:])], 1
    )
    return np.concatenate([np.zeros((1, 4)), code * SCALES])[None].astype(np.float32)


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("activation", ssd_raw.ACTIVATIONS)
def test_ssd_raw(activation: str, background: bool) -> None:
    score = np.full((4, 3), 1e-4, np.float32)
    score[[1, 2, 3], CLASS] = SCORE
    first = 1 - score.sum(1, keepdims=True) if activation == "softmax" else np.full((4, 1), 0.99)
    if background:
        score = np.concatenate([first, score], 1)
    elif activation == "softmax":
        score[0] = 0.2  # without a background all shares of a row are classes', so the least is above them
        score[1:] = np.where(score[1:] < 0.5, (1 - SCORE)[:, None] / 2, score[1:])
    raw = {"sigmoid": lambda p: np.log(p / (1 - p)), "softmax": np.log, "none": lambda p: p}[activation](
        score
    )
    xyxy, got, class_id = ssd_raw.decode(
        tensor(encoded()),
        tensor(raw[None]),
        ANCHORS,
        scales=SCALES,
        activation=activation,
        background=background,
        size_wh=SIZE,
        min_score=0.5,
        nms_iou=0.5,
    )
    np.testing.assert_allclose(xyxy, XYXY, atol=1e-2)
    np.testing.assert_allclose(got, SCORE, atol=1e-3)
    np.testing.assert_array_equal(class_id, CLASS)


def test_ssd_anchors_are_those_that_tutorials_ship() -> None:
    """The first rows of `box_priors.txt` of TensorFlow's SSD demo; sizes by Liu et al., section 2.2."""
    anchors = make_anchors(SSD, (300, 300))
    assert anchors.shape == (1917, 4)
    np.testing.assert_allclose(
        anchors[:4],
        [
            [0.0263158, 0.0263158, 0.1, 0.1],
            [0.0263158, 0.0263158, 0.1414214, 0.2828427],
            [0.0263158, 0.0263158, 0.2828427, 0.1414214],
            [0.0263158, 0.0789474, 0.1, 0.1],
        ],
        atol=1e-6,
    )
    np.testing.assert_allclose(anchors[-1], [0.5, 0.5, 0.9746794, 0.9746794], atol=1e-6)  # sqrt(.95 x 1)


SSD = {
    "kind": "ssd",
    "layers": 6,
    "min_scale": 0.2,
    "max_scale": 0.95,
    "aspect_ratios": [1.0, 2.0, 0.5, 3.0, 1 / 3],
    "reduce_lowest": True,
    "interpolated_scale_aspect_ratio": 1.0,
}
RETINA = {
    "levels": [3, 4, 5, 6, 7],
    "anchor_scale": 4.0,
    "aspect_ratios": [1.0, 2.0, 0.5],
    "scales_per_octave": 2,
}


def test_the_two_retina_families_differ_in_order_and_origin() -> None:
    fpn = make_anchors({"kind": "retina", **RETINA}, (320, 320))
    lite = make_anchors({"kind": "efficientdet", **RETINA}, (320, 320))
    assert fpn.shape == lite.shape == ((1600 + 400 + 100 + 25 + 9) * 6, 4)
    np.testing.assert_allclose(fpn[0], [4 / 320, 4 / 320, 0.1, 0.1], atol=1e-6)
    np.testing.assert_allclose(fpn[1, 2:], [0.1 * 2**0.5] * 2, atol=1e-6)  # the next scale of the same ratio
    np.testing.assert_allclose(lite[1, 2:], [0.1 / 2**0.5, 0.1 * 2**0.5], atol=1e-6)  # the next ratio
    np.testing.assert_allclose(fpn[-54, :2], [0, 0], atol=1e-6)  # 128 does not divide 320
    np.testing.assert_allclose(lite[-54, :2], [1 / 6, 1 / 6], atol=1e-6)


@pytest.mark.parametrize(
    ("strides", "interpolated", "side", "count"),
    [
        pytest.param([8, 16, 16, 16], True, 128, 896, id="short range"),
        pytest.param([4], False, 192, 2304, id="full range"),
    ],
)
def test_blazeface(strides: list[int], interpolated: bool, side: int, count: int) -> None:
    anchors = blazeface_anchors(strides, interpolated=interpolated, size_wh=(side, side))
    assert anchors.shape == (count, 4)
    at, box = count - 1, np.float32([[20, 30, 60, 80]])
    points = np.float32([(30, 45), (50, 45), (40, 55), (40, 65), (22, 50), (58, 50)])
    row = np.concatenate([middles(box).reshape(2, 2), points])
    row[[0, 2, 3, 4, 5, 6, 7]] -= anchors[at, [1, 0]] * side
    encodings, scores = np.zeros((1, count, 16), np.float32), np.full((1, count, 1), -100, np.float32)
    encodings[0, at], scores[0, at] = row.ravel(), 2.0
    xyxy, score, landmarks = blazeface.decode(
        tensor(encodings),
        tensor(scores),
        anchors,
        scale=side,
        size_wh=(side, side),
        min_score=0.5,
        nms_iou=0.3,
    )
    np.testing.assert_allclose(xyxy, box, atol=1e-3)
    np.testing.assert_allclose(score, [1 / (1 + np.exp(-2))], rtol=1e-5)
    np.testing.assert_allclose(landmarks[0], points[[0, 1, 2, 3, 3]], atol=1e-3)


def test_nothing_keeps_shapes_and_dtypes() -> None:
    zeros = tensor(np.zeros((1, 7, 42), np.float32))
    every = [
        yolo.decode(zeros, yolo.Form(**FORM), size_wh=SIZE, min_score=0.5),
        yolox.decode(tensor(np.zeros((1, 42, 8))), yolox.grid(SIZE, (8, 16, 32)), decoded=False, min_score=0.5,
                     nms_iou=0.5),
        ssd_raw.decode(tensor(encoded()), tensor(np.full((1, 4, 3), -9)), ANCHORS, scales=SCALES,
                       activation="sigmoid", background=True, size_wh=SIZE, min_score=0.5, nms_iou=0.5),
    ]  # fmt: skip
    for xyxy, score, class_id in every:
        assert (xyxy.shape, score.shape, class_id.dtype) == ((0, 4), (0,), np.int32)
