"""Raw maps to objects of several classes: by hand where the answer is plain, and float against int8."""

import numpy as np
import pytest

from vedette.heads.detect import decode
from vedette.types import Tensor

STRIDES = (8, 16)
SHAPES = {8: (4, 6), 16: (2, 3)}
CLASSES = 3


def maps(fill=-9.0):
    """Return float maps for a 48 x 32 input: role and stride to (1, h, w, c)."""
    scores = {("score", s): np.full((1, *SHAPES[s], CLASSES), fill, np.float32) for s in STRIDES}
    return scores | {("box", s): np.zeros((1, *SHAPES[s], 4), np.float32) for s in STRIDES}


def tensors(made, scale=0.0, zero_point=0):
    def raw(values):
        if not scale:
            return values
        return np.clip(np.round(values / scale) + zero_point, -128, 127).astype(np.int8)

    return [Tensor(f"{r}_{s}", raw(made[r, s]), scale, zero_point) for s in STRIDES for r in ("score", "box")]


@pytest.mark.parametrize(
    ("fill", "scale", "min_score"),
    [
        pytest.param(-9.0, 0.0, 0.5, id="float"),
        pytest.param(-9.0, 0.1, 0.5, id="int8"),
        pytest.param(9.0, 0.1, 1.0, id="nothing reaches 1"),
    ],
)
def test_nothing_found_keeps_shapes_and_dtypes(fill, scale, min_score):
    xyxy, score, class_id = decode(tensors(maps(fill), scale, 20), STRIDES, min_score=min_score, nms_iou=0.5)
    assert [a.shape for a in (xyxy, score, class_id)] == [(0, 4), (0,), (0,)]
    assert [a.dtype for a in (xyxy, score, class_id)] == [np.float32, np.float32, np.int32]


def test_a_place_says_where_its_object_is_and_of_which_class():
    made = maps()
    made["score", 16][0, 1, 2, 1] = 2.0
    made["box", 16][0, 1, 2] = [0.25, -0.5, np.log(2), np.log(3)]
    xyxy, score, class_id = decode(tensors(made), STRIDES, min_score=0.5, nms_iou=0.5)
    x, y = 2.5 * 16, 1.5 * 16
    np.testing.assert_allclose(xyxy, [[x + 4 - 16, y - 8 - 24, x + 4 + 16, y - 8 + 24]], rtol=1e-5)
    np.testing.assert_allclose(score, [1 / (1 + np.exp(-2))], rtol=1e-5)
    assert class_id.tolist() == [1]


def test_overlap_counts_within_a_class_alone():
    made = maps()
    made["score", 8][0, 1, 1, 0], made["score", 8][0, 1, 1, 2], made["score", 8][0, 1, 2, 2] = 1.0, 3.0, 2.0
    made["box", 8][..., 2:] = np.log(4)  # neighbours overlap by 3/5
    xyxy, score, class_id = decode(tensors(made), STRIDES, min_score=0.5, nms_iou=0.5)
    assert class_id.tolist() == [2, 0]
    np.testing.assert_allclose(score, 1 / (1 + np.exp([-3.0, -1.0])), rtol=1e-5)
    np.testing.assert_allclose(xyxy, [[-4, -4, 28, 28]] * 2, rtol=1e-5)


def test_int8_finds_what_float_finds():
    rng = np.random.default_rng(0)
    scale = 1 / 16
    for _ in range(30):
        exact = {
            key: np.round(rng.uniform(-2, 2, value.shape) / scale).astype(np.float32) * scale
            for key, value in maps().items()
        }
        a = decode(tensors(exact), STRIDES, min_score=0.6, nms_iou=0.5)
        b = decode(tensors(exact, scale, 3), STRIDES, min_score=0.6, nms_iou=0.5)
        assert len(a[1]) > 5
        for found, wanted in zip(b, a, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("steps", [-1, 0, 1], ids=["a step below", "at the limit", "a step above"])
def test_the_limit_holds_to_the_step(steps):
    scale, zero_point = 0.05, -7  # the logit of .5 is 0: raw value = zero point
    whole = tensors(maps(), scale, zero_point)
    whole[0].data[0, 1, 1, 2] = zero_point + steps
    _, score, _ = decode(whole, STRIDES, min_score=0.5, nms_iou=0.5)
    assert len(score) == (steps >= 0)


def test_a_full_map_of_many_classes_stays_bounded_and_finite():
    made = {
        key: np.full((*value.shape[:3], 80 if key[0] == "score" else 4), 50.0, np.float32)
        for key, value in maps().items()
    }
    xyxy, score, class_id = decode(tensors(made), STRIDES, min_score=0.0, nms_iou=1.0)
    assert len(score) == 750
    assert np.isfinite(xyxy).all()
    assert set(class_id.tolist()) <= set(range(80))
