"""Average precision, matching, ignored faces and landmark errors, on cases small enough to work out by hand."""

import numpy as np
import pytest

from vedette_train.evaluate import average_precision, best_threshold, judge, landmark_error

FACE = np.float32([[0, 0, 10, 10]])
NONE = np.zeros((0, 4), np.float32)
POINTS = np.float32([[[2, 3], [8, 3], [5, 5], [3, 8], [7, 8]]])


def judged(boxes, scores, *, wanted=FACE, ignored=NONE, points=None):
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    points = np.zeros((len(boxes), 5, 2), np.float32) if points is None else points
    return judge(
        boxes, np.asarray(scores, np.float32), points, wanted=wanted, ignored=ignored, wanted_points=POINTS
    )


AWAY = [50, 50, 60, 60]


@pytest.mark.parametrize(
    ("boxes", "scores", "wanted"),
    [
        pytest.param([], [], 0.0, id="nothing found"),
        pytest.param([FACE[0]], [0.9], 1.0, id="found"),
        pytest.param([FACE[0], AWAY], [0.9, 0.8], 1.0, id="false one after"),
        pytest.param([AWAY, FACE[0]], [0.9, 0.8], 0.5, id="false one before"),
        pytest.param([AWAY], [0.9], 0.0, id="only a false one"),
        pytest.param([[0, 0, 10, 4]], [0.9], 0.0, id="IoU .4"),
    ],
)
def test_average_precision(boxes, scores, wanted):
    assert average_precision([judged(boxes, scores)]) == pytest.approx(wanted)


def test_the_same_face_twice_is_one_face_and_one_error():
    found = judged([FACE[0], FACE[0]], [0.9, 0.8])
    assert found.hit.tolist() == [True, False]


def test_what_lies_on_an_ignored_face_neither_counts_nor_costs():
    found = judged([AWAY, FACE[0]], [0.9, 0.8], ignored=np.float32([AWAY]))
    assert found.hit.tolist() == [True]
    assert found.wanted == 1
    assert average_precision([found]) == 1.0


def test_missed_faces_of_other_pictures_count():
    pictures = [judged([FACE[0]], [0.9]), judged([], [])]
    assert average_precision(pictures) == pytest.approx(0.5)
    assert average_precision([]) == 0.0


def test_the_threshold_has_the_best_f1():
    pictures = [judged([FACE[0]], [0.9]), judged([FACE[0], AWAY], [0.8, 0.7]), judged([FACE[0]], [0.6])]
    assert best_threshold(pictures) == pytest.approx((0.6, 3 / 4, 1.0))  # F1 .50, .80, .67, .86 from the top


@pytest.mark.parametrize("pictures", [[], [judged([AWAY], [0.9])]], ids=["nothing", "no hit"])
def test_without_a_hit_nothing_passes(pictures):
    assert best_threshold(pictures) == (1.0, 0.0, 0.0)


def test_landmarks_are_measured_in_eye_distances():
    found = judged([FACE[0]], [0.9], points=POINTS + np.float32([3, 0]))
    assert landmark_error([found]) == pytest.approx(3 / 6)
    assert np.isnan(landmark_error([judged([], [])]))


def test_precision_is_made_monotonic_first():
    pictures = [judged([AWAY, FACE[0]], [0.9, 0.8]), judged([FACE[0]], [0.7])]
    assert average_precision(pictures) == pytest.approx(2 / 3)  # 1/4 + 1/3 without
