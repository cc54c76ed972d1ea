"""Heads whose answer is no box: maps, points, pictures, rows."""

from __future__ import annotations

import numpy as np
import pytest

from vedette.heads import classify, embed, image_to_image, matting, movenet, segment
from vedette.types import Tensor


def floats(data: object) -> Tensor:
    return Tensor("t", np.asarray(data, np.float32), 0.0, 0)


def test_scores_that_are_ready_are_not_activated_again() -> None:
    row = Tensor("t", np.array([[0, 192, 64]], np.uint8), 1 / 256, 0)
    class_id, score = classify.decode(row, min_score=0.2, top=5, activation="none")
    assert (class_id.tolist(), score.tolist()) == ([1, 2], [0.75, 0.25])


def test_segmentation_by_logits_is_the_largest_code() -> None:
    maps = Tensor("t", np.array([[[[-128, 5], [7, 6]]]], np.int8), -0.0 + 0.1, 3)
    assert segment.decode(maps, kind="logits").tolist() == [[1, 0]]


@pytest.mark.parametrize("shape", [(1, 2, 3), (1, 2, 3, 1)], ids=str)
def test_segmentation_by_class_numbers(shape: tuple[int, ...]) -> None:
    maps = Tensor("t", np.arange(6, dtype=np.int64).reshape(shape), 0.0, 0)
    found = segment.decode(maps, kind="argmax")
    assert (found.dtype, found.tolist()) == (np.uint8, [[0, 1, 2], [3, 4, 5]])


def test_alpha_from_logits_and_from_parts() -> None:
    logits = floats([[[[0.0], [np.log(3)], [-200.0]]]])
    np.testing.assert_allclose(matting.decode(logits, activation="sigmoid"), [[0.5, 0.75, 0]], atol=1e-6)
    parts = Tensor("t", np.array([[[[0], [128], [255]]]], np.uint8), 1 / 250, 0)
    np.testing.assert_allclose(matting.decode(parts, activation="none"), [[0, 0.512, 1]], atol=1e-6)


def test_key_points_are_turned_to_x_y() -> None:
    rows = np.zeros((1, 1, 17, 3))
    rows[0, 0, 3] = (0.25, 0.5, 0.9)
    points, score = movenet.decode(floats(rows), size_wh=(192, 96))
    assert (points.shape, score.shape) == ((1, 17, 2), (1, 17))
    assert (points[0, 3].tolist(), score[0, 3]) == ([96, 24], pytest.approx(0.9))


@pytest.mark.parametrize(
    ("values", "real"),
    [("pixels", [-3, 0, 127.6, 300]), ("unit", [-1, 0, 0.5, 2]), ("signed", [-2, -1, 0.003, 1])],
)
def test_pictures_from_floats(values: str, real: list[float]) -> None:
    picture = image_to_image.decode(floats(np.repeat(np.reshape(real, (1, 1, 4, 1)), 3, -1)), values=values)
    assert picture[0, :, 0].tolist() == [0, 0, 128, 255]


def test_pictures_from_codes() -> None:
    codes = Tensor("t", np.array([[[[-128], [0], [127]]]], np.int8), 1 / 255, -128)
    picture = image_to_image.decode(codes, values="unit")
    assert picture.tolist() == [[[0] * 3, [128] * 3, [255] * 3]]  # one channel is shown as grey


@pytest.mark.parametrize(
    ("normalize", "wanted"),
    [pytest.param(True, [0.6, 0.8], id="here"), pytest.param(False, [3, 4], id="there")],
)
def test_embeddings(normalize: bool, wanted: list[float]) -> None:
    np.testing.assert_allclose(embed.decode(floats([[3, 4]]), normalize=normalize), wanted, rtol=1e-6)
    assert embed.decode(floats([[0, 0]]), normalize=normalize).tolist() == [0, 0]
