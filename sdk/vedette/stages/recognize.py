"""Say who the tracked faces are: a few are compared at a time, their votes name a track."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from vedette.gallery.challenge import ChallengeRules, Look, Turn
from vedette.gallery.values import Decision
from vedette.gallery.votes import Identity, IdentityVotes
from vedette.models.recognize import FaceRecognizer
from vedette.ops.faces import face_pose
from vedette.settings import RecognizeSettings
from vedette.stages.challenge import Challenges
from vedette.types import Closing, Detections, Faces, Frame, IdentifiedFaces, Results

__all__ = ["Recognize"]

_FORGET_S = 60.0
"""A track that was not in the picture for so long is forgotten."""

_CHECK_ERASED_S = 1.0
_FAIR_QUALITY = 0.5
"""Of a named track that never had so good a look, the next one is not put off."""


@dataclass(slots=True)
class _Track:
    """When a track was in the picture and was looked at last, how good its best look was, its last similarity."""

    seen_s: float
    looked_s: float | None = None
    quality: float = 0.0
    similarity: float = float("nan")


class Recognize(Closing):
    """A stage that turns tracked faces into `IdentifiedFaces`, of every stage that found any. Holds state: one source.

    An embedding costs more than all else in the loop, so not every face is embedded in every frame: a track that nobody
    has decided on every `seek_s`, one that is decided on every `again_s`, and `max_faces` a frame at most, the one that
    waited longest first. Faces without a track stay undecided. Never enrols.

    Args:
        recognizer: closed with the stage.
        settings: how often, and whether who is named is asked to turn the head.
        choose: draws each turn that is asked for; for tests.

    Attributes:
        recognizer: for who wants to enrol from what is seen.
        newest: the results of the last frame whose faces were looked for and not predicted, None before the first. The
            picture is clear where a later stage blurs it, so it is never to be shown. Read from any thread.
    """

    def __init__(
        self,
        recognizer: FaceRecognizer,
        settings: RecognizeSettings | None = None,
        *,
        choose: Callable[[tuple[Turn, Turn]], Turn] = secrets.choice,
    ) -> None:
        self.name = "recognize"
        self.recognizer = recognizer
        self.newest: Results | None = None
        self._settings = RecognizeSettings() if settings is None else settings
        self._votes = IdentityVotes()
        self._tracks: dict[int, _Track] = {}
        self._people: dict[int, str] = {}
        self._checked_s: float | None = None
        self._challenges = Challenges(
            recognizer.gallery,
            turns=self._settings.challenge,
            rules=ChallengeRules(limit_s=self._settings.challenge_s),
            choose=choose,
        )

    def __call__(self, results: Results) -> Results:
        """Return `results` with identified faces."""
        now_s = results.frame.time_ns / 1e9
        faces = {stage: one for stage, one in results.found.items() if isinstance(one, Faces)}
        self._note(faces, now_s)
        self._drop_erased(now_s)
        decisions = self._look(results.frame, faces, now_s)
        if self._settings.challenge:
            self._challenges.step(self._poses(faces, decisions), time_s=now_s)
        found: dict[str, Detections] = {stage: self._told(one) for stage, one in faces.items()}
        told = replace(
            results,
            found=MappingProxyType({**results.found, **found}),
            models=MappingProxyType({**results.models, self.name: self.recognizer.embedder.info}),
        )
        if not any(one.predicted.any() for one in faces.values()):
            self.newest = told
        return told

    def close(self) -> None:
        """Close the recognizer; a challenge that goes on has failed."""
        self._challenges.close()
        self.recognizer.close()

    def _note(self, faces: dict[str, Faces], now_s: float) -> None:
        for track_id in (int(i) for one in faces.values() for i in one.track_id if i >= 0):
            self._tracks.setdefault(track_id, _Track(now_s)).seen_s = now_s
        gone = [i for i, track in self._tracks.items() if not abs(now_s - track.seen_s) <= _FORGET_S]
        for track_id in gone:
            del self._tracks[track_id]
            self._votes.end(track_id)

    def _drop_erased(self, now_s: float) -> None:
        """Take back the names of people who were erased, or whose names were changed, since the last look."""
        if self._checked_s is not None and 0 <= now_s - self._checked_s < _CHECK_ERASED_S:
            return
        self._checked_s = now_s
        people = {person.id: person.name for person in self.recognizer.gallery.people()}
        for person_id in self._people.keys() - people.keys():
            self._votes.forget_person(person_id)
        self._people = people

    def _look(self, frame: Frame, faces: dict[str, Faces], now_s: float) -> dict[int, Decision]:
        """Embed the faces whose turn it is, count their votes, and return what was decided by track."""
        decisions: dict[int, Decision] = {}
        rows = [(stage, k) for stage, one in faces.items() for k in np.flatnonzero(~one.predicted).tolist()]
        due = [(wait, stage, k) for stage, k in rows
               if (wait := self._overdue_s(int(faces[stage].track_id[k]), now_s)) >= 0]  # fmt: skip
        for _, stage, k in sorted(due, key=lambda one: -one[0])[: self._settings.max_faces]:
            one = faces[stage].take(np.array([k]))
            (found,) = self.recognizer.identify(frame.image, one)
            track_id, track = int(one.track_id[0]), self._tracks[int(one.track_id[0])]
            track.looked_s = now_s
            if found.decision is not None:
                track.quality, track.similarity = max(track.quality, found.quality), found.decision.score
                self._votes.vote(track_id, found.decision, quality=found.quality, time_s=now_s)
                decisions[track_id] = found.decision
        return decisions

    def _poses(self, faces: dict[str, Faces], decisions: Mapping[int, Decision]) -> dict[int, Look]:
        """Return what this frame tells of each track that was seen in it."""
        looks: dict[int, Look] = {}
        for one in faces.values():
            for k in np.flatnonzero(~one.predicted & (one.track_id >= 0)).tolist():
                track_id = int(one.track_id[k])
                decision, named = decisions.get(track_id), self._votes.identity(track_id).person_id
                looks[track_id] = Look(
                    face_pose(one.landmarks[k])[0],
                    named,
                    compared=decision is not None,
                    person_id=None if decision is None else decision.person_id,
                )
        return looks

    def _overdue_s(self, track_id: int, now_s: float) -> float:
        """Return for how long a track has been waiting for its turn, seconds; below 0 where it has not come."""
        track = self._tracks.get(track_id)
        if track is None:
            return -1.0
        if track.looked_s is None or now_s < track.looked_s:  # a clock that ran backwards
            return float("inf")
        calm = self._votes.identity(track_id).decided and track.quality >= _FAIR_QUALITY
        calm = calm and not self._challenges.runs(track_id)
        return now_s - track.looked_s - (self._settings.again_s if calm else self._settings.seek_s)

    def _told(self, faces: Faces) -> IdentifiedFaces:
        ids = faces.track_id.tolist()
        who = [self._votes.identity(i) if i >= 0 else Identity() for i in ids]
        return IdentifiedFaces(
            faces.xyxy,
            faces.score,
            faces.class_id,
            faces.track_id,
            faces.labels,
            predicted=faces.predicted,
            landmarks=faces.landmarks,
            person=np.array([one.name for one in who], np.str_),
            person_id=np.array([-1 if one.person_id is None else one.person_id for one in who], np.int64),
            certainty=np.array([one.share if one.decided else 0.0 for one in who], np.float32),
            similarity=np.array([self._similarity(i) for i in ids], np.float32),
            decided=np.array([one.decided for one in who], bool),
            challenge=np.array([self._challenges.step_of(i) for i in ids], np.str_),
        )

    def _similarity(self, track_id: int) -> float:
        track = self._tracks.get(track_id)
        return float("nan") if track is None else track.similarity
