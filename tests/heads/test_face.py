"""Raw maps to faces: by hand where the answer is plain, and float against int8."""

import numpy as np
import pytest

from vedette.heads.face import decode
from vedette.types import Tensor

STRIDES = (8, 16)
SHAPES = {8: (4, 6), 16: (2, 3)}
CHANNELS = {"score": 1, "box": 4, "points": 10}


def maps(fill=-9.0):
    """Return float maps for a 48 x 32 input: role and stride to (1, h, w, c)."""
    made = {
        (role, s): np.zeros((1, *SHAPES[s], n), np.float32) for s in STRIDES for role, n in CHANNELS.items()
    }
    for s in STRIDES:
        made["score", s][:] = fill
    return made


def tensors(made, scale=0.0, zero_point=0):
    def raw(values):
        if not scale:
            return values
        return np.clip(np.round(values / scale) + zero_point, -128, 127).astype(np.int8)

    return [Tensor(f"{r}_{s}", raw(made[r, s]), scale, zero_point) for s in STRIDES for r in CHANNELS]


@pytest.mark.parametrize(
    ("fill", "scale", "zero_point", "min_score"),
    [
        pytest.param(-9.0, 0.0, 0, 0.5, id="float"),
        pytest.param(-9.0, 0.1, 20, 0.5, id="int8"),
        pytest.param(9.0, 0.1, 20, 1.0, id="nothing reaches 1"),
    ],
)
def test_nothing_found_keeps_shapes_and_dtypes(fill, scale, zero_point, min_score):
    xyxy, score, landmarks = decode(
        tensors(maps(fill), scale, zero_point), STRIDES, min_score=min_score, nms_iou=0.4
    )
    assert [a.shape for a in (xyxy, score, landmarks)] == [(0, 4), (0,), (0, 5, 2)]
    assert {a.dtype for a in (xyxy, score, landmarks)} == {np.dtype(np.float32)}


def test_a_place_says_where_its_face_is():
    made = maps()
    made["score", 16][0, 1, 2] = 2.0
    made["box", 16][0, 1, 2] = [0.25, -0.5, np.log(2), np.log(3)]
    made["points", 16][0, 1, 2] = np.arange(10) / 10
    xyxy, score, landmarks = decode(tensors(made), STRIDES, min_score=0.5, nms_iou=0.4)
    x, y = 2.5 * 16, 1.5 * 16
    np.testing.assert_allclose(xyxy, [[x + 4 - 16, y - 8 - 24, x + 4 + 16, y - 8 + 24]], rtol=1e-5)
    np.testing.assert_allclose(score, [1 / (1 + np.exp(-2))], rtol=1e-5)
    np.testing.assert_allclose(landmarks[0], np.arange(10).reshape(5, 2) * 1.6 + (x, y), rtol=1e-5)


def test_int8_finds_what_float_finds_within_half_a_step():
    rng = np.random.default_rng(0)
    scale = 1 / 16
    for _ in range(30):
        made = {key: rng.uniform(-2, 2, value.shape).astype(np.float32) for key, value in maps().items()}
        exact = {key: np.round(value / scale) * scale for key, value in made.items()}
        a = decode(tensors(exact), STRIDES, min_score=0.6, nms_iou=0.4)
        b = decode(tensors(exact, scale, 3), STRIDES, min_score=0.6, nms_iou=0.4)
        for found, wanted in zip(b, a, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("steps", [-1, 0, 1], ids=["a step below", "at the limit", "a step above"])
def test_the_limit_holds_to_the_step(steps):
    scale, zero_point, limit = 0.05, -7, 0.5  # the logit of .5 is 0: raw value = zero point
    made = maps()
    whole = tensors(made, scale, zero_point)
    whole[0].data[0, 1, 1, 0] = zero_point + steps
    _, score, _ = decode(whole, STRIDES, min_score=limit, nms_iou=0.4)
    assert len(score) == (steps >= 0)


def test_the_better_of_two_stays_and_comes_first():
    made = maps()
    made["score", 8][0, 0, 0], made["score", 8][0, 0, 1], made["score", 8][0, 3, 5] = 1.0, 2.0, 3.0
    made["box", 8][..., 2:] = np.log(4)
    _, score, landmarks = decode(tensors(made), STRIDES, min_score=0.5, nms_iou=0.4)
    np.testing.assert_allclose(score, 1 / (1 + np.exp([-3.0, -2.0])), rtol=1e-5)
    np.testing.assert_allclose(landmarks[:, 0], [[44, 28], [12, 4]])


def test_broken_sizes_stay_finite():
    made = maps(9.0)
    for s in STRIDES:
        made["box", s][..., 2:] = 500.0
    xyxy, score, _ = decode(tensors(made), STRIDES, min_score=0.5, nms_iou=0.4)
    assert np.isfinite(xyxy).all()
    assert len(score) >= 1


def test_places_that_agree_steady_the_answer():
    made = maps()
    for column, off, logit in ((1, 0.5, 2.0), (2, -0.5, 2.0)):  # both mean x = 32
        made["score", 16][0, 1, column] = logit
        made["box", 16][0, 1, column] = [off, 0, np.log(3), np.log(3)]
    made["points", 16][0, 1, 1] = 0.5
    made["points", 16][0, 1, 2] = 0.5 - np.tile([0.6, 0.2], 5)
    xyxy, _, landmarks = decode(tensors(made), STRIDES, min_score=0.5, nms_iou=0.4)
    np.testing.assert_allclose(xyxy, [[8, 0, 56, 48]], atol=1e-4)
    np.testing.assert_allclose(landmarks[0, 0], [(32 + 38.4) / 2, (32 + 28.8) / 2], atol=1e-3)
