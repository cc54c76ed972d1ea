"""Ask who is named to turn the head, track by track; log every attempt."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vedette.errors import GalleryError
from vedette.gallery.challenge import Challenge, ChallengeRules, Look, Step, Turn, draw_turns
from vedette.gallery.gallery import Gallery
from vedette.gallery.values import Attempt

__all__ = ["Challenges"]

_log = logging.getLogger("vedette")

_BEGIN_DEG = 20.0
"""How far the head may be turned when a challenge begins: from there both turns can be seen."""

_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class _Pause:
    """After a failure: since when nobody is asked, and after how many."""

    since_s: float
    failures: int

    def holds(self, time_s: float) -> bool:
        """Tell whether it is not over; a clock that ran backwards ends it."""
        return 0 <= time_s - self.since_s < min(_LONGEST_PAUSE_S, 2.0**self.failures)


class Challenges:
    """The challenges of a run. Holds state: one source, frames in order.

    Who is named and looks at the camera is asked once; "passed" holds while the track is in the picture and keeps its
    name. After a failure that person is asked again, of other turns, after a pause that doubles with each: 2 s, 4 s ...
    60 s, so that a video cannot be tried until it fits. What cannot be logged does not count.

    Args:
        gallery: where attempts are logged; not closed here.
        turns: how many are asked for.
        rules: what counts as one.
        choose: draws each.
        now_ns: the wall clock, for the log.
    """

    def __init__(
        self,
        gallery: Gallery,
        *,
        turns: int,
        rules: ChallengeRules,
        choose: Callable[[tuple[Turn, Turn]], Turn] = secrets.choice,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._gallery, self._turns, self._rules = gallery, turns, rules
        self._choose, self._now_ns = choose, now_ns
        self._of_track: dict[int, Challenge] = {}
        self._seen_s: dict[int, float] = {}
        self._pauses: dict[int, _Pause] = {}

    def step(self, looks: Mapping[int, Look], *, time_s: float) -> None:
        """Take a frame into account: what it tells of each track that was seen in it."""
        for track_id, challenge in list(self._of_track.items()):
            look = looks.get(track_id)
            if not challenge.over:
                challenge.see(look, time_s=time_s)
                self._end(track_id, challenge, time_s)
            elif not self._holds(track_id, challenge, look, time_s):
                del self._of_track[track_id]
        for track_id, look in looks.items():
            if track_id not in self._of_track and self._may_begin(look, time_s):
                asked = draw_turns(self._turns, self._choose)
                self._of_track[track_id] = Challenge(asked, look, time_s=time_s, rules=self._rules)
        seen = {track_id: time_s for track_id in self._of_track if track_id in looks}
        self._seen_s = {i: self._seen_s[i] for i in self._of_track if i in self._seen_s} | seen

    def runs(self, track_id: int) -> bool:
        """Tell whether a track is being asked, so that it has to be looked at often."""
        challenge = self._of_track.get(track_id)
        return challenge is not None and not challenge.over

    def step_of(self, track_id: int) -> Step | str:
        """Return what a track is to do now, or how that ended; "" where nothing is asked of it."""
        challenge = self._of_track.get(track_id)
        return "" if challenge is None else challenge.step

    def close(self) -> None:
        """End what goes on, as failed."""
        for track_id, challenge in self._of_track.items():
            if not challenge.over:
                challenge.fail("ended")
                self._keep(track_id, challenge)
        self._of_track = {}

    def _holds(self, track_id: int, challenge: Challenge, look: Look | None, time_s: float) -> bool:
        """Tell whether the answer still stands: a pass as long as the person stays, a failure until the next try."""
        here = 0 <= time_s - self._seen_s[track_id] <= self._rules.gap_s
        same = look is None or look.named == challenge.person_id
        pause = self._pauses.get(challenge.person_id)
        return here and same and (challenge.passed or (pause is not None and pause.holds(time_s)))

    def _may_begin(self, look: Look, time_s: float) -> bool:
        pause = None if look.named is None else self._pauses.get(look.named)
        waits = pause is not None and pause.holds(time_s)
        return look.recognised and abs(look.yaw_deg) <= _BEGIN_DEG and not waits

    def _end(self, track_id: int, challenge: Challenge, time_s: float) -> None:
        if not challenge.over:
            return
        self._keep(track_id, challenge)
        last = self._pauses.pop(challenge.person_id, _Pause(0.0, 0))
        if not challenge.passed:
            self._pauses[challenge.person_id] = _Pause(time_s, min(last.failures + 1, 10))

    def _keep(self, track_id: int, challenge: Challenge) -> None:
        """Log an attempt that is over; one that cannot be logged has failed."""
        attempt = Attempt(
            challenge.person_id,
            self._now_ns(),
            track_id,
            challenge.asked,
            challenge.done,
            round(challenge.seconds, 3),
            challenge.reason,
        )
        try:
            self._gallery.log_attempt(attempt)
        except GalleryError as error:
            challenge.fail("log")
            _log.warning("a challenge was not logged, so it does not count: %s", error)
