"""The letterbox: whole picture in, exact way back."""

from __future__ import annotations

import numpy as np
import pytest

from vedette.ops.images import letterbox, letterbox_geometry

SHAPES = [(720, 1280), (1280, 720), (320, 320), (1, 1), (1, 20000), (20000, 1), (333, 777), (3, 5)]


@pytest.mark.parametrize("shape_hw", SHAPES, ids=str)
@pytest.mark.parametrize("size_wh", [(320, 320), (384, 288)], ids=str)
def test_corners_come_back_exactly(shape_hw: tuple[int, int], size_wh: tuple[int, int]) -> None:
    box = letterbox_geometry(shape_hw, size_wh)
    corners = np.float32([[0, 0], [box.width, box.height]]) + np.float32([box.left, box.top])
    back = box.to_picture(corners)
    np.testing.assert_allclose(back, [[0, 0], [shape_hw[1], shape_hw[0]]], rtol=1e-5)
    np.testing.assert_allclose(box.to_input(back), corners, rtol=1e-5)
    assert 0 <= box.left <= box.left + box.width <= size_wh[0]
    assert 0 <= box.top <= box.top + box.height <= size_wh[1]


def test_the_way_back_keeps_empty_arrays() -> None:
    box = letterbox_geometry((720, 1280), (320, 320))
    for shape in [(0, 4), (0, 5, 2)]:
        assert box.to_picture(np.zeros(shape, np.float32)).shape == shape


def test_a_pixel_lands_where_the_geometry_says() -> None:
    image = np.zeros((400, 800, 3), np.uint8)
    image[196:204, 596:604] = 255
    fitted, box = letterbox(image, (200, 200), pad_value=9)
    rows, columns = np.nonzero(fitted[:, :, 0] == 255)
    middle = np.float32([[columns.mean() + 0.5, rows.mean() + 0.5]])
    np.testing.assert_allclose(
        box.to_picture(middle), [[600, 200]], atol=0.5
    )  # half a pixel of the input is two here


def test_the_bars_are_grey_and_the_buffer_is_the_given_one() -> None:
    buffer = np.full((100, 200, 3), 77, np.uint8)
    fitted, box = letterbox(np.full((50, 50, 3), 200, np.uint8), (200, 100), pad_value=114, out=buffer)
    assert fitted is buffer
    assert (box.left, box.width) == (50, 100)
    assert (fitted[:, :50] == 114).all()
    assert (fitted[:, 150:] == 114).all()
    assert (fitted[:, 50:150] == 200).all()


def test_a_strided_buffer_is_written_in_place() -> None:
    wide = np.zeros((64, 200, 3), np.uint8)
    letterbox(np.full((64, 64, 3), 5, np.uint8), (100, 64), pad_value=1, out=wide[:, :100])
    assert (wide[:, 18:82] == 5).all()
    assert (wide[:, 100:] == 0).all()
