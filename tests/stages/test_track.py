"""The same motion sampled at 2, 5, 10 and 30 frames a second keeps its numbers; state is bounded; time is seconds."""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from scenes import PERSON_WH, SIZE_WH, Actor, accelerating, crossing, follow, line, sample, swapped, swinging
from vedette.settings import TrackSettings
from vedette.stages.detect import Detect
from vedette.stages.every import Every
from vedette.stages.track import MAX_TRACKS, Track, Tracker
from vedette.testing import fake_image
from vedette.types import Detections, Faces, Frame, ModelInfo, Results

RATES_HZ = (2, 5, 10, 30)
SEEDS = range(3)
AT_ONCE = TrackSettings(confirm_s=0.0, smooth_s=0.0)


def times(rate_hz, seconds=6.0, *, pauses=()):
    """Return when frames are taken: evenly, none within `pauses`; the phase is odd so that nothing falls on an edge."""
    steps = np.arange(0.013, seconds, 1 / rate_hz)
    return [t for t in steps if not any(a <= t < b for a, b in pauses)]


def people(*middles, score=0.9, class_id=0):
    half = np.array(PERSON_WH) / 2
    boxes = [(*(np.array(m) - half), *(np.array(m) + half)) for m in middles]
    n = len(boxes)
    return Detections.of(
        np.array(boxes, np.float32).reshape(-1, 4), np.full(n, score, np.float32), np.full(n, class_id, np.int32),
        labels=("person", "dog"),
    )  # fmt: skip


def ns(seconds):
    return round(seconds * 1e9)


SCENES = {
    "crossing": (crossing(), ()),
    "crossing, one hidden for 0.6 s": (crossing(hidden=[(2.5, 3.1)]), ()),
    "crossing, one hidden for 1 s": (crossing(hidden=[(2.3, 3.3)]), ()),
    "running off": (accelerating(), ()),
    "to and fro": (swinging(), ()),
    "the camera pauses for a second": (crossing(), ((1.0, 2.0),)),
    "side by side": (
        [Actor(line((200 + 75 * k, 300), (90, 10))) for k in range(5)], ()
    ),
}  # fmt: skip


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("scene", SCENES)
def test_everybody_keeps_one_number(scene, rate_hz):
    actors, pauses = SCENES[scene]
    for seed in SEEDS:
        looks = sample(actors, times(rate_hz, pauses=pauses), seed=seed)
        had = follow(Tracker(TrackSettings()), looks)
        assert {who: len(numbers) for who, numbers in had.items()} == dict.fromkeys(range(len(actors)), 1)
        assert not swapped(had)


@pytest.mark.parametrize("rate_hz", [5, 10, 30])
def test_one_look_in_ten_that_finds_nothing_changes_no_number(rate_hz):
    for seed in SEEDS:
        had = follow(Tracker(TrackSettings()), sample(crossing(), times(rate_hz), seed=seed, miss=0.1))
        assert [len(numbers) for numbers in had.values()] == [1, 1]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_number_comes_after_the_same_time_at_any_rate(rate_hz):
    tracker, step_s = Tracker(TrackSettings(confirm_s=0.5)), 1 / rate_hz
    numbered = next(
        k for k in range(100) if tracker.look(people((300, 300)), ns(k * step_s)).track_id[0] >= 0
    )
    assert numbered == math.ceil(0.5 / step_s)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize(("gone_s", "same"), [(1.0, True), (4.0, False)], ids=["a second", "four seconds"])
def test_who_was_away_too_long_is_somebody_else(rate_hz, gone_s, same):
    actors = [Actor(line((600, 300), (0, 0), hidden=[(2.0, 2.0 + gone_s)]))]
    had = follow(Tracker(TrackSettings()), sample(actors, times(rate_hz, 9.0)))
    assert len(had[0]) == (1 if same else 2)
    assert len(set(had[0])) == len(had[0])


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_score_is_smoothed_by_the_second(rate_hz):
    tracker = Tracker(TrackSettings(confirm_s=0.0, smooth_s=0.5))
    tracker.look(people((300, 300), score=0.9), 0)
    for k in range(1, rate_hz + 1):
        told = tracker.look(people((300, 300), score=0.5), ns(k / rate_hz))
    assert told.score[0] == pytest.approx(0.5 + 0.4 * 0.25, abs=1e-3)


def test_the_best_score_stays_first_and_rows_together():
    tracker = Tracker(TrackSettings(confirm_s=0.0, smooth_s=10.0))
    first = tracker.look(people((200, 300)), 0)
    both = people((800, 300), (200, 300))
    told = tracker.look(replace(both, score=np.float32([0.6, 0.5])), ns(0.1))  # smoothed: 0.6 and some 0.9
    assert (np.diff(told.score) < 0).all()
    assert told.track_id[0] == first.track_id[0]
    np.testing.assert_array_equal(told.xyxy, both.xyxy[::-1])


def test_a_weak_detection_carries_a_track_on_but_begins_none():
    tracker = Tracker(AT_ONCE, start_score=0.5)
    assert len(tracker.look(people((300, 300), score=0.3), 0)) == 0
    number = tracker.look(people((300, 300)), ns(0.1)).track_id[0]
    told = tracker.look(people((302, 300), (900, 300), score=0.3), ns(0.2))
    assert told.track_id.tolist() == [number]
    assert told.score[0] == pytest.approx(0.3)
    assert not told.predicted.any()


@pytest.mark.parametrize(
    ("confirm_s", "seen"),
    [
        pytest.param(1.0, [0.9, 0.3], id="has no number yet"),
        pytest.param(0.0, [0.9, None, 0.3], id="was lost"),
    ],
)
def test_a_weak_detection_is_not_enough_where_the_track(confirm_s, seen):
    tracker = Tracker(TrackSettings(confirm_s=confirm_s), start_score=0.5)
    for k, score in enumerate(seen):
        told = tracker.look(people() if score is None else people((300, 300), score=score), ns(k / 10))
    assert len(told) == 0


def test_strong_detections_choose_first():
    tracker = Tracker(AT_ONCE, start_score=0.5)
    number = tracker.look(people((300, 300)), 0).track_id[0]
    strong, weak = people((306, 300)), people((300, 300), score=0.3)
    both = Detections(*(np.concatenate([getattr(strong, c), getattr(weak, c)])
                        for c in ("xyxy", "score", "class_id", "track_id")), strong.labels)  # fmt: skip
    told = tracker.look(both, ns(0.1))
    assert told.track_id.tolist() == [number]
    np.testing.assert_array_equal(told.xyxy, strong.xyxy)


def test_a_dog_is_no_person():
    tracker = Tracker(AT_ONCE)
    person = tracker.look(people((300, 300)), 0).track_id[0]
    dog = tracker.look(people((300, 300), class_id=1), ns(0.1)).track_id[0]
    assert dog != person
    assert tracker.look(people((300, 300)), ns(0.2)).track_id[0] == person


def test_nothing_found_is_nothing_tracked():
    tracker = Tracker(TrackSettings())
    for k in range(5):
        told = tracker.look(Detections.empty(("person",)), ns(k))
        assert len(told) == 0
        assert told.track_id.dtype == np.int32
    assert len(tracker) == 0


@pytest.mark.parametrize("step_s", [0.0, -3600.0], ids=["stands", "leaps back an hour"])
def test_a_clock_that_does_not_go_on_loses_nobody_and_goes_on(step_s):
    tracker, now_s = Tracker(AT_ONCE), 5000.0
    number = tracker.look(people((300, 300)), ns(now_s)).track_id[0]
    now_s += step_s
    assert tracker.look(people((302, 300)), ns(now_s)).track_id[0] == number
    assert tracker.look(people((304, 300)), ns(now_s + 0.1)).track_id[0] == number
    tracker.look(people(), ns(now_s + 2.0))
    assert len(tracker) == 0


def test_a_clock_that_leaps_ahead_an_hour_ends_all_tracks():
    tracker = Tracker(AT_ONCE)
    old = tracker.look(people((300, 300)), 0).track_id[0]
    new = tracker.look(people((300, 300)), ns(3600)).track_id[0]
    assert (old, new) == (0, 1)
    assert len(tracker) == 1


def test_memory_is_bounded_by_noise_and_freed_by_silence():
    tracker, rng, numbers = Tracker(AT_ONCE), np.random.default_rng(0), set()
    for k in range(30):
        told = tracker.look(people(*rng.uniform(0, 5000, (100, 2))), ns(k * 0.05))
        numbers |= set(told.track_id.tolist())
        assert len(tracker) <= MAX_TRACKS
        assert len(told) == 100
    assert len(numbers) > MAX_TRACKS / 2
    tracker.look(people(), ns(100))
    assert len(tracker) == 0


def test_numbers_end_at_what_the_column_holds_and_are_never_used_again():
    last = int(np.iinfo(np.int32).max)
    tracker = Tracker(AT_ONCE, ids=iter(range(last, last + 1)))
    told = tracker.look(people((300, 300), (900, 300)), 0)
    assert sorted(told.track_id.tolist()) == [-1, last]
    assert told.track_id.dtype == np.int32


# between looks


def test_before_the_first_look_nothing_is_carried():
    assert Tracker(TrackSettings()).carry(0, SIZE_WH) is None


@pytest.mark.parametrize("every", [2, 3, 5])
def test_a_walker_is_carried_between_looks(every):
    tracker, off_px = Tracker(AT_ONCE), []
    for k, look in enumerate(sample([Actor(line((200, 300), (150, 20)))], times(15, 4.0), noise=0.01)):
        if k % every == 0:
            number = tracker.look(look.found, ns(look.time_s)).track_id.tolist()
            continue
        carried = tracker.carry(ns(look.time_s), SIZE_WH)
        assert carried.track_id.tolist() == number
        assert carried.predicted.all()
        if k > 2 * every:  # its speed is known by then
            off_px.append(np.abs(carried.xyxy - look.found.xyxy).max())
    assert len(off_px) > 10
    assert np.median(off_px) < 5  # it walks 10 px from frame to frame


def test_what_leaves_the_picture_is_not_carried_and_the_rest_stays_inside():
    tracker = Tracker(AT_ONCE)
    for k in range(10):
        tracker.look(people((1100 + 20 * k, 300), (30, 700)), ns(k / 10))
    carried = tracker.carry(ns(1.0), SIZE_WH)
    assert len(carried) == 2
    assert carried.xyxy.min() >= 0
    assert (carried.xyxy <= [*SIZE_WH, *SIZE_WH]).all()
    assert len(tracker.carry(ns(1.4), SIZE_WH)) == 1


def test_who_was_not_found_at_the_last_look_is_not_carried():
    tracker = Tracker(AT_ONCE)
    tracker.look(people((300, 300), (900, 300)), 0)
    tracker.look(people((300, 300)), ns(0.1))
    assert len(tracker.carry(ns(0.2), SIZE_WH)) == 1


def test_landmarks_go_with_a_carried_face():
    tracker, points = Tracker(AT_ONCE), np.float32([[20, 40], [40, 40], [30, 70], [20, 100], [40, 100]])
    for k in range(20):
        box = people((300 + 10 * k, 300))
        found = Faces(
            box.xyxy, box.score, box.class_id, box.track_id, box.labels, points[None] + box.xyxy[:, None, :2]
        )
        told = tracker.look(found, ns(k / 10))
        assert isinstance(told, Faces)
    carried = tracker.carry(ns(2.0), SIZE_WH)
    assert isinstance(carried, Faces)
    np.testing.assert_allclose(carried.landmarks[0], np.add(points, (300 + 200 - 30, 225)), atol=3)
    np.testing.assert_allclose(carried.landmarks[0] - carried.xyxy[0, :2], points, atol=2)


# stages


def results(index, found, seconds=None):
    time_ns = ns(index / 10 if seconds is None else seconds)
    return Results(Frame(fake_image(size_wh=SIZE_WH), index, time_ns, 0, "test"), MappingProxyType(found))


def test_the_stage_tracks_what_each_stage_found_with_numbers_of_their_own():
    track = Track(AT_ONCE)
    for k in range(3):
        done = track(results(k, {"a": people((300, 300)), "b": people((300, 300)), "c": people()}))
        assert {name: one.track_id.tolist() for name, one in done.found.items()} == {
            "a": [0],
            "b": [1],
            "c": [],
        }


def test_a_stage_that_did_not_look_keeps_its_place_and_its_things():
    track = Track(AT_ONCE)
    track(results(0, {"a": people((300, 300)), "b": people()}))
    done = track(results(1, {"b": people((900, 300))}))
    assert list(done.found) == ["a", "b"]
    assert done.found["a"].predicted.tolist() == [True]
    assert done.found["b"].predicted.tolist() == [False]
    gone = track(results(2, {"b": people()}, seconds=60.0))
    assert len(gone.found["a"]) == 0
    assert gone.found["a"].labels == ("person", "dog")


@pytest.mark.parametrize(("given", "kept"), [(None, {"a": 1, "b": 0}), (0.3, {"a": 1, "b": 1})])
def test_where_tracks_start_is_the_stages_own_unless_said(given, kept):
    track = Track(TrackSettings(start_score=given), start_scores={"b": 0.5})
    done = track(results(0, {"a": people((300, 300), score=0.4), "b": people((300, 300), score=0.4)}))
    assert {name: len(one) for name, one in done.found.items()} == kept


class Counting:
    """A detector of one person, who says how often it was asked and closed."""

    info = ModelInfo("toy", "1", "0" * 64, "fake")
    asked = closed = 0

    def detect(self, _image):
        self.asked += 1
        return people((300, 300))

    def close(self):
        self.closed += 1


@pytest.mark.parametrize(("every", "asked"), [(1, 7), (3, 3), (10, 1)])
def test_every_kth_frame_is_looked_at_the_first_among_them(every, asked):
    detector = Counting()
    with Every(Detect("people", detector), every) as stage:
        done = [stage(results(k, {})) for k in range(7)]
    assert (detector.asked, detector.closed) == (asked, 1)
    assert ["people" in one.found for one in done] == [k % every == 0 for k in range(7)]
    assert all(one.models["people"] == detector.info for one in done)
