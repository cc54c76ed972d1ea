"""Who is named is asked to turn the head: real poses from landmarks, tracks that come and go, and the log."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from recognition import SIDE, enrolled, faces_at, scene, toy_recognizer, tracked
from vedette.errors import GalleryError
from vedette.ops.faces import ALIGNED_POINTS
from vedette.settings import RecognizeSettings
from vedette.stages.recognize import Recognize
from vedette.types import Frame, Results

FPS = 20
HEAD = np.array([(-0.5, 0, 0), (0.5, 0, 0), (0, 0.613, 0.43), (-0.426, 1.069, 0.03), (0.426, 1.069, 0.03)])
EYES_PX = 35.3
MIDDLE = ALIGNED_POINTS[:2].mean(0)


def facing(yaw_deg, *, track_id=1, x=40):
    """Return a tracked face at `x` whose landmarks are those of a head turned by `yaw_deg`, seen from afar."""
    c, s = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    points = np.stack([HEAD[:, 0] * c + HEAD[:, 2] * s, HEAD[:, 1]], 1) * EYES_PX + MIDDLE + (x, 40)
    return tracked(replace(faces_at((x, 40)), landmarks=points[None].astype(np.float32)), track_id)


def sweep(*stops_deg):
    """Return yaws, one a frame: 90 degrees a second between the stops, 0.4 s at each."""
    yaws = []
    for start, end in pairwise(stops_deg):
        steps = max(1, round(abs(end - start) / 90 * FPS))
        yaws += [start + (end - start) * k / steps for k in range(1, steps + 1)] + [end] * 8
    return yaws


class Booth:
    """A stage before which people stand; its clock goes on by itself."""

    def __init__(self, recognizer, *turns, **settings):
        left = list(turns)
        self.stage = Recognize(
            recognizer,
            RecognizeSettings(challenge=2, **settings),
            choose=lambda _: left.pop(0) if left else "left",
        )
        self.gallery, self.second = recognizer.gallery, 0.0

    def see(self, image, faces):
        """Return what the stage says of `faces`, a frame later."""
        self.second += 1 / FPS
        results = Results(Frame(image, 0, round(self.second * 1e9), 0, "test"), {"faces": faces})
        return self.stage(results).found["faces"]

    def show(self, who, *yaws, **at):
        """Return each challenge that is told while somebody turns as `yaws`."""
        return [str(self.see(scene(who)[0], facing(yaw, **at)).challenge[0]) for yaw in yaws]

    def wait(self, seconds):
        """Let time pass with nobody in the picture."""
        for _ in range(round(seconds * FPS)):
            self.see(*scene())

    @property
    def log(self):
        """What was logged: who, turns made, and why it failed."""
        names = {person.id: person.name for person in self.gallery.people()}
        return [(names[one.person_id], one.done, one.reason) for one in self.gallery.attempts()]


@pytest.fixture
def recognizer(tmp_path):
    with toy_recognizer(tmp_path) as made:
        enrolled(made, Ann=1, Bob=2)
        yield made


def named(recognizer, *turns, **settings):
    """Return a booth before which Ann stands since a second, and is asked."""
    booth = Booth(recognizer, *turns, **settings)
    told = booth.show(1, *[0] * FPS)
    assert told[0] == ""
    assert told[-1] == turns[0]
    return booth


def test_who_turns_as_asked_is_live_as_long_as_she_stays(recognizer):
    booth = named(recognizer, "right", "left")
    told = booth.show(1, *sweep(0, -40, 0, 40, 0))
    order = [step for k, step in enumerate(told) if k == 0 or step != told[k - 1]]
    assert order == ["right", "front", "left", "front", "passed"]
    assert set(booth.show(1, *[0] * 100)) == {"passed"}
    assert booth.log == [("Ann", 2, "")]
    (one,) = booth.gallery.attempts()
    assert (one.track_id, one.asked) == (1, ("right", "left"))
    booth.wait(1)
    assert booth.show(1, 0)[0] != "passed", "somebody who comes back has to show it again"


def test_nothing_is_asked_unless_wanted(recognizer):
    stage = Recognize(recognizer)
    for k in range(2 * FPS):
        results = Results(Frame(scene(1)[0], k, k * 50_000_000, 0, "test"), {"faces": facing(0)})
        found = stage(results).found["faces"]
    assert (found.person[0], found.challenge.tolist()) == ("Ann", [""])
    stage.close()
    assert recognizer.gallery.path.exists()


def test_strangers_are_asked_nothing(recognizer):
    booth = Booth(recognizer, "left")
    assert set(booth.show(9, *[0] * 40)) == {""}
    assert booth.log == []


def test_the_wrong_way_fails_and_the_next_try_comes_later_each_time(recognizer):
    booth = named(recognizer, "left", "left", "right", "left", "left", "left")
    for pause_s in (2, 4):
        way = -1 if booth.log == [] else 1
        told = booth.show(1, *sweep(0, 40 * way, 0), *[0] * (FPS * pause_s))
        assert told.count("failed") / FPS == pytest.approx(pause_s, abs=0.2)
        assert told[-1] in ("left", "right")
    assert booth.log == [("Ann", 0, "wrong_way")] * 2


def test_who_does_nothing_runs_out_of_time(recognizer):
    booth = named(recognizer, "left", "left", challenge_s=3)
    assert booth.show(1, *[0] * (3 * FPS + 2))[-1] == "failed"
    assert booth.log == [("Ann", 0, "time")]


def test_a_second_face_beside_changes_nothing_and_one_in_her_place_ends_it(recognizer):
    booth = named(recognizer, "left", "right")
    for yaw in sweep(0, 40, 0):
        one, other = facing(yaw), facing(0, track_id=2, x=200)
        columns = ("xyxy", "score", "class_id", "track_id", "landmarks", "predicted")
        both = replace(
            one, **{name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in columns}
        )
        found = booth.see(scene(1, 9)[0], both)
    assert found.challenge.tolist() == ["right", ""]
    assert (
        booth.show(2, *[0] * 30, track_id=2)[0] == ""
    )  # Bob now stands where she stood, under a number of his own
    assert booth.log == [("Ann", 1, "lost")]


def test_somebody_else_under_the_same_track_ends_it(recognizer):
    booth = named(recognizer, "left", "right")
    booth.show(1, *sweep(0, 40, 0))
    assert booth.show(9, *[0] * 8)[-1] == "failed"  # a stranger: the tracker has not noticed
    assert booth.log == [("Ann", 1, "identity")]


def test_the_answer_goes_when_the_name_goes(recognizer):
    booth = named(recognizer, "left", "right")
    assert booth.show(1, *sweep(0, 40, 0, -40, 0))[-1] == "passed"
    assert booth.show(2, *[0] * (6 * FPS))[-1] != "passed"


def test_a_clock_that_is_set_back_ends_it(recognizer):
    booth = named(recognizer, "left", "right")
    booth.second -= 30
    assert booth.show(1, 0) == ["failed"]
    assert booth.log == [("Ann", 0, "clock")]
    assert booth.show(1, *[0] * (4 * FPS))[-1] == "left"


def test_what_cannot_be_logged_does_not_count(recognizer, monkeypatch, caplog):
    booth = named(recognizer, "left", "right")

    def full(_attempt):
        raise GalleryError("the disk is full")

    monkeypatch.setattr(recognizer.gallery, "log_attempt", full)
    with caplog.at_level(logging.WARNING, "vedette"):
        assert booth.show(1, *sweep(0, 40, 0, -40, 0))[-1] == "failed"
    assert "not logged, so it does not count: the disk is full" in caplog.text


def test_the_end_of_a_run_ends_it_and_is_logged(recognizer):
    booth = named(recognizer, "left", "right")
    booth.stage._challenges.close()
    assert booth.log == [("Ann", 0, "ended")]


def test_who_is_erased_in_the_middle_is_not_logged(recognizer):
    booth = named(recognizer, "left", "right")
    recognizer.gallery.erase("Ann")
    assert booth.show(1, *[0] * (2 * FPS))[-1] in ("", "failed")
    assert booth.log == []


def test_nothing_of_people_who_left_is_remembered(recognizer):
    booth = named(recognizer, "left", "right")
    for number in range(2, 12):
        booth.wait(1)
        booth.show(1, *[0] * FPS, track_id=number)
    booth.wait(1)
    challenges = booth.stage._challenges
    assert (challenges._of_track, challenges._seen_s, len(challenges._pauses)) == ({}, {}, 1)


def test_the_picture_of_a_face_is_large_enough_here():
    assert facing(0).landmarks[0] == pytest.approx(ALIGNED_POINTS + 40, abs=4)
    assert SIDE == 112
