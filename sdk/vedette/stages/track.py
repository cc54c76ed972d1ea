"""Follow things over time: the same number for the same thing from frame to frame.

Association is that of ByteTrack (Zhang et al., ECCV 2022): first strong detections to tracks, then weak ones to the
tracks that are left, so that a thing half hidden keeps its number. What differs: the motion model and every setting are
in seconds and fed with the frames' own times, and a pair's cost is how surprising it is under that model rather than
the overlap of boxes, which at two frames a second is often none.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.ops import kalman
from vedette.ops.assign import assign
from vedette.settings import TrackSettings
from vedette.types import Closing, Detections, Faces, Results

__all__ = ["MAX_TRACKS", "Track", "Tracker"]

MAX_TRACKS = 256
"""Of one stage at a time; what is found beyond stays without a number."""

MOST_SURPRISE = 25.0
"""Pairs above are not made; see `vedette.ops.kalman.surprise`."""

_LAST_ID = int(np.iinfo(np.int32).max)
_NO_ID = -1

Rows = NDArray[np.intp]


@dataclass(slots=True)
class _Thing:
    """One track: what was last seen of it (a row of `seen`), when it was first and last seen, its smoothed score.

    `place` is where its box was believed to be at the last look.
    """

    seen: Detections
    row: int
    first_ns: int
    last_ns: int
    score: float
    place: NDArray[np.float64]
    track_id: int = _NO_ID
    lost: bool = False

    @property
    def class_id(self) -> int:
        return int(self.seen.class_id[self.row])

    @property
    def sure(self) -> bool:
        """Whether it has a number and was found at the last look: then a weak detection is enough."""
        return self.track_id != _NO_ID and not self.lost


class Tracker:
    """Follows what one detector finds. Holds state: feed it the frames of one source, in order.

    Args:
        settings: see `TrackSettings`.
        start_score: 0..1; weaker detections only carry a track on.
        ids: where numbers come from; a run's trackers share them. One that is spent gives no more numbers: a number is
            never used twice.
    """

    def __init__(
        self, settings: TrackSettings, *, start_score: float = 0.0, ids: Iterator[int] | None = None
    ) -> None:
        self._settings = settings
        self._start_score = start_score
        self._ids = iter(range(_LAST_ID + 1)) if ids is None else ids
        self._things: list[_Thing] = []
        self._motion = kalman.begin(np.zeros((0, 4)))
        self._clock_ns: int | None = None
        self._now_ns = 0  # time gone by, by steps that were forward

    def __len__(self) -> int:
        return len(self._things)

    def look(self, found: Detections, time_ns: int) -> Detections:
        """Return what was `found` in the frame of `time_ns`, tracked: scores smoothed, weak ones only on a track."""
        self._advance(time_ns)
        self._forget(self._settings.max_age_s)
        strong = found.score >= self._start_score
        things = np.arange(len(self._things))
        rows = np.full(len(things), -1)
        self._associate(found, rows, things, np.flatnonzero(strong))
        left = [k for k, thing in enumerate(self._things) if rows[k] < 0 and thing.sure]
        self._associate(found, rows, np.array(left, np.intp), np.flatnonzero(~strong))
        self._see(found, rows)
        self._forget(self._settings.confirm_s, only_new=True)
        self._begin(found, np.setdiff1d(np.flatnonzero(strong), rows[rows >= 0]))
        for thing, place in zip(self._things, self._motion.place, strict=True):
            thing.place = place
        return self._told(found, strong)

    def carry(self, time_ns: int, size_wh: tuple[int, int]) -> Detections | None:
        """Return what was seen at the last look, moved on to where it should be now, inside a picture of `size_wh`.

        None where nothing was seen then.
        """
        self._advance(time_ns)
        self._forget(self._settings.max_age_s)
        rows = np.array([k for k, thing in enumerate(self._things) if not thing.lost], np.intp)
        if not len(rows):
            return None
        things = [self._things[k] for k in rows]
        shift = self._motion.place[rows] - np.stack([thing.place for thing in things])
        seen = kalman.measured(np.stack([thing.seen.xyxy[thing.row] for thing in things]))
        return _sorted(_moved(things, kalman.boxes(seen + shift), size_wh))

    def _advance(self, time_ns: int) -> None:
        """Let the time since the last frame pass; a clock that stands or runs backwards lets none pass."""
        step_ns = 0 if self._clock_ns is None else max(0, time_ns - self._clock_ns)
        self._clock_ns = time_ns
        self._now_ns += step_ns
        self._motion = kalman.predict(self._motion, step_ns / 1e9)

    def _associate(self, found: Detections, rows: Rows, things: Rows, candidates: Rows) -> None:
        """Write into `rows` which of the `candidates` each of the `things` is, where one fits."""
        if not len(things) or not len(candidates):
            return
        place = kalman.measured(found.xyxy[candidates])
        cost = kalman.surprise(kalman.take(self._motion, things), place)
        class_id = np.array([self._things[k].class_id for k in things])
        cost[class_id[:, None] != found.class_id[candidates]] = np.inf
        i, j = assign(cost, limit=MOST_SURPRISE)
        rows[things[i]] = candidates[j]

    def _see(self, found: Detections, rows: Rows) -> None:
        """Take in what was seen of each thing: `rows` of `found`, -1 where nothing."""
        hit = np.flatnonzero(rows >= 0)
        self._motion = kalman.update(self._motion, hit, kalman.measured(found.xyxy[rows[hit]]))
        for thing, row in zip(self._things, rows.tolist(), strict=True):
            thing.lost = row < 0
            if row >= 0:
                self._take_in(thing, found, row)

    def _take_in(self, thing: _Thing, found: Detections, row: int) -> None:
        passed_s = (self._now_ns - thing.last_ns) / 1e9
        kept = 0.5 ** (passed_s / self._settings.smooth_s) if self._settings.smooth_s else 0.0
        score = float(found.score[row])
        thing.score = score + (thing.score - score) * kept
        thing.seen, thing.row, thing.last_ns = found, row, self._now_ns
        if thing.track_id == _NO_ID and self._now_ns - thing.first_ns >= self._settings.confirm_s * 1e9:
            thing.track_id = next(self._ids, _NO_ID)

    def _begin(self, found: Detections, rows: Rows) -> None:
        rows = rows[: MAX_TRACKS - len(self._things)]
        self._motion = kalman.join(self._motion, kalman.begin(kalman.measured(found.xyxy[rows])))
        for row in rows.tolist():
            thing = _Thing(found, row, self._now_ns, self._now_ns, float(found.score[row]), np.zeros(4))
            self._take_in(thing, found, row)
            self._things.append(thing)

    def _forget(self, age_s: float, *, only_new: bool = False) -> None:
        """End the tracks of which nothing was seen for longer than `age_s`; of `only_new` those without a number."""
        oldest_ns = self._now_ns - age_s * 1e9
        keep = np.array(
            [t.last_ns >= oldest_ns or (only_new and t.track_id != _NO_ID) for t in self._things], bool
        )
        if not keep.all():
            self._things = list(itertools.compress(self._things, keep))
            self._motion = kalman.take(self._motion, keep)

    def _told(self, found: Detections, strong: NDArray[np.bool_]) -> Detections:
        """Return `found` with numbers and smoothed scores, without the weak ones that belong to nothing."""
        track_id, score, keep = found.track_id.copy(), found.score.copy(), strong.copy()
        for thing in self._things:
            if not thing.lost:
                track_id[thing.row], score[thing.row], keep[thing.row] = thing.track_id, thing.score, True
        return _sorted(replace(found, track_id=track_id, score=score).take(keep))


class Track(Closing):
    """A stage that tracks what all stages before it found, each by itself. Holds state: one source, frames in order.

    Where a stage did not look at a frame (see `vedette.stages.every`), it says where its things should be by now, and
    marks them as `predicted`. Needs no closing.

    Args:
        settings: see `TrackSettings`; its `start_score` holds for all stages.
        start_scores: by stage, where the settings give none; stages that are not named start at any score.
    """

    def __init__(
        self, settings: TrackSettings | None = None, *, start_scores: Mapping[str, float] | None = None
    ) -> None:
        self.name = "track"
        self._settings = TrackSettings() if settings is None else settings
        self._start_scores = {} if start_scores is None else dict(start_scores)
        self._ids = iter(range(_LAST_ID + 1))
        self._trackers: dict[str, Tracker] = {}
        self._empty: dict[str, Detections] = {}

    def __call__(self, results: Results) -> Results:
        """Return `results` with tracked detections."""
        frame = results.frame
        for stage, one in results.found.items():
            self._trackers.setdefault(stage, self._tracker(stage))
            self._empty[stage] = one.take(np.zeros(0, np.intp))
        found = {}
        for stage, tracker in self._trackers.items():
            if stage in results.found:
                found[stage] = tracker.look(results.found[stage], frame.time_ns)
            else:
                carried = tracker.carry(frame.time_ns, frame.size_wh)
                found[stage] = self._empty[stage] if carried is None else carried
        return replace(results, found=MappingProxyType(found))

    def _tracker(self, stage: str) -> Tracker:
        given = self._settings.start_score
        start_score = self._start_scores.get(stage, 0.0) if given is None else given
        return Tracker(self._settings, start_score=start_score, ids=self._ids)

    def close(self) -> None:
        """Nothing to close."""


def _moved(things: list[_Thing], xyxy: NDArray[np.float32], size_wh: tuple[int, int]) -> Detections:
    """Return the last looks at `things`, moved to where their boxes are now, those outside the picture left out."""
    limits = np.tile(np.array(size_wh, np.float32), 2)
    inside = np.clip(xyxy, np.float32(0), limits)
    columns: dict[str, Any] = {
        "xyxy": inside,
        "score": np.array([t.score for t in things], np.float32),
        "class_id": np.array([t.class_id for t in things], np.int32),
        "track_id": np.array([t.track_id for t in things], np.int32),
        "predicted": np.ones(len(things), bool),
    }
    kind = things[0].seen
    if isinstance(kind, Faces):
        columns["landmarks"] = _landmarks(things, xyxy)
    here = (inside[:, 2:] > inside[:, :2]).all(1)
    return replace(kind, **{name: column[here] for name, column in columns.items()})


def _landmarks(things: list[_Thing], xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the landmarks (n, 5, 2) moved and scaled with the boxes they were seen in."""
    old = np.stack([t.seen.xyxy[t.row] for t in things])
    points = np.stack([t.seen.landmarks[t.row] for t in things if isinstance(t.seen, Faces)])
    size = np.maximum(old[:, 2:] - old[:, :2], np.float32(1))
    inside = (points - old[:, None, :2]) / size[:, None]
    placed: NDArray[np.float32] = xyxy[:, None, :2] + inside * (xyxy[:, 2:] - xyxy[:, :2])[:, None]
    return placed


def _sorted(found: Detections) -> Detections:
    """Return `found` with the best score first, as all detections are."""
    return found.take(np.argsort(-found.score, kind="stable"))
