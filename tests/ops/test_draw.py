from __future__ import annotations

import cv2
import numpy as np
import pytest

from recognition import faces_at, identified
from vedette.ops import draw
from vedette.ops.draw import MIN_TEXT_PX, PALETTE, annotate, color_of, scaled, text_px
from vedette.types import Detections, Faces

SIZES = [(320, 240), (1280, 720), (3840, 2160)]


def grey(size_wh, level=128):
    return np.full((size_wh[1], size_wh[0], 3), level, np.uint8)


def boxes(xyxy, labels=("face",)):
    xyxy = np.asarray(xyxy, np.float32).reshape(-1, 4)
    return Detections.of(
        xyxy, np.full(len(xyxy), 0.9, np.float32), np.zeros(len(xyxy), np.int32), labels=labels
    )


def faces(xyxy, landmarks):
    one = boxes(xyxy)
    return Faces(
        one.xyxy, one.score, one.class_id, one.track_id, one.labels, np.asarray(landmarks, np.float32)
    )


@pytest.mark.parametrize("size_wh", [*SIZES, (1, 1)], ids=str)
@pytest.mark.parametrize("found", [{}, {"faces": Detections.empty()}], ids=["no stage", "n = 0"])
def test_nothing_found_draws_nothing(size_wh, found):
    image = grey(size_wh)
    drawn = annotate(image, found)
    np.testing.assert_array_equal(drawn, image)
    assert not np.shares_memory(drawn, image)


@pytest.mark.parametrize("size_wh", SIZES, ids=str)
def test_letters_are_high_enough_to_read(size_wh):
    width, height = size_wh
    one = boxes([[width * 0.3, height * 0.4, width * 0.7, height * 0.8]], labels=("HHH",))
    drawn = annotate(grey(size_wh), {"s": one})
    above = drawn[: int(height * 0.4) - text_px(size_wh) // 4]
    paper = np.abs(above.astype(int) - PALETTE[0]).max(2) < 40
    rows, columns = np.nonzero(paper)
    strip = above[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    ink = np.nonzero((strip.max(2) < 60).any(1))[0]
    letters_px = ink.max() - ink.min() + 1
    assert letters_px >= MIN_TEXT_PX
    assert letters_px >= 0.8 * text_px(size_wh)
    assert text_px(size_wh) <= 0.045 * height


@pytest.mark.parametrize("size_wh", [(1, 1), (3, 200), (200, 3), (16, 16), (320, 240)], ids=str)
@pytest.mark.parametrize("status", ["", "29.8 fps  41 ms"])
def test_boxes_at_and_beyond_the_border(size_wh, status):
    w, h = size_wh
    far = [[0, 0, w, h], [w - 1, h - 1, w, h], [0, 0, 1, 1], [-50, -50, 2 * w, 2 * h], [w / 2, h / 2, w / 2, h / 2],
           [1e9, -1e9, np.inf, np.nan]]  # fmt: skip
    points = np.full((len(far), 5, 2), 1e12)
    points[0], points[1] = np.nan, -3
    drawn = annotate(grey(size_wh), {"faces": faces(far, points)}, status=status)
    assert drawn.shape == (h, w, 3)
    assert drawn.dtype == np.uint8


@pytest.mark.parametrize("size_wh", SIZES, ids=str)
def test_the_whole_line_of_a_box_at_the_border_is_seen(size_wh):
    (w, h), line = size_wh, draw._pen(*size_wh).width
    drawn = annotate(grey(size_wh), {"s": boxes([[0, 0, w, h]])})
    color = np.array(PALETTE[0])
    for edge in (drawn[: 2 * line, w // 2], drawn[-2 * line :, w // 2], drawn[h // 2, : 2 * line],
                 drawn[h // 2, -2 * line :]):  # fmt: skip
        assert (edge == color).all(1).sum() >= line


@pytest.mark.parametrize("xyxy", [
    pytest.param([0, 0, 30, 30], id="top left"), pytest.param([290, 0, 320, 30], id="top right"),
    pytest.param([290, 210, 320, 240], id="bottom right"), pytest.param([0, 0, 320, 240], id="everywhere"),
])  # fmt: skip
def test_a_label_stays_whole_inside(xyxy, monkeypatch):
    written = []
    monkeypatch.setattr(cv2, "putText", lambda canvas, text, at, *rest: written.append((text, at)))
    annotate(grey((320, 240)), {"s": boxes([xyxy])})
    ((text, (x, y)),) = written
    width, height = draw._pen(320, 240).size_wh(text)
    assert text == "face 0.90"
    assert 0 <= x <= 320 - width + 2
    assert text_px((320, 240)) <= y <= 240
    assert height < 20


def test_labels_do_not_hide_each_other(monkeypatch):
    written = []
    monkeypatch.setattr(cv2, "putText", lambda canvas, text, at, *rest: written.append(at))
    annotate(grey((320, 240)), {"s": boxes(np.tile([100, 100, 140, 140], (30, 1)))})
    assert 1 < len(written) < 30
    assert len(set(written)) == len(written)


def test_landmarks_are_drawn_where_they_are():
    points = np.array([[[60, 60], [100, 60], [80, 80], [65, 100], [95, 100]]], np.float32)
    drawn = annotate(grey((320, 240)), {"faces": faces([[40, 40, 120, 120]], points)})
    for x, y in points[0].astype(int):
        assert tuple(drawn[y, x]) == PALETTE[0]


def test_the_picture_given_is_not_changed_and_may_be_a_view():
    image = grey((320, 240))
    image.flags.writeable = False
    drawn = annotate(image[:, ::-1], {"s": boxes([[10, 10, 50, 50]])})
    assert (image == 128).all()
    assert (drawn != 128).any()


def test_stages_and_classes_get_colours_of_their_own():
    assert len({color_of(0, k) for k in range(len(PALETTE))}) == len(PALETTE)
    assert color_of(0, 0) != color_of(1, 0) != color_of(2, 0)


@pytest.mark.parametrize("color", PALETTE, ids=str)
def test_text_stands_out_on_every_colour(color):
    def luminance(c):
        linear = [((v / 255 + 0.055) / 1.055) ** 2.4 if v > 10 else v / 255 / 12.92 for v in c]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(color), luminance(draw._ink(color))), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.1, AA


@pytest.mark.parametrize(
    ("text", "plain"), [("José", "Jose"), ("猫 0.90", "? 0.90"), ("a\nb", "a?b"), ("", "")]
)
def test_text_is_made_drawable(text, plain):
    assert draw._plain(text) == plain


@pytest.mark.parametrize("n", [0, 2])
def test_scaled_scales_boxes_and_landmarks(n):
    one = faces(np.full((n, 4), 10), np.full((n, 5, 2), 4))
    half = scaled({"faces": one, "s": boxes(np.full((n, 4), 6))}, 0.5)
    assert isinstance(half["faces"], Faces)
    assert (half["faces"].xyxy == 5).all()
    assert (half["faces"].landmarks == 2).all()
    assert (half["s"].xyxy == 3).all()
    assert half["s"].xyxy.dtype == np.float32


@pytest.mark.parametrize(
    ("person_id", "options", "text", "color"),
    [
        pytest.param(7, {}, "Jose 100%", draw.SURE, id="sure, accents dropped"),
        pytest.param(7, {"challenge": "left"}, "Jose 100%: turn left ->", draw.LIKELY, id="asked"),
        pytest.param(7, {"challenge": "passed"}, "Jose 100%, live: passed", draw.SURE, id="passed"),
        pytest.param(7, {"challenge": "failed"}, "Jose 100%, live: failed", draw.LIKELY, id="failed"),
        pytest.param(7, {"certainty": 0.6}, "Jose 60%", draw.LIKELY, id="likely"),
        pytest.param(-1, {}, "unknown", draw.UNKNOWN, id="unknown"),
        pytest.param(-1, {"decided": False}, "?", draw.UNDECIDED, id="too little seen"),
    ],
)
def test_names_are_coloured_by_certainty(person_id, options, text, color, monkeypatch):
    written = []
    monkeypatch.setattr(
        draw, "_write", lambda _canvas, _pen, text, _places, color, _placed: written.append((text, color))
    )
    who = identified(faces_at((100, 100)), person_id, name="José", **options)
    drawn = annotate(grey((320, 240)), {"faces": who})
    assert written == [(text, color)]
    assert (drawn == np.array(color)).all(-1).sum() > 100


def test_scaled_keeps_names():
    who = scaled({"faces": identified(faces_at((10, 20)), 7)}, 0.5)["faces"]
    assert who.identity == ("known",)
    assert who.xyxy[0].tolist() == [5, 10, 61, 66]
