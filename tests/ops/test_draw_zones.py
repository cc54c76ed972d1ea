"""Zones, lines and predicted boxes on the overlay."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vedette.ops import draw
from vedette.ops.draw import annotate
from vedette.types import Detections, ZoneCount

YARD = ZoneCount(
    "yard", ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)), {"inside": 1, "entered": 2, "left": 1}
)
DOOR = ZoneCount("door", ((0.1, 0.5), (0.9, 0.5)), {"in": 3, "out": 0})


def grey(size_wh=(640, 480)):
    return np.full((size_wh[1], size_wh[0], 3), 128, np.uint8)


def box(predicted):
    return Detections(
        np.float32([[100, 100, 300, 300]]), np.float32([0.9]), np.int32([0]), np.int32([12]), ("cat",),
        predicted=np.array([predicted]),
    )  # fmt: skip


def count(image, color):
    return int((image == np.array(color)).all(2).sum())


def test_a_zone_is_drawn_where_it_is_in_any_size():
    for size_wh in ((640, 480), (1280, 960)):
        drawn = annotate(grey(size_wh), {}, zones=[YARD])
        x, y = (size_wh[0] - 1) // 2, round(0.75 * (size_wh[1] - 1))
        assert tuple(drawn[y, x]) == draw._zone_color(0)
        assert tuple(drawn[size_wh[1] // 2, x]) == (128, 128, 128)


def test_a_lines_arrow_points_to_where_in_is():
    drawn = annotate(grey(), {}, zones=[DOOR])
    below, above = drawn[245:, 300:340], drawn[:234, 300:340]
    assert count(below, draw._zone_color(0)) > 0
    assert count(above, draw._zone_color(0)) == 0


def test_names_and_counts_are_written(monkeypatch):
    written = []
    monkeypatch.setattr(cv2, "putText", lambda canvas, text, *rest: written.append(text))
    annotate(grey(), {"s": box(False)}, zones=[YARD, DOOR])
    assert written == ["yard inside 1 entered 2 left 1", "door in 3 out 0", "cat 0.90 #12"]


def test_a_predicted_box_is_dashed():
    seen, predicted = annotate(grey(), {"s": box(False)}), annotate(grey(), {"s": box(True)})
    color = draw.color_of(0, 0)
    edge_seen, edge_predicted = seen[120:280, 100], predicted[120:280, 100]
    share = (edge_predicted == color).all(1).mean() / (edge_seen == color).all(1).mean()
    assert 0.3 < share < 0.8


@pytest.mark.parametrize("size_wh", [(1, 1), (3, 200), (320, 240)], ids=str)
def test_any_size_of_picture(size_wh):
    assert annotate(grey(size_wh), {"s": box(True)}, zones=[YARD, DOOR]).shape == (*size_wh[::-1], 3)
