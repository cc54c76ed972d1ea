"""Zones and lines: told once, in seconds, at any frame rate, without flicker at the edge."""

from __future__ import annotations

import math
import threading
from types import MappingProxyType

import numpy as np
import pytest

from vedette.errors import SettingsError
from vedette.stages.zones import Zones
from vedette.testing import fake_image
from vedette.types import Detections, Frame, Results
from vedette.zone_settings import LineSettings, ZoneSettings

RATES_HZ = (2, 5, 10, 30)
WH = (1000, 500)
RIGHT_HALF = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
DOOR = ((0.5, 0.9), (0.5, 0.3))  # upwards: who walks to the right goes in


def at(t, places, *, labels=("person", "dog"), class_id=0):
    """Return a frame at second `t` with people whose feet are at `places`: number -> x, y in parts of the picture."""
    feet = np.array(list(places.values())).reshape(-1, 2) * WH
    boxes = np.concatenate([feet - (20, 100), np.add(feet, (20, 0))], 1).astype(np.float32)
    n = len(boxes)
    found = Detections(
        boxes,
        np.ones(n, np.float32),
        np.full(n, class_id, np.int32),
        np.array(list(places), np.int32),
        labels,
    )
    return Results(
        Frame(fake_image(size_wh=WH), 0, round(t * 1e9), 0, "test"), MappingProxyType({"objects": found})
    )


def run(stage, path, *, rate_hz=10, seconds=6.0, number=7):
    """Return all events as (kind, zone, second, dwell) of one who is at `path(t)`, or gone where that is None."""
    events = []
    for t in np.arange(0, seconds, 1 / rate_hz):
        done = stage(at(t, {} if path(t) is None else {number: path(t)}))
        events += [(e.kind, e.zone, e.time_ns / 1e9, e.dwell_s) for e in done.events]
    return events, {zone.name: dict(zone.counts) for zone in done.zones}


def zone(**more):
    return Zones([ZoneSettings("yard", RIGHT_HALF, **{"inertia_s": 0.3, **more})])


def door(**more):
    return Zones([LineSettings("door", DOOR, **more)])


def walk(speed, start=0.2, y=0.6):
    return lambda t: (start + speed * t, y)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_coming_and_going_are_told_once_and_when_they_were(rate_hz):
    events, counts = run(zone(), lambda t: (0.5 + 0.2 * math.sin(t), 0.5), rate_hz=rate_hz, seconds=6.0)
    assert [(kind, name) for kind, name, *_ in events] == [("enter", "yard"), ("leave", "yard")]
    (_, _, entered_s, _), (_, _, left_s, dwell_s) = events
    assert entered_s <= 1 / rate_hz + 1e-9
    assert left_s == pytest.approx(math.pi, abs=0.06 + 1 / rate_hz)  # 0.06 s: the margin at 0.2 a second
    assert dwell_s == pytest.approx(left_s - entered_s)
    assert counts == {"yard": {"inside": 0, "entered": 1, "left": 1}}


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("swing", [0.004, 0.02], ids=["within the margin", "beyond it"])
def test_who_trembles_on_the_edge_does_not_flicker(rate_hz, swing):
    rng = np.random.default_rng(rate_hz)
    path = lambda t: (0.5 + swing * rng.uniform(-1, 1), 0.5)  # noqa: E731
    events, counts = run(zone(inertia_s=1.1), path, rate_hz=rate_hz, seconds=10)
    assert [kind for kind, *_ in events] in ([], ["enter"])
    assert counts["yard"]["left"] == 0


def test_without_inertia_and_margin_the_same_would_flicker():
    rng = np.random.default_rng(0)
    events, _ = run(
        zone(inertia_s=0.0, margin=0.0), lambda t: (0.5 + 0.02 * rng.uniform(-1, 1), 0.5), seconds=10
    )
    assert len(events) > 20


@pytest.mark.parametrize(("margin", "left"), [(0.02, 0), (0.0, 1)])
def test_who_stands_a_little_outside_for_long_has_left_only_without_a_margin(margin, left):
    path = lambda t: (0.51 if t < 2 else 0.495, 0.5)  # noqa: E731 - 0.005 of the width is 0.01 of the height
    assert run(zone(margin=margin), path)[1]["yard"]["left"] == left


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_who_stays_is_told_of_once(rate_hz):
    events, counts = run(zone(dwell_s=2.0), lambda t: (0.7, 0.5), rate_hz=rate_hz)
    assert [kind for kind, *_ in events] == ["enter", "dwell"]
    assert events[1][3] == pytest.approx(2.0, abs=1 / rate_hz)
    assert counts["yard"]["inside"] == 1


def test_who_passes_faster_than_the_inertia_was_not_there():
    events, _ = run(zone(inertia_s=1.0), lambda t: (0.6 if 2 < t < 2.5 else 0.3, 0.5))
    assert events == []


def test_who_is_out_of_sight_for_a_moment_stays_and_for_longer_has_left():
    hidden, _ = run(zone(lost_s=1.5), lambda t: None if 2 < t < 3 else (0.7, 0.5))
    gone, counts = run(zone(lost_s=1.5), lambda t: None if t > 2 else (0.7, 0.5))
    assert [kind for kind, *_ in hidden] == ["enter"]
    assert [kind for kind, *_ in gone] == ["enter", "leave"]
    assert gone[1][2] == pytest.approx(2.0)
    assert counts["yard"] == {"inside": 0, "entered": 1, "left": 1}


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize(("speed", "start", "kind"), [(0.15, 0.1, "in"), (-0.15, 0.9, "out")])
def test_a_line_is_crossed_once_in_one_direction(rate_hz, speed, start, kind):
    events, counts = run(door(), walk(speed, start), rate_hz=rate_hz, seconds=5)
    assert [event[:2] for event in events] == [(kind, "door")]
    assert counts["door"] == {"in": 0, "out": 0} | {kind: 1}


@pytest.mark.parametrize("y", [0.2, 0.95], ids=["above its end", "below its end"])
def test_passing_beside_the_line_is_no_crossing(y):
    assert run(door(), walk(0.15, y=y), seconds=5)[0] == []


def test_trembling_on_the_line_counts_once_when_it_is_over_and_by_where_it_ends():
    def path(end):
        rng = np.random.default_rng(1)
        return lambda t: (0.3 if t < 1 else 0.5 + 0.004 * rng.uniform(-1, 1) if t < 4 else end, 0.6)

    assert [kind for kind, *_ in run(door(), path(0.7))[0]] == ["in"]
    assert run(door(), path(0.3))[0] == []


def test_without_a_margin_the_same_would_count_often():
    rng = np.random.default_rng(1)
    events, _ = run(door(margin=0.0), lambda t: (0.5 + 0.004 * rng.uniform(-1, 1), 0.6))
    assert len(events) > 10


def test_who_steps_over_the_line_and_vanishes_has_crossed_it():
    path = lambda t: (0.49, 0.6) if t < 1 else (0.504, 0.6) if t < 1.5 else None  # noqa: E731
    events, _ = run(door(margin=0.02, lost_s=1.0), path)
    assert [(kind, when) for kind, _, when, _ in events] == [("in", 1.0)]


def test_crossing_unseen_counts_when_seen_again_in_time():
    path = lambda t: None if 2 < t < 3 else walk(0.12)(t)  # noqa: E731
    assert [kind for kind, *_ in run(door(), path)[0]] == ["in"]


@pytest.mark.parametrize(("anchor", "entered"), [("bottom", 0), ("center", 1), ("top", 1)])
def test_the_anchor_can_be_chosen(anchor, entered):
    upper = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5))
    stage = Zones([ZoneSettings("upper", upper, anchor=anchor)])
    assert run(stage, lambda t: (0.5, 0.55))[1]["upper"]["entered"] == entered


def test_only_the_classes_asked_for_count_and_only_what_has_a_number():
    stage = zone(labels=("dog",), inertia_s=0.0)
    assert stage(at(0, {1: (0.7, 0.5)})).events == ()
    assert stage(at(1, {-1: (0.7, 0.5)}, class_id=1)).events == ()
    (event,) = stage(at(2, {2: (0.7, 0.5)}, class_id=1)).events
    assert (event.stage, event.track_id, event.label) == ("objects", 2, "dog")


@pytest.mark.parametrize(
    "places", [{}, {1: (0.2, 0.5), 2: (0.7, 0.5), 3: (0.8, 0.5)}], ids=["nobody", "three"]
)
def test_all_zones_are_in_every_result(places):
    stage = Zones([ZoneSettings("yard", RIGHT_HALF, inertia_s=0.0), LineSettings("door", DOOR)])
    done = stage(at(0, places))
    assert [z.name for z in done.zones] == ["yard", "door"]
    assert done.zones[0].counts["inside"] == (2 if places else 0)
    assert len(done.found["objects"]) == len(places)


def test_a_clock_that_runs_backwards_starts_anew_and_keeps_the_counts():
    stage = zone(inertia_s=0.5)
    run(stage, lambda t: (0.7, 0.5), seconds=2)
    _, counts = run(stage, lambda t: (0.7, 0.5), seconds=2)
    assert counts["yard"]["entered"] == 2
    assert counts["yard"]["inside"] == 1


def test_memory_is_freed():
    stage = Zones([ZoneSettings("yard", RIGHT_HALF), LineSettings("door", DOOR)])
    for k in range(200):
        stage(at(k * 0.1, {k: (0.7, 0.5)}))
    yard, line = stage._places
    assert len(yard._stays) < 20
    assert len(line._walks) < 20


def test_a_zone_whose_edges_cross_is_refused():
    with pytest.raises(SettingsError, match="zone yard cross"):
        Zones([ZoneSettings("yard", ((0, 0), (1, 1), (1, 0), (0, 1)))])


def test_a_zone_that_is_moved_keeps_its_counts_and_who_is_there():
    stage = zone(inertia_s=0.3)
    run(stage, lambda t: (0.7, 0.5), seconds=2)
    wider = ((0.4, 0.0), (1.0, 0.0), (1.0, 1.0), (0.4, 1.0))
    stage.change([ZoneSettings("yard", wider, inertia_s=0.3), LineSettings("door", DOOR)])
    done = stage(at(2.0, {7: (0.45, 0.5)}))
    assert done.events == ()
    assert [(z.name, z.points) for z in done.zones] == [("yard", wider), ("door", DOOR)]
    assert dict(done.zones[0].counts) == {"inside": 1, "entered": 1, "left": 0}


def test_a_zone_that_is_moved_away_from_somebody_is_left_by_them():
    stage = zone(inertia_s=0.3)
    run(stage, lambda t: (0.7, 0.5), seconds=2)
    left_half = tuple((x - 0.5, y) for x, y in RIGHT_HALF)
    stage.change([ZoneSettings("yard", left_half, inertia_s=0.3)])
    kinds = [e.kind for t in np.arange(2, 3, 0.1) for e in stage(at(t, {7: (0.7, 0.5)})).events]
    assert kinds == ["leave"]


def test_a_line_that_is_moved_over_somebody_is_not_crossed():
    stage = door()
    run(stage, lambda t: (0.6, 0.6), seconds=1)
    stage.change([LineSettings("door", tuple((x + 0.2, y) for x, y in DOOR))])
    assert run(stage, lambda t: (0.6, 0.6), seconds=1)[1]["door"] == {"in": 0, "out": 0}


def test_another_name_is_another_zone_and_one_left_out_is_gone():
    stage = Zones([ZoneSettings("yard", RIGHT_HALF, inertia_s=0.0), LineSettings("door", DOOR)])
    stage(at(0, {1: (0.7, 0.5)}))
    stage.change([ZoneSettings("garden", RIGHT_HALF, inertia_s=0.0)])
    done = stage(at(1, {}))
    assert [(z.name, z.counts["entered"]) for z in done.zones] == [("garden", 0)]


def test_a_change_that_is_refused_changes_nothing():
    stage = zone()
    before = stage.rules
    with pytest.raises(SettingsError, match="zone yard cross"):
        stage.change([ZoneSettings("yard", ((0, 0), (1, 1), (1, 0), (0, 1)))])
    assert stage.rules is before
    assert stage(at(0, {})).zones[0].points == RIGHT_HALF


def test_changes_by_another_thread_are_taken_over_whole():
    shapes = [[ZoneSettings(f"z{k}", RIGHT_HALF) for k in range(n)] for n in range(1, 20)]
    stage = Zones(shapes[0])
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for rules in shapes:
                stage.change(rules)

    thread = threading.Thread(target=change)
    thread.start()
    seen = {tuple(z.name for z in stage(at(k * 0.01, {})).zones) for k in range(300)}
    stop.set()
    thread.join(10)
    assert len(seen) > 1
    assert seen <= {tuple(rule.name for rule in rules) for rules in shapes}
    stage.change(shapes[3])
    assert len(stage(at(99, {})).zones) == 4
