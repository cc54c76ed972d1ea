"""Turns of the head, asked for and judged: pure sequences of poses, and landmarks of heads and of flat pictures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from vedette.errors import SettingsError
from vedette.gallery.challenge import Challenge, ChallengeRules, Look, draw_turns
from vedette.ops.faces import face_pose

ANN, BOB = 7, 8
FPS = 20
SPEED_DEG_S = 90.0


def look(yaw_deg=0.0, *, named=ANN, compared=True, person_id=ANN):
    return Look(yaw_deg, named, compared, person_id if compared else None)


def path(*stops_deg, fps=FPS):
    """Return the yaws of a head that goes from stop to stop and rests 0.4 s at each."""
    yaws = [stops_deg[0]]
    for start, end in pairwise(stops_deg):
        steps = max(1, round(abs(end - start) / SPEED_DEG_S * fps))
        yaws += [start + (end - start) * k / steps for k in range(1, steps + 1)]
        yaws += [end] * max(2, round(0.4 * fps))
    return yaws


def play(asked, looks, *, fps=FPS, begin=None, **rules):
    """Return the challenge after `looks`, one a frame; None is a frame without the face."""
    made = Challenge(asked, begin or look(), time_s=100.0, rules=ChallengeRules(**rules))
    for k, one in enumerate(looks, 1):
        made.see(one, time_s=100.0 + k / fps)
    return made


def turned(asked, *stops_deg, fps=FPS, **rules):
    return play(asked, [look(yaw) for yaw in path(*stops_deg, fps=fps)], fps=fps, **rules)


@pytest.mark.parametrize("fps", [4, 20, 60])
@pytest.mark.parametrize(
    ("asked", "stops_deg"),
    [
        pytest.param(("left", "right"), (0, 40, 0, -40, 0), id="left, right"),
        pytest.param(("right", "left"), (0, -40, 0, 40, 0), id="right, left"),
        pytest.param(("left", "left"), (0, 35, 0, 35, 0), id="left twice"),
        pytest.param(("left",), (0, 30, 0), id="once"),
    ],
)
def test_who_turns_as_asked_has_passed(fps, asked, stops_deg):
    made = turned(asked, *stops_deg, fps=fps)
    assert (made.step, made.reason, made.done) == ("passed", "", len(asked))
    assert 0.5 < made.seconds < 6


def test_what_is_to_be_done_is_told_step_by_step():
    made, steps = Challenge(("left", "right"), look(), time_s=0.0), []
    for k, yaw in enumerate(path(0, 40, 0, -40, 0), 1):
        steps.append(made.step)
        made.see(look(yaw), time_s=k / FPS)
    steps.append(made.step)
    order = [step for k, step in enumerate(steps) if k == 0 or step != steps[k - 1]]
    assert order == ["left", "front", "right", "front", "passed"]


@pytest.mark.parametrize(
    ("asked", "stops_deg", "reason"),
    [
        pytest.param(("left", "right"), (0, -40, 0), "wrong_way", id="the other way first"),
        pytest.param(("left", "left"), (0, 40, 0, -40), "wrong_way", id="the other way second"),
        pytest.param(("left",), (0, 20, 0, 20, 0), "", id="not far enough: goes on"),
        pytest.param(("left", "right"), (0, 40), "", id="never back: goes on"),
        pytest.param(("left", "right"), (0, 40, 0, -40, 0, 40), "", id="passed, and what comes after"),
    ],
)
def test_other_turns(asked, stops_deg, reason):
    made = turned(asked, *stops_deg)
    assert made.reason == reason
    assert made.passed == (stops_deg[-1] == 40 and len(stops_deg) == 6)


def test_the_turn_counts_from_where_the_head_was():
    """A camera at the side sees everybody turned: 20 degrees then are the front."""
    yaws = path(20, 50, 20, -10, 20)
    assert play(("left", "right"), [look(y) for y in yaws], begin=look(20)).passed
    assert not play(("left", "right"), [look(y) for y in path(20, 40, 20, 0, 20)], begin=look(20)).passed


def test_one_stray_look_is_no_turn():
    assert play(("left",), [look(32), look(0), look(0)], jitter_deg=40).step == "left"
    assert play(("left",), [look(32)] * 4, jitter_deg=40).step == "front"


def test_time_is_up():
    waiting = [look()] * (FPS * 11)
    assert play(("left",), waiting).reason == "time"
    assert play(("left",), waiting, limit_s=30).step == "left"
    assert play(("left",), [look(y) for y in path(0, 40)] + [look(40)] * 200).reason == "time"


def test_a_clock_that_runs_backwards_ends_it():
    made = Challenge(("left",), look(), time_s=100.0)
    made.see(look(), time_s=99.9)
    assert (made.step, made.reason) == ("failed", "clock")
    made.see(look(40), time_s=101)
    assert made.reason == "clock"


@pytest.mark.parametrize(
    ("gap", "reason"),
    [pytest.param(8, "", id="for a moment"), pytest.param(12, "lost", id="for long")],
)
def test_the_face_is_lost(gap, reason):
    yaws = [look(y) for y in path(0, 40, 0, -40, 0)]
    assert play(("left", "right"), [*yaws[:4], *[None] * gap, *yaws[4:]]).reason == reason


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        pytest.param(look(named=BOB, person_id=BOB), "identity", id="the track is somebody else's"),
        pytest.param(look(named=None, compared=False), "identity", id="the name is taken back"),
        pytest.param(look(person_id=BOB), "identity", id="it looks like somebody else"),
        pytest.param(look(person_id=None), "identity", id="it looks like nobody"),
        pytest.param(look(compared=False), "", id="not compared"),
    ],
)
def test_a_second_face_that_steps_in(who, reason):
    """In the middle of a challenge, for two frames, under the same track; then the first one goes on."""
    first = [look(y) for y in path(0, 40, 0)]
    rest = [look(y) for y in path(0, -40, 0)]
    assert play(("left", "right"), [*first, who, who, *rest]).reason == reason


def test_one_uncertain_comparison_is_forgiven_and_not_a_turned_head_that_looks_like_nobody():
    first, rest = [look(y) for y in path(0, 40, 0)], [look(y) for y in path(0, -40, 0)]
    assert play(("left", "right"), [*first, look(person_id=None), *rest]).passed
    half = [look(y, person_id=ANN if abs(y) < 20 else None) for y in path(0, 40, 0, -40, 0)]
    assert play(("left", "right"), half).passed


def test_nobody_passes_without_being_recognised_after_each_turn():
    yaws = path(0, 40, 0)
    made = play(("left",), [look(y, compared=False) for y in yaws])
    assert (made.step, made.done) == ("front", 0)


def test_pictures_that_are_swapped_turn_too_fast():
    swap = [0] * 4 + [40] * 8 + [0] * 8
    assert play(("left",), [look(y) for y in swap]).reason == "jump"
    assert play(("left",), [look(float("nan"))]).reason == "jump"


def project(points, yaw_deg, *, distance=6.0):
    """Return (5, 2) of points, in distances between the eyes, turned about the vertical, seen from `distance`."""
    c, s = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    x, y, z = (points @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])).T
    return (60 * np.stack([x, y], 1) * (distance / (distance - z))[:, None]).astype(np.float32)


HEAD = np.array([(-0.5, 0, 0), (0.5, 0, 0), (0, 0.6, 0.45), (-0.42, 1.05, 0.05), (0.42, 1.05, 0.05)])
FLAT = HEAD * (1, 1, 0)


@pytest.mark.parametrize(
    ("points", "mirrored", "step"),
    [
        pytest.param(HEAD, False, "passed", id="a head"),
        pytest.param(FLAT, False, "failed", id="a flat picture turned in the hand"),
        pytest.param(HEAD, True, "failed", id="a head in a mirror"),
    ],
)
def test_landmarks_of_heads_and_of_pictures(points, mirrored, step):
    """The same movement of each, up to 60 degrees; the picture is held at 6 distances between its eyes, some 40 cm."""
    made = Challenge(("left", "right"), look(), time_s=0.0)
    for k, yaw in enumerate([*path(0, 60, 0, -60, 0), *[0.0] * 200], 1):
        seen = project(points, yaw)
        if mirrored:
            seen = (seen * (-1, 1))[[1, 0, 2, 4, 3]].astype(np.float32)
        made.see(look(face_pose(seen)[0]), time_s=k / FPS)
    assert made.step == step
    assert made.reason == {"passed": "", "failed": "wrong_way" if mirrored else "time"}[step]


def test_turns_are_drawn_by_chance_and_by_nothing_else():
    assert draw_turns(3, lambda ways: ways[1]) == ("right",) * 3
    drawn = {draw_turns(2) for _ in range(200)}
    assert drawn == {(a, b) for a in ("left", "right") for b in ("left", "right")}


@pytest.mark.parametrize(
    "wrong",
    [{"limit_s": 0}, {"gap_s": -1}, {"turn_deg": 10, "front_deg": 10}, {"front_deg": 0}, {"speed_deg_s": 0}],
    ids=str,
)
def test_rules_that_make_no_sense(wrong):
    with pytest.raises(SettingsError):
        ChallengeRules(**wrong)


def test_only_somebody_recognised_is_asked():
    for one in (look(compared=False), look(person_id=None), look(named=None, person_id=None)):
        with pytest.raises(SettingsError):
            Challenge(("left",), one, time_s=0.0)
    with pytest.raises(SettingsError):
        Challenge((), look(), time_s=0.0)
