"""Decide over time, in seconds and not in frames: how much work fits a budget, and when something is switched on."""

from __future__ import annotations

import math

__all__ = ["RESOLUTIONS", "Budget", "Switch"]

RESOLUTIONS = (1.0, 0.5, 0.25, 0.0)
"""Parts of the picture's width and height that are worked at, the best first; 0 stands aside."""

SMOOTH_S = 0.3
OVER_S = 0.5
BACK_S = 4.0
LONGEST_WAIT_S = 60.0


class Budget:
    """Which of `RESOLUTIONS` keeps within so many milliseconds.

    It goes one step down when the time taken, smoothed over `SMOOTH_S`, was above the budget for `OVER_S`. It tries one
    step up after `BACK_S`, twice as long after each try that failed, a minute at most. Holds state.

    Args:
        budget_ms: above 0; None keeps the full resolution.
    """

    def __init__(self, budget_ms: float | None) -> None:
        self._budget_ms = budget_ms
        self._level = 0
        self._wait_s = BACK_S
        self._trying = False
        self._first = True  # of a level: memory is planned anew, which says nothing of the rest
        self._cost_ms = -1.0
        self._last_s = self._since_s = self._over_since_s = -math.inf

    @property
    def resolution(self) -> float:
        """What the next picture is to be worked at."""
        return RESOLUTIONS[self._level]

    def spent(self, ms: float, now_s: float) -> None:
        """Take how long the work on a picture took, at the present resolution.

        Args:
            ms: 0 where nothing was done.
            now_s: on a clock that only grows.
        """
        if self._budget_ms is None:
            return
        if self._first:
            self._first, self._since_s, self._last_s = False, now_s, now_s
            self._cost_ms, self._over_since_s = -1.0, math.inf
            return
        weight = 1.0 if self._cost_ms < 0 else 1 - math.exp(-(now_s - self._last_s) / SMOOTH_S)
        self._cost_ms += weight * (ms - self._cost_ms)
        self._last_s = now_s
        over = self._cost_ms > self._budget_ms
        self._over_since_s = min(self._over_since_s, now_s) if over else math.inf
        if over and now_s - self._over_since_s >= OVER_S:
            self._step_down()
        elif now_s - self._since_s >= self._wait_s and not over:
            self._step_up()

    def _step_down(self) -> None:
        if self._level == len(RESOLUTIONS) - 1:
            return
        self._wait_s = min(LONGEST_WAIT_S, 2 * self._wait_s) if self._trying else BACK_S
        self._trying = False
        self._level, self._first = self._level + 1, True

    def _step_up(self) -> None:
        """Try the next better level; where there is none, or a try has lasted, the wait is the shortest again."""
        if self._trying or self._level == 0:
            self._wait_s = BACK_S
        self._trying = self._level > 0
        self._since_s = self._last_s
        if self._level:
            self._level, self._first = self._level - 1, True


class Switch:
    """On from a level on, off below a lower one, each only after it has lasted. Holds state.

    Args:
        on_at: value from which it is to be on.
        off_at: value, below `on_at`, down to which it stays on.
        on_s, off_s: for so long the value must have been there. The first value decides at once.
    """

    def __init__(self, *, on_at: float, off_at: float, on_s: float = 0.5, off_s: float = 2.0) -> None:
        self._on_at, self._off_at, self._on_s, self._off_s = on_at, off_at, on_s, off_s
        self._on: bool | None = None
        self._since_s: float | None = None  # when the value began to speak for the other state

    def update(self, value: float, now_s: float) -> bool:
        """Take a value, and return whether it is on."""
        if self._on is None:
            self._on = value >= self._on_at
            return self._on
        other = value < self._off_at if self._on else value >= self._on_at
        if not other:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = now_s
        if self._since_s is not None and now_s - self._since_s >= (self._off_s if self._on else self._on_s):
            self._on, self._since_s = not self._on, None
        return self._on
