"""Who is it, over time: the votes of many frames on one identity per track."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from vedette.errors import SettingsError
from vedette.gallery.values import Decision

__all__ = ["Identity", "IdentityVotes", "VoteRules"]

_FORGET_S = 60.0
"""A track without a vote for so long is forgotten, should nobody have ended it."""


@dataclass(frozen=True, slots=True)
class VoteRules:
    """When votes make a name, and when they take it back.

    A vote weighs its quality times the seconds since the track's last vote (at most `gap_s`), so that 3 and 60 frames a
    second come to the same. Evidence fades to half in `half_life_s`.

    Attributes:
        min_evidence_s: seconds of full quality that a name needs.
        enter_share: share of all evidence, the unknown's included, from which a name is given.
        leave_share: share below which it is taken back; lower than `enter_share`, so that it does not flicker.
        half_life_s: how fast old votes are forgotten.
        gap_s: the longest time that one vote speaks for.
    """

    min_evidence_s: float = 0.5
    enter_share: float = 0.6
    leave_share: float = 0.3
    half_life_s: float = 2.0
    gap_s: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.leave_share < self.enter_share <= 1 or self.enter_share <= 0.5:
            raise SettingsError("votes need leave_share < enter_share, and enter_share above 0.5 up to 1")
        if min(self.min_evidence_s, self.half_life_s, self.gap_s) <= 0:
            raise SettingsError("votes need min_evidence_s, half_life_s and gap_s above 0")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a track is: `person_id` None and `name` "" when unknown; `share` of the evidence for that, 0..1.

    `decided` is False while there is too little evidence for "unknown" too.
    """

    person_id: int | None = None
    name: str = ""
    share: float = 0.0
    decided: bool = False


@dataclass(slots=True)
class _Track:
    last_s: float
    evidence: dict[int | None, float] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    named: int | None = None


class IdentityVotes:
    """Votes by track; holds state. Time is the caller's, in seconds; one that runs backwards counts as standing still.

    Args:
        rules: when votes make a name.
    """

    def __init__(self, rules: VoteRules | None = None) -> None:
        self._rules = VoteRules() if rules is None else rules
        self._tracks: dict[Hashable, _Track] = {}

    def vote(self, track_id: Hashable, decision: Decision, *, quality: float, time_s: float) -> Identity:
        """Count one frame's decision on a track, with its quality 0..1, and return who the track is."""
        if track_id not in self._tracks:
            self._drop_old(time_s)
            self._tracks[track_id] = _Track(time_s)
        track = self._tracks[track_id]
        passed_s = max(0.0, time_s - track.last_s)
        track.last_s = max(track.last_s, time_s)
        fade = 0.5 ** (passed_s / self._rules.half_life_s)
        evidence = {who: seconds * fade for who, seconds in track.evidence.items()}
        who = decision.person_id
        weight = min(passed_s, self._rules.gap_s) * min(max(quality, 0.0), 1.0)
        evidence[who] = evidence.get(who, 0.0) + weight
        track.evidence = evidence
        if who is not None:
            track.names[who] = decision.name
        track.named = self._judge(track)
        return self._identity(track)

    def identity(self, track_id: Hashable) -> Identity:
        """Return who a track is by the votes so far; unknown for one that never voted."""
        track = self._tracks.get(track_id)
        return Identity() if track is None else self._identity(track)

    def end(self, track_id: Hashable) -> None:
        """Forget a track that is over."""
        self._tracks.pop(track_id, None)

    def forget_person(self, person_id: int) -> None:
        """Take an erased person out of all tracks."""
        for track in self._tracks.values():
            track.evidence.pop(person_id, None)
            track.names.pop(person_id, None)
            track.named = None if track.named == person_id else track.named

    def _drop_old(self, time_s: float) -> None:
        oldest = time_s - _FORGET_S
        self._tracks = {key: track for key, track in self._tracks.items() if track.last_s >= oldest}

    def _judge(self, track: _Track) -> int | None:
        """Return who the track is called after a vote: a name must be earned, and is lost only at a lower share."""
        total = sum(track.evidence.values())
        if total <= 0:
            return track.named
        leader = max(track.evidence, key=lambda who: track.evidence[who])
        lead = track.evidence[leader]
        if (
            leader is not None
            and lead >= self._rules.min_evidence_s
            and lead / total >= self._rules.enter_share
        ):
            return leader
        kept = track.evidence.get(track.named, 0.0) / total if track.named is not None else 0.0
        return track.named if kept >= self._rules.leave_share else None

    def _identity(self, track: _Track) -> Identity:
        total = sum(track.evidence.values())
        share = track.evidence.get(track.named, 0.0) / total if total > 0 else 0.0
        if track.named is None:
            strange = track.evidence.get(None, 0.0)
            decided = strange >= self._rules.min_evidence_s and share >= self._rules.enter_share
            return Identity(share=share, decided=decided)
        return Identity(track.named, track.names[track.named], share, decided=True)
