"""A budget and switches, on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vedette.stages.keep_up import BACK_S, LONGEST_WAIT_S, OVER_S, Budget, Switch


def run(
    budget: Budget, cost_ms: Callable[[float, float], float], *, until_s: float, fps: float
) -> list[float]:
    """Return the resolution at each frame, where a picture costs what `cost_ms` says of resolution and time."""
    seen = []
    for k in range(round(until_s * fps)):
        now_s = 100 + k / fps
        seen.append(budget.resolution)
        budget.spent(cost_ms(budget.resolution, k / fps), now_s)
    return seen


@pytest.mark.parametrize("fps", [3, 30, 120])
def test_it_settles_where_the_budget_is_kept_at_any_frame_rate(fps: float) -> None:
    seen = run(Budget(30), lambda part, _: 100 * part**2, until_s=120, fps=fps)
    late = seen[len(seen) // 2 :]
    assert seen[0] == 1
    assert late.count(0.5) / len(late) > 0.9  # 25 ms; now and then a try at 100 ms
    assert 0 not in seen


@pytest.mark.parametrize("fps", [5, 60])
def test_it_steps_aside_and_comes_back(fps: float) -> None:
    seen = run(Budget(5), lambda part, t: (400 if t < 20 else 2) * part, until_s=120, fps=fps)
    first = seen.index(0.0) / fps
    assert first <= 3 * (OVER_S + 2 / fps + 0.35)  # within so many seconds
    assert seen[-1] == 1
    back_s = (len(seen) - seen[::-1].index(0.5)) / fps
    assert back_s < 20 + LONGEST_WAIT_S


def test_tries_that_fail_become_rare() -> None:
    seen = run(Budget(10), lambda part, _: 1000 * part, until_s=600, fps=10)
    worked = sum(part > 0 for part in seen) / len(seen)
    assert worked < 0.05


def test_one_slow_picture_does_not_matter() -> None:
    budget = Budget(30)
    seen = run(budget, lambda _, t: 200 if abs(t - 2) < 0.01 else 10, until_s=5, fps=30)
    assert set(seen) == {1.0}


def test_no_budget_is_no_limit() -> None:
    assert set(run(Budget(None), lambda *_: 1e6, until_s=10, fps=10)) == {1.0}


def test_a_level_is_kept_for_a_while_before_a_better_one_is_tried() -> None:
    seen = run(Budget(30), lambda part, t: 100 if part == 1 and t < 3 else 10, until_s=12, fps=20)
    down, up = seen.index(0.5), len(seen) - seen[::-1].index(0.5)
    assert (up - down) / 20 >= BACK_S


def test_a_switch_waits_and_does_not_flutter() -> None:
    switch = Switch(on_at=10, off_at=5, on_s=0.5, off_s=2)
    assert not switch.update(0, 0.0)
    assert not switch.update(12, 1.0)
    assert not switch.update(8, 1.2)  # it was not over 10 all the time
    assert not switch.update(12, 1.4)
    assert switch.update(12, 1.9)
    assert switch.update(7, 5.0)  # between the levels it stays
    assert switch.update(4, 6.0)
    assert switch.update(4, 7.9)
    assert not switch.update(4, 8.0)


def test_the_first_value_decides_at_once() -> None:
    assert Switch(on_at=10, off_at=5).update(11, 0.0)
    assert not Switch(on_at=10, off_at=5).update(9, 0.0)
