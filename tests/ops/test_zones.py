"""Points, polygons and lines, at the corners and on the edges too."""

import numpy as np
import pytest

from vedette.ops.zones import anchors, crossings, distance, inside, is_simple

SQUARE = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], float)
NOTCHED = np.array([[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]], float)
LINE = np.array([[0, 2], [4, 2]], float)


@pytest.mark.parametrize(("anchor", "point"), [("bottom", [15, 60]), ("center", [15, 40]), ("top", [15, 20])])
def test_anchors(anchor, point):
    np.testing.assert_array_equal(anchors(np.float32([[10, 20, 20, 60]]), anchor), [point])


def test_nothing_is_nowhere():
    none = np.zeros((0, 2))
    assert anchors(np.zeros((0, 4), np.float32), "bottom").shape == (0, 2)
    assert inside(none, SQUARE).shape == (0,)
    assert distance(none, SQUARE, closed=True).shape == (0,)
    assert crossings(none, none, LINE).shape == (0,)


@pytest.mark.parametrize(
    ("point", "polygon", "wanted"),
    [
        pytest.param((2, 2), SQUARE, True, id="in the middle"),
        pytest.param((5, 2), SQUARE, False, id="beside"),
        pytest.param((-1, 0), SQUARE, False, id="level with a corner"),
        pytest.param((2, 3), NOTCHED, False, id="in the notch"),
        pytest.param((0.5, 2), NOTCHED, True, id="beside the notch"),
        pytest.param((2, 3), SQUARE[::-1], True, id="corners the other way round"),
    ],
)
def test_inside(point, polygon, wanted):
    assert inside(np.array([point], float), polygon).tolist() == [wanted]


def test_on_a_common_edge_a_point_is_in_one_of_the_two():
    right = np.add(SQUARE, (4, 0))
    points = np.array([[4, y] for y in (0, 1, 2, 3.5)], float)
    np.testing.assert_array_equal(inside(points, SQUARE) ^ inside(points, right), True)


@pytest.mark.parametrize(
    ("point", "closed", "wanted"),
    [
        pytest.param((2, 5), True, 1, id="from an edge"),
        pytest.param((7, 8), True, 5, id="from a corner"),
        pytest.param((-1, 2), True, 1, id="from the closing edge"),
        pytest.param((-3, 2), False, np.hypot(3, 2), id="not closed"),
    ],
)
def test_distance(point, closed, wanted):
    assert distance(np.array([point], float), SQUARE, closed=closed)[0] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        pytest.param((2, 0), (2, 4), 1, id="down"),
        pytest.param((2, 4), (2, 0), -1, id="up"),
        pytest.param((1, 0), (3, 4), 1, id="aslant"),
        pytest.param((6, 0), (6, 4), 0, id="beyond its end"),
        pytest.param((2, 0), (2, 1), 0, id="not far enough"),
        pytest.param((0, 2), (4, 2), 0, id="along it"),
        pytest.param((2, 0), (2, 2), 0, id="onto it"),
        pytest.param((2, 2), (2, 4), 1, id="on from it"),
        pytest.param((2, 2), (2, 0), 0, id="back from it"),
        pytest.param((2, 0), (2, 0), 0, id="standing"),
        pytest.param((3, 0), (6, 3), 0, id="round its end"),
    ],
)
def test_crossings(before, after, wanted):
    assert crossings(np.array([before], float), np.array([after], float), LINE).tolist() == [wanted]


def test_in_is_to_the_right_of_who_walks_along_the_line():
    upwards = np.array([[2, 4], [2, 0]], float)
    assert crossings(np.array([[1.0, 2]]), np.array([[3.0, 2]]), upwards).tolist() == [1]


@pytest.mark.parametrize(
    ("corners", "wanted"),
    [
        pytest.param(SQUARE, True, id="square"),
        pytest.param(NOTCHED, True, id="notched"),
        pytest.param(SQUARE[[0, 2, 1, 3]], False, id="bow tie"),
        pytest.param(np.array([[0, 0], [1, 1], [2, 2]], float), False, id="no area"),
    ],
)
def test_simple_polygons(corners, wanted):
    assert is_simple(corners) is wanted
