"""Is it a head that can be turned? Somebody named is asked to turn left or right, and must be named again after each.

It stops nearly every flat picture: the landmarks of one that is turned in the hand stay in one plane, from which
`vedette.ops.faces.face_pose` reads hardly any turn (at most 9.1 degrees whichever way it is held, up to 75 degrees and
from 20 cm on); the bundled detector's landmarks are less exact, see docs/faces.md. It does not stop a video of the
person who turns, a mask, or paper that is bent to a narrow roll.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from vedette.errors import SettingsError

__all__ = ["Challenge", "ChallengeRules", "Look", "Step", "Turn", "draw_turns"]

Turn = Literal["left", "right"]
"""The person's own left or right. A head that turns left moves its nose to the picture's right: yaw grows."""

Step = Literal["left", "right", "front", "passed", "failed"]
"""What is to be done now, or how it ended."""

_SIGN = {"left": 1, "right": -1}


@dataclass(frozen=True, slots=True)
class ChallengeRules:
    """What counts as a turn, and what ends a challenge.

    A face found again in a picture that was shifted by 3 pixels had a yaw that differed by at most 8.3 degrees in 99 of
    100 cases (bench/challenge.py); `turn_deg` and `jitter_deg` are above that.

    Attributes:
        limit_s: for the whole challenge.
        turn_deg: how far the head must turn from where it was at the beginning.
        hold_s: for how long, at least, so that one stray landmark makes no turn.
        front_deg: how near to that beginning the head looks at the camera again.
        gap_s: for how long the face may be lost.
        most_unsure: how many comparisons in a row, of the face looking at the camera, may find nobody.
        jitter_deg, speed_deg_s: how far the head may turn between two looks: that much and so much a second. Who swaps
            pictures before the camera exceeds it where frames are many.
    """

    limit_s: float = 10.0
    turn_deg: float = 30.0
    hold_s: float = 0.1
    front_deg: float = 12.0
    gap_s: float = 0.5
    most_unsure: int = 1
    jitter_deg: float = 12.0
    speed_deg_s: float = 300.0

    def __post_init__(self) -> None:
        if min(self.limit_s, self.gap_s, self.jitter_deg, self.speed_deg_s) <= 0 or self.hold_s < 0:
            raise SettingsError("a challenge needs limit_s, gap_s, jitter_deg and speed_deg_s above 0")
        if not 0 < self.front_deg < self.turn_deg:
            raise SettingsError("a challenge needs front_deg above 0 and below turn_deg")


@dataclass(frozen=True, slots=True)
class Look:
    """What one frame tells of a face.

    Attributes:
        yaw_deg: how far the head is turned; positive: nose to the picture's right.
        named: id of who the track is by all votes; None when unknown.
        compared: whether the face was compared with the gallery in this frame.
        person_id: who it was then, by this frame alone; None when unknown.
    """

    yaw_deg: float
    named: int | None
    compared: bool = False
    person_id: int | None = None

    @property
    def recognised(self) -> bool:
        """Whether this frame by itself says who the track is said to be."""
        return self.compared and self.person_id is not None and self.person_id == self.named


def draw_turns(count: int, choose: Callable[[tuple[Turn, Turn]], Turn] = secrets.choice) -> tuple[Turn, ...]:
    """Return `count` turns, each left or right by chance that nobody can foresee."""
    return tuple(choose(("left", "right")) for _ in range(count))


class Challenge:
    """One attempt of one track. Holds state; time is the caller's, in seconds, and must not run backwards.

    Args:
        asked: the turns, in order, at least one.
        look: the first one, of somebody recognised who looks at the camera.
        time_s: of it.
        rules: what counts.

    Attributes:
        person_id: who is asked.
        asked: as given.
        done: how many turns were made, each with a look at the camera after it.
        reason: "" while it goes on and where it was passed; else why it failed: "time", "clock" (it ran backwards),
            "lost" (no face for too long), "identity" (it was not the same person throughout), "jump" (the head turned
            faster than heads do), "wrong_way"; or what `fail` was told.
        passed: whether all was done.
    """

    def __init__(
        self, asked: tuple[Turn, ...], look: Look, *, time_s: float, rules: ChallengeRules | None = None
    ) -> None:
        if not asked or not look.recognised:
            raise SettingsError("a challenge needs a turn to ask for, and somebody who was just recognised")
        assert look.named is not None
        self.person_id, self.asked = look.named, asked
        self.done, self.reason, self.passed = 0, "", False
        self._rules = ChallengeRules() if rules is None else rules
        self._begun_s = self._last_s = time_s
        self._straight_deg, self._last_deg = look.yaw_deg, 0.0
        self._turned, self._since_s, self._unsure = False, time_s, 0

    @property
    def step(self) -> Step:
        """What the person is to do now, or how it ended."""
        if self.reason:
            return "failed"
        if self.passed:
            return "passed"
        return "front" if self._turned else self.asked[self.done]

    @property
    def over(self) -> bool:
        """Whether it was passed or has failed."""
        return self.passed or bool(self.reason)

    @property
    def seconds(self) -> float:
        """From its beginning to the last look."""
        return max(0.0, self._last_s - self._begun_s)

    def fail(self, reason: str) -> None:
        """End it without success, also where it was passed; one that has failed keeps its reason."""
        self.reason, self.passed = self.reason or reason, False

    def see(self, look: Look | None, *, time_s: float) -> None:
        """Take one frame into account: what it tells of the track, None where the face is not in it."""
        if self.over:
            return
        self.reason = self._timing(time_s) or ("" if look is None else self._breach(look, time_s))
        if look is not None and not self.reason:
            self._advance(look, time_s)

    def _timing(self, time_s: float) -> str:
        if time_s < self._last_s:
            return "clock"
        if time_s - self._begun_s > self._rules.limit_s:
            return "time"
        return "lost" if time_s - self._last_s > self._rules.gap_s else ""

    def _breach(self, look: Look, time_s: float) -> str:
        rules, turn_deg = self._rules, look.yaw_deg - self._straight_deg
        if look.compared and (look.recognised or abs(turn_deg) <= rules.front_deg):
            self._unsure = 0 if look.recognised else self._unsure + 1
        other = look.compared and look.person_id not in (None, self.person_id)
        if look.named != self.person_id or other or self._unsure > rules.most_unsure:
            return "identity"
        most_deg = rules.jitter_deg + rules.speed_deg_s * (time_s - self._last_s)
        if not abs(turn_deg - self._last_deg) <= most_deg:
            return "jump"
        return "wrong_way" if self._far(turn_deg, -1) else ""

    def _far(self, turn_deg: float, way: int = 1) -> bool:
        return way * _SIGN[self.asked[self.done]] * turn_deg >= self._rules.turn_deg

    def _advance(self, look: Look, time_s: float) -> None:
        turn_deg, before_deg = look.yaw_deg - self._straight_deg, self._last_deg
        self._last_s, self._last_deg = time_s, turn_deg
        if not self._turned:
            if not self._far(before_deg):
                self._since_s = time_s
            self._turned = self._far(turn_deg) and time_s - self._since_s >= self._rules.hold_s
        elif look.recognised and abs(turn_deg) <= self._rules.front_deg:
            self.done, self._turned, self._since_s = self.done + 1, False, time_s
            self.passed = self.done == len(self.asked)
