"""What counts as a detector's mistake, by hand; and the sheet that shows them."""

import cv2
import numpy as np
import pytest

from vedette_train.worst import FALSE_RGB, MISSED_RGB, Answer, at_threshold, draw_worst, mistakes
from written import put

A, B, AWAY = [0, 0, 40, 40], [50, 10, 90, 60], [100, 40, 118, 78]


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, 4)


def answer(path, found=(), score=(), wanted=(), *, excused=None, alike=None):
    n, m = len(found), len(wanted)
    return Answer(
        path,
        boxes(*found),
        np.array(score, np.float32),
        np.zeros(n, bool) if excused is None else np.array(excused),
        boxes(*wanted),
        np.ones((n, m), bool) if alike is None else np.array(alike),
    )


@pytest.mark.parametrize(
    ("given", "false", "missed"),
    [
        pytest.param({}, [], [], id="nothing there, nothing found"),
        pytest.param({"wanted": [A, B]}, [], [True, True], id="nothing found"),
        pytest.param({"found": [A], "score": [0.9]}, [True], [], id="nothing there"),
        pytest.param(
            {"found": [B, A], "score": [0.9, 0.8], "wanted": [A, B]}, [False] * 2, [False] * 2, id="all right"
        ),
        pytest.param(
            {"found": [A, A], "score": [0.5, 0.9], "wanted": [A]},
            [True, False],
            [False],
            id="twice: the less sure",
        ),
        pytest.param(
            {"found": [A], "score": [0.9], "wanted": [A], "alike": [[False]]},
            [True],
            [True],
            id="another class",
        ),
        pytest.param({"found": [AWAY], "score": [0.9], "excused": [True]}, [False], [], id="excused"),
    ],
)
def test_mistakes(tmp_path, given, false, missed):
    found = mistakes(answer(tmp_path, **given))
    assert (found[0].tolist(), found[1].tolist()) == (false, missed)


def test_what_is_less_sure_than_the_threshold_is_not_shown(tmp_path):
    one = at_threshold(answer(tmp_path, [A, B], [0.9, 0.3], [A]), 0.5)
    assert (one.score.tolist(), one.alike.shape, one.excused.shape) == ([pytest.approx(0.9)], (1, 1), (1,))


def test_the_worst_comes_first_and_what_is_right_does_not_come(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("vedette_train.worst.draw_sheet", lambda _path, pictures: drawn.extend(pictures))
    paths = [put(tmp_path / f"{i}.png", i) for i in range(4)]
    right = answer(paths[0], [A], [0.9], [A])
    one_missed = answer(paths[1], wanted=[A])
    two = answer(paths[2], [AWAY], [0.6], [A])
    unsure = answer(paths[3], [AWAY], [0.2])
    draw_worst(tmp_path / "x.png", [right, unsure, one_missed, two])
    captions = [caption for _, caption in drawn]
    assert captions == ["1 missed, 1 false\n2.png", "1 missed, 0 false\n1.png", "0 missed, 1 false\n3.png"]
    colors = {tuple(rgb) for rgb in drawn[0][0].reshape(-1, 3)}
    assert {FALSE_RGB, MISSED_RGB} <= colors
    assert drawn[0][0].shape[1] == 320


def test_the_sheet_is_a_picture_and_of_nothing_there_is_none(tmp_path):
    path = put(tmp_path / "a.png")
    draw_worst(tmp_path / "none.png", [answer(path, [A], [0.9], [A])])
    draw_worst(tmp_path / "sheet.png", [answer(path, [A], [0.9], [B])])
    assert not (tmp_path / "none.png").exists()
    assert cv2.imread(str(tmp_path / "sheet.png")).size
