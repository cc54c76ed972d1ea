"""Answers painted onto pictures."""

from __future__ import annotations

import numpy as np
import pytest

from vedette.answers import Classes, Matte, Poses, Segmentation
from vedette.ops.draw import PALETTE
from vedette.ops.overlay import POINT_SCORE, paint
from vedette.testing import fake_image

GREY = fake_image(100, (320, 240))


@pytest.mark.parametrize(("first", "painted"), [("background", False), ("road", True)])
def test_classes_get_colours_but_the_background(first: str, painted: bool) -> None:
    class_map = np.zeros((240, 320), np.uint8)
    class_map[:120, 160:] = 1
    shown = paint(Segmentation(class_map, (first, "cat")), GREY)
    assert (shown[60, 60] == 100).all() != painted
    np.testing.assert_allclose(shown[60, 240], 100 * 0.45 + np.array(PALETTE[1]) * 0.55, atol=1)


def test_a_mattes_background_turns_grey() -> None:
    alpha = np.zeros((240, 320), np.float32)
    alpha[:, 160:] = 1
    shown = paint(Matte(alpha.astype(np.uint8), ("background", "subject"), alpha), GREY)
    assert (shown[5, 5].tolist(), shown[5, 315].tolist()) == ([114] * 3, [100] * 3)


@pytest.mark.parametrize(("score", "seen"), [(POINT_SCORE + 0.01, True), (POINT_SCORE - 0.01, False)])
def test_sure_points_are_joined(score: float, seen: bool) -> None:
    points = np.zeros((1, 17, 2), np.float32)
    points[0, 5], points[0, 6] = (40, 100), (280, 100)  # the shoulders
    points[0, 0] = (np.nan, 1e9)
    shown = paint(Poses(points, np.full((1, 17), score, np.float32)), GREY)
    assert (shown[100, 160].tolist() == list(PALETTE[0])) is seen


@pytest.mark.parametrize(
    "answer",
    [
        Poses(np.zeros((0, 17, 2), np.float32), np.zeros((0, 17), np.float32)),
        Classes(np.zeros(0, np.int32), np.zeros(0, np.float32), ("a",)),
        np.zeros(4, np.float32),
    ],
    ids=["no pose", "nothing sure", "an embedding"],
)
def test_the_picture_stays_as_it_was(answer: object) -> None:
    before = GREY.copy()
    shown = paint(answer, GREY)
    assert shown is not GREY
    assert shown.shape == GREY.shape
    assert (shown[:100] == 100).all()
    np.testing.assert_array_equal(GREY, before)


def test_a_picture_is_itself() -> None:
    made = fake_image(3, (10, 10))
    assert paint(made, GREY) is made
