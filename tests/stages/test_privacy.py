"""Blurred faces: in the frame itself, so in every sink; when in doubt, blurred."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from recognition import SIDE, ToldFaces, enrolled, faces_at, identified, scene, toy_recognizer, tracked
from vedette import app, pipeline
from vedette.errors import SettingsError
from vedette.settings import PrivacySettings
from vedette.sinks.uri import open_sink
from vedette.sources.images import read_image
from vedette.stages.detect import Detect
from vedette.stages.every import Every
from vedette.stages.order import check_order
from vedette.stages.privacy import Privacy, mosaic
from vedette.stages.recognize import Recognize
from vedette.stages.track import Track
from vedette.testing import FakeSource, ListSink
from vedette.types import Enhancement, Frame, Results

ANN, EVE = (40, 40), (200, 40)


def seen(stage, image, faces, second=0.0):
    """Return the picture that a sink gets."""
    frame = Frame(image, 0, round(second * 1e9), 0, "test", ahead=image)
    after = stage(Results(frame, {"faces": faces}))
    assert after.blurred
    assert after.frame.ahead is None  # it holds the clear picture
    return after.frame.image


def detail(image, place):
    """Return how much of the grain is left where a face is: the mean step from pixel to pixel."""
    x, y = place
    face = image[y + 8 : y + SIDE - 8, x + 8 : x + SIDE - 8].astype(int)
    return float(np.abs(np.diff(face, axis=1)).mean())


def blurred(image, place):
    return detail(image, place) < 3  # a clear one has 15 and more


def test_all_are_blurred_and_nothing_else_is():
    image, faces = scene(1, 2)
    before = image.copy()
    after = seen(Privacy(PrivacySettings(grow=0.25)), image, faces)
    assert not blurred(image, ANN)
    assert blurred(after, ANN)
    assert blurred(after, EVE)
    np.testing.assert_array_equal(image, before)  # others hold the same frame
    np.testing.assert_array_equal(after[200:], image[200:])  # .25 of 112 px around 40..152, no more
    assert (after[12:180, 12:340] != image[12:180, 12:340]).mean() > 0.3


@pytest.mark.parametrize("scale", [1, 2])
def test_the_picture_before_it_was_enhanced_is_blurred_too(scale):
    image, _ = scene(1, 2)
    faces = faces_at(ANN)
    large = np.repeat(np.repeat(image, scale, 0), scale, 1)
    found = replace(faces, xyxy=faces.xyxy * scale)
    told = Enhancement(models=("large",), resolution=1.0, state="full", before=image)
    given = Results(Frame(large, 0, 0, 0, "test"), {"faces": found}, enhanced={"enhance": told})
    before = Privacy(PrivacySettings(grow=0.25))(given).enhanced["enhance"].before
    assert (blurred(before, ANN), blurred(before, EVE)) == (True, False)
    assert not blurred(image, ANN)  # others hold it


def test_a_blurred_face_tells_no_detail():
    """Two people whose cells have the same means look the same."""
    image, faces = scene(1)
    smooth = image.copy()
    smooth[40:152, 40:152] = cv2.blur(image[40:152, 40:152], (3, 3))
    stage = Privacy(PrivacySettings(grow=0))
    one, other = (seen(stage, picture, tracked(faces, 1)) for picture in (image, smooth))
    assert len(np.unique(one[40:152, 40:152].reshape(-1, 3), axis=0)) <= 36
    assert np.abs(one.astype(int) - other).max() <= 4


@pytest.mark.parametrize(
    ("person_id", "decided", "shown"),
    [
        pytest.param(7, True, True, id="known"),
        pytest.param(-1, True, False, id="unknown"),
        pytest.param(7, False, False, id="not decided yet"),
    ],
)
def test_only_who_is_known_is_shown(person_id, decided, shown):
    image, faces = scene(1)
    who = identified(tracked(faces, 1), person_id, decided=decided)
    assert blurred(seen(Privacy(PrivacySettings("unknown")), image, who), ANN) is not shown
    assert blurred(seen(Privacy(PrivacySettings("all")), image, who), ANN)


def test_faces_that_nobody_identified_count_as_unknown():
    image, faces = scene(1)
    assert blurred(seen(Privacy(PrivacySettings("unknown")), image, faces), ANN)


def test_a_face_that_is_lost_for_a_moment_stays_blurred_and_the_box_grows():
    stage = Privacy(PrivacySettings(hold_s=1.5))
    image, faces = scene(1)
    none = faces_at()
    seen(stage, image, tracked(faces, 1), 0)
    soon, later = (seen(stage, image, none, second) for second in (0.2, 1.4))
    assert blurred(soon, ANN)
    assert blurred(later, ANN)
    assert (later != image).sum() > (soon != image).sum()
    np.testing.assert_array_equal(seen(stage, image, none, 1.6), image)


def test_a_face_that_moved_on_leaves_no_blur_behind():
    stage = Privacy(PrivacySettings(grow=0))
    image, faces = scene(1)
    seen(stage, image, tracked(faces, 1), 0)
    moved = seen(stage, image, tracked(faces_at((400, 40)), 1), 0.1)
    assert not blurred(moved, ANN)


def test_faces_without_tracks_do_not_pile_up():
    stage = Privacy(PrivacySettings())
    image, faces = scene(1)
    for k in range(60):
        after = seen(stage, image, faces, k / 60)
    assert len(stage._held) == 1
    np.testing.assert_array_equal(after[200:], image[200:])


def test_a_track_that_becomes_known_is_shown_at_once():
    stage = Privacy(PrivacySettings("unknown"))
    image, faces = scene(1)
    seen(stage, image, identified(tracked(faces, 1), -1), 0)
    assert not blurred(seen(stage, image, identified(tracked(faces, 1), 7), 0.1), ANN)


def test_a_clock_that_runs_backwards_neither_shows_nor_blurs_for_ever():
    stage = Privacy(PrivacySettings(hold_s=1))
    image, faces = scene(1)
    none = faces_at()
    seen(stage, image, tracked(faces, 1), 1e6)
    assert blurred(seen(stage, image, none, 5), ANN)
    np.testing.assert_array_equal(seen(stage, image, none, 6.1), image)


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((0, 0, 0, 0), id="none"),
        pytest.param((639, 239, 640, 240), id="one pixel"),
        pytest.param((0, 0, 640, 240), id="all of it"),
        pytest.param((0, 0, 640, 1), id="a line"),
    ],
)
def test_odd_boxes(box):
    image = scene(1)[0]
    hidden = mosaic(image, [box])
    assert (hidden.shape, hidden.dtype) == (image.shape, np.uint8)


def test_boxes_at_the_edge_and_beyond():
    image = scene()[0]
    faces = faces_at((-60, -60), (600, 200), (5000, 5000))
    assert seen(Privacy(), image, faces).shape == image.shape


def test_every_sink_gets_blurred_pixels(tmp_path):
    """One known, one unknown, from the camera through pictures, video and the list: after a second only Ann is seen."""
    recognizer = toy_recognizer(tmp_path)
    enrolled(recognizer, Ann=1)
    pictures = [scene(1, 3, noise=k)[0] for k in range(20)]
    stages = [
        Detect("faces", ToldFaces(scene(1, 3)[1])),
        Track(),
        Recognize(recognizer),
        Privacy(PrivacySettings("unknown")),
    ]
    check_order(stages)
    listed = ListSink()
    sinks = [listed, open_sink(f"images:{tmp_path / 'out'}?quality=95"), open_sink(str(tmp_path / "out.avi"))]
    told = list(pipeline.run(FakeSource(pictures, fps=10), stages, sinks))
    recognizer.close()

    frames = [one.frame.image for one in listed.results]
    assert len(frames) == len(told) == 20
    assert all(blurred(image, EVE) for image in frames)
    assert blurred(frames[0], ANN)
    assert not blurred(frames[-1], ANN)
    files = sorted((tmp_path / "out").iterdir())
    assert len(files) == 20
    assert all(_flat(read_image(file), EVE) for file in files)
    assert not _flat(read_image(files[-1]), ANN)
    video = cv2.VideoCapture(str(tmp_path / "out.avi"))
    decoded = [cv2.cvtColor(video.read()[1], cv2.COLOR_BGR2RGB) for _ in range(20)]
    video.release()
    assert all(_flat(image, EVE) for image in decoded)


def _flat(image, place):
    """Tell whether no grain is left after lossy coding: between the drawn landmarks of eyes and nose."""
    x, y = place
    part = image[y + 57 : y + 65, x + 10 : x + 100].astype(int)
    return float(np.abs(np.diff(part, axis=1)).mean()) < 8


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        pytest.param([Privacy()], "put the stage faces before it", id="nothing found"),
        pytest.param(
            [Detect("faces", ToldFaces()), Privacy(PrivacySettings("unknown"))],
            "put the stages track and recognize before it",
            id="nobody known",
        ),
        pytest.param(
            [Every(Detect("faces", ToldFaces()), 3), Track(), Privacy()],
            "every frame looked at",
            id="not every frame",
        ),
    ],
)
def test_what_would_show_faces_is_refused(stages, message):
    with pytest.raises(SettingsError, match=message):
        check_order(stages)


def test_names_need_tracks(tmp_path):
    with (
        toy_recognizer(tmp_path) as recognizer,
        pytest.raises(SettingsError, match="faces and track before it"),
    ):
        check_order([Detect("faces", ToldFaces()), Recognize(recognizer)])


def test_the_stage_by_name():
    assert app.make_stage("privacy?blur=unknown&grow=0.5&hold_s=2").settings == PrivacySettings(
        "unknown", 0.5, 2
    )
    assert app.make_stage("privacy").settings.blur == "all"
    with pytest.raises(SettingsError, match="did you mean 'all'"):
        app.make_stage("privacy?blur=al")
