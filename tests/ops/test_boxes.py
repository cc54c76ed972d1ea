"""Overlaps and suppression, with nothing, with boxes of no area, and against the plain way of writing them."""

import numpy as np
import pytest

from vedette.ops.boxes import blend, iou_matrix, nms

A = [0, 0, 10, 10]


@pytest.mark.parametrize(
    ("other", "wanted"),
    [
        pytest.param([0, 0, 10, 10], 1.0, id="same"),
        pytest.param([5, 0, 15, 10], 1 / 3, id="half over"),
        pytest.param([10, 0, 20, 10], 0.0, id="touching"),
        pytest.param([30, 30, 40, 40], 0.0, id="apart"),
        pytest.param([2, 2, 4, 4], 0.04, id="inside"),
        pytest.param([3, 3, 3, 3], 0.0, id="no area"),
    ],
)
def test_overlap(other, wanted):
    found = iou_matrix(np.float32([A]), np.float32([other]))
    np.testing.assert_allclose(found, [[wanted]], rtol=1e-6)


def test_two_boxes_without_area_do_not_divide_by_zero():
    np.testing.assert_array_equal(
        iou_matrix(np.zeros((1, 4), np.float32), np.zeros((1, 4), np.float32)), [[0]]
    )


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 3), (3, 0)])
def test_nothing_overlaps_nothing(n, m):
    found = iou_matrix(np.ones((n, 4), np.float32), np.ones((m, 4), np.float32))
    assert found.shape == (n, m)
    assert found.dtype == np.float32


@pytest.mark.parametrize("n", [0, 1])
def test_suppression_of_at_most_one(n):
    assert nms(np.ones((n, 4), np.float32), np.ones(n, np.float32), iou=0.5).tolist() == list(range(n))


def test_suppression_is_the_greedy_one():
    rng = np.random.default_rng(1)
    for _ in range(50):
        corner = rng.uniform(0, 40, (40, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(2, 30, (40, 2))], 1).astype(np.float32)
        score = rng.integers(0, 8, 40).astype(np.float32)  # with ties: the earlier one wins
        kept: list[int] = []
        for i in np.argsort(-score, kind="stable"):
            if not kept or iou_matrix(boxes[i : i + 1], boxes[kept]).max() <= 0.4:
                kept.append(int(i))
        assert nms(boxes, score, iou=0.4).tolist() == kept


def test_what_a_fallen_box_covered_may_stay():
    row = np.float32([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]])
    assert nms(row, np.float32([3, 2, 1]), iou=0.4).tolist() == [0, 2]


def test_a_kept_box_is_the_mean_of_those_that_overlap_it_weighed_by_score():
    boxes = np.float32([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]])
    score = np.float32([1.0, 0.5, 0.5])
    mean = blend(boxes, boxes, score, kept=np.array([0, 2]), iou=0.6)
    np.testing.assert_allclose(mean, [[1 / 17, 0, 10 + 1 / 17, 10], [50, 50, 60, 60]], rtol=1e-5)
    apart = blend(boxes, boxes, score, kept=np.array([0, 2]), iou=0.9)
    np.testing.assert_allclose(apart, boxes[[0, 2]])


@pytest.mark.parametrize("n", [0, 1, 3])
def test_boxes_without_area_are_blended_with_nothing(n):
    boxes = np.ones((n, 4), np.float32)
    mean = blend(boxes * 7, boxes, np.ones(n, np.float32), kept=np.arange(n), iou=0.6)
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, boxes * 7)
