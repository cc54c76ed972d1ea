"""Scenes and targets for object detection, and the figures of merit: by hand where the answer is plain."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from vedette.errors import SettingsError
from vedette_train.data.mosaic import MAX_OBJECTS, ObjectScene, ObjectScenes, targets
from vedette_train.data.objects import ObjectPhoto, parse_partial
from vedette_train.data.targets import anchors
from vedette_train.evaluate_detect import Found, Truth, best_threshold, coco_figures, judge, truth_of

SIZE = 64
PLACES = anchors((SIZE, SIZE), (8, 16, 32))
NONE = np.zeros((0, 4), np.float32)


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, 4)


def photo(path, xyxy, class_id, *, labelled=(0, 1)):
    n = len(class_id)
    return ObjectPhoto(
        Path(path), "o", boxes(*xyxy), np.array(class_id, np.int32), np.zeros(n, bool), frozenset(labelled)
    )


def marked(folder):
    """Return a photo with a white block, whose box is known."""
    image = np.zeros((60, 90, 3), np.uint8)
    image[20:50, 30:70] = 255
    cv2.imwrite(str(folder / "a.png"), image)
    return photo(folder / "a.png", [(30, 20, 70, 50)], [1])


def test_boxes_follow_their_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr("vedette_train.data.mosaic.disturb", lambda image, _rng: image)
    scenes = ObjectScenes([marked(tmp_path)], size=SIZE, classes=2)
    seen = 0
    for i in range(60):
        scene = scenes.make(np.random.default_rng(i))
        assert scene.image.shape == (SIZE, SIZE, 3)
        bright = np.zeros((SIZE, SIZE), bool)
        for x1, y1, x2, y2 in scene.xyxy.round().astype(int):
            bright[y1:y2, x1:x2] = True
        white = scene.image[..., 0] > 180
        edge = white.any() and cv2.dilate(bright.astype(np.uint8), np.ones((5, 5))).astype(bool)
        assert not (white & ~edge).any()  # no white outside the boxes but for the blur of resizing
        seen += len(scene.xyxy)
        assert (scene.class_id == 1).all()
        assert (scene.xyxy >= 0).all()
        assert (scene.xyxy <= SIZE).all()
    assert seen > 60


def test_the_same_state_gives_the_same_scene(tmp_path):
    scenes = ObjectScenes([marked(tmp_path)], size=SIZE, classes=2)
    a, b, c = (scenes.make(np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a.image, b.image)
    np.testing.assert_array_equal(a.xyxy, b.xyxy)
    assert not np.array_equal(a.image, c.image)


def scene(xyxy=(), class_id=(), ignored=(), tiles=((0, 0, 64, 64),), labelled=((True, True),)):
    return ObjectScene(
        np.zeros((SIZE, SIZE, 3), np.uint8),
        boxes(*xyxy),
        np.array(class_id, np.int32),
        np.array(ignored, bool),
        boxes(*tiles),
        np.array(labelled, bool).reshape(-1, 2),
    )


def test_nothing_to_see_is_all_background():
    objects, known = targets(scene(), PLACES)
    assert objects.shape == (MAX_OBJECTS, 5)
    assert (objects[:, 4] == -1).all()
    assert (known == 1).all()


def test_what_is_not_labelled_is_not_known_and_only_where_its_picture_lies():
    _, known = targets(
        scene(tiles=((0, 0, 32, 64), (32, 0, 64, 64)), labelled=((True, False), (True, True))), PLACES
    )
    left = PLACES[:, 0] < 32
    assert (known[:, 0] == 1).all()
    assert (known[left, 1] == 0).all()
    assert (known[~left, 1] == 1).all()


def test_ignored_objects_teach_neither_way():
    objects, known = targets(scene([(0, 0, 32, 32), (32, 32, 64, 64)], [0, 1], [True, False]), PLACES)
    assert objects[0].tolist() == [32, 32, 64, 64, 1]
    assert (objects[1:, 4] == -1).all()
    inside = (PLACES[:, :2] < 32).all(1)
    assert (known[inside, 0] == 0).all()
    assert known[~inside, 0].all()
    assert known[:, 1].all()


def test_of_too_many_objects_the_largest_teach_and_the_rest_is_not_background():
    n = MAX_OBJECTS + 5
    small = [(8 * (i % 8), 8 * (i % 7), 8 * (i % 8) + 8, 8 * (i % 7) + 8) for i in range(n - 1)]
    objects, known = targets(scene([*small, (0, 0, 64, 64)], [0] * n, [False] * n), PLACES)
    assert objects[0, :4].tolist() == [0, 0, 64, 64]
    assert (objects[:, 4] == 0).all()
    assert (known[:, 0] == 0).any()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("", {}, id="nothing"),
        pytest.param("people=person", {"people": {"person"}}, id="one"),
        pytest.param("a=x+y,b=", {"a": {"x", "y"}, "b": set()}, id="two and none"),
    ],
)
def test_partial_is_read(text, found):
    assert parse_partial(text) == found


def test_partial_without_an_equals_sign_is_refused():
    with pytest.raises(SettingsError, match="ORIGIN=CLASS"):
        parse_partial("people")


# figures


def truth(xyxy, class_id, *, ignored=None, labelled=(0, 1)):
    ids = np.array(class_id, np.int32)
    return Truth(
        boxes(*xyxy),
        ids,
        np.array(ignored if ignored is not None else [False] * len(ids), bool),
        frozenset(labelled),
    )


def found(xyxy=(), score=(), class_id=()):
    return Found(boxes(*xyxy), np.array(score, np.float32), np.array(class_id, np.int32))


A, B = (0, 0, 50, 50), (100, 100, 150, 150)


@pytest.mark.parametrize(
    ("truths", "answers", "ap50"),
    [
        pytest.param([truth([A], [0])], [found([A], [0.9], [0])], 1.0, id="found"),
        pytest.param([truth([A], [0])], [found()], 0.0, id="nothing found"),
        pytest.param([truth([A], [0])], [found([A], [0.9], [1])], 0.0, id="another class"),
        pytest.param([truth([A], [0])], [found([B, A], [0.9, 0.8], [0, 0])], 0.5, id="a false one before"),
        pytest.param([truth([A], [0])], [found([A, B], [0.9, 0.8], [0, 0])], 1.0, id="a false one after"),
        pytest.param(
            [truth([A, B], [0, 0], ignored=[False, True])],
            [found([B, A], [0.9, 0.8], [0, 0])],
            1.0,
            id="ignored",
        ),
        pytest.param(
            [truth([A], [0]), truth([], [], labelled=[1])],
            [found([A], [0.8], [0]), found([B], [0.9], [0])],
            1.0,
            id="not labelled there",
        ),
        pytest.param([truth([], [])], [found()], 0.0, id="nothing at all"),
    ],
)
def test_average_precision(truths, answers, ap50):
    figures = coco_figures(judge(truths, answers, classes=2), ["x", "y"])
    assert figures["ap50"] == pytest.approx(ap50, abs=0.01)


def test_figures_come_by_class_and_size():
    both = [truth([A, (0, 0, 9, 9)], [0, 1])]
    figures = coco_figures(judge(both, [found([A], [0.9], [0])], classes=3), ["x", "y", "z"])
    assert {k: v["ap50"] for k, v in figures["by_class"].items()} == {"x": 1.0, "y": 0.0}
    assert {k: v["ap50"] for k, v in figures["by_size"].items()} == {"small": 0.0, "medium": 1.0}
    assert figures["ap50"] == 0.5


def test_a_loose_box_counts_at_half_overlap_alone():
    figures = coco_figures(judge([truth([A], [0])], [found([(0, 0, 50, 33)], [0.9], [0])], classes=1), ["x"])
    assert figures["ap50"] == 1.0
    assert figures["ap50_95"] == pytest.approx(0.4, abs=0.01)  # .66 reaches .5, .55, .6 and .65


@pytest.mark.parametrize(
    ("answers", "threshold"),
    [
        pytest.param([found([A, B], [0.9, 0.3], [0, 0])], 0.9, id="above the false one"),
        pytest.param([found()], 1.0, id="nothing found"),
    ],
)
def test_the_threshold_is_the_best(answers, threshold):
    assert best_threshold(judge([truth([A], [0])], answers, classes=1)) == pytest.approx(threshold, abs=0.011)


def test_only_what_is_labelled_wholly_is_judged():
    one = truth_of(photo("x", [A, B], [0, 1], labelled=[1]))
    assert one.class_id.tolist() == [1]
    assert one.labelled == {1}
