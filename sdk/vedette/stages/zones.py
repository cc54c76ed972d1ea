"""Who is in which zone, for how long, and who crosses which line, which way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vedette.errors import SettingsError
from vedette.ops import zones as geometry
from vedette.types import Closing, Results, ZoneCount, ZoneEvent
from vedette.zone_settings import LineSettings, ZoneSettings

__all__ = ["Zones", "check_shapes"]

Key: TypeAlias = tuple[str, int]
"""Stage and number of a track."""

Kind: TypeAlias = Literal["enter", "leave", "dwell", "in", "out"]


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What one frame shows: keys and labels of what has a number, and its boxes (n, 4) in parts of the height."""

    now_ns: int
    aspect: float
    keys: Sequence[Key]
    labels: Sequence[str]
    xyxy: NDArray[np.float32]

    def of(self, rule: LineSettings) -> tuple[list[int], NDArray[np.float64]]:
        """Return the rows that `rule` is for, and their anchors (k, 2)."""
        rows = [k for k, label in enumerate(self.labels) if not rule.labels or label in rule.labels]
        return rows, geometry.anchors(self.xyxy[rows], rule.anchor)

    def corners(self, rule: LineSettings) -> NDArray[np.float64]:
        """Return the rule's points (k, 2) in parts of the height."""
        return np.array(rule.points) * (self.aspect, 1.0)


@dataclass(slots=True)
class _Stay:
    """One thing at one zone: in since `entered_ns`, or about to be; `change_ns` is when it first seemed otherwise."""

    label: str
    seen_ns: int
    inside: bool = False
    change_ns: int | None = None
    entered_ns: int = 0
    dwelt: bool = False


class _Zone:
    """A polygon. Holds state: who is in it."""

    def __init__(self, rule: ZoneSettings) -> None:
        self.rule = rule
        self._stays: dict[Key, _Stay] = {}
        self._counts = Counter({"entered": 0, "left": 0})

    def count(self) -> ZoneCount:
        now_inside = sum(stay.inside for stay in self._stays.values())
        counts = {"inside": now_inside, **self._counts}
        return ZoneCount(self.rule.name, self.rule.points, MappingProxyType(counts))

    def forget(self) -> None:
        self._stays.clear()

    def look(self, seen: _Seen) -> Iterator[ZoneEvent]:
        """Yield what happened by this frame."""
        rows, points = seen.of(self.rule)
        corners = seen.corners(self.rule)
        within = geometry.inside(points, corners)
        near = geometry.distance(points, corners, closed=True) <= self.rule.margin
        for row, is_in, at_edge in zip(rows, within.tolist(), near.tolist(), strict=True):
            key = seen.keys[row]
            if is_in and key not in self._stays:
                self._stays[key] = _Stay(seen.labels[row], seen.now_ns)
            if key in self._stays:
                stay = self._stays[key]
                stay.seen_ns = seen.now_ns
                yield from self._judge(key, stay, is_in or (stay.inside and at_edge), seen.now_ns)
        for key, stay in self._stays.items():
            if stay.seen_ns < seen.now_ns - self.rule.lost_s * 1e9 and stay.inside:
                yield self._leave(key, stay, stay.seen_ns if stay.change_ns is None else stay.change_ns)
        self._stays = {
            key: stay
            for key, stay in self._stays.items()
            if stay.inside or (stay.change_ns is not None and stay.seen_ns == seen.now_ns)
        }

    def _judge(self, key: Key, stay: _Stay, is_in: bool, now_ns: int) -> Iterator[ZoneEvent]:
        """Take one look at a thing: a change counts once it has lasted for the inertia."""
        if is_in == stay.inside:
            stay.change_ns = None
        elif stay.change_ns is None:
            stay.change_ns = now_ns
        if stay.change_ns is not None and now_ns - stay.change_ns >= self.rule.inertia_s * 1e9:
            yield self._enter(key, stay) if is_in else self._leave(key, stay, stay.change_ns)
        dwell_ns = (self.rule.dwell_s or 0.0) * 1e9
        if stay.inside and dwell_ns and not stay.dwelt and now_ns - stay.entered_ns >= dwell_ns:
            stay.dwelt = True
            yield self._event("dwell", key, stay, now_ns)

    def _enter(self, key: Key, stay: _Stay) -> ZoneEvent:
        assert stay.change_ns is not None
        stay.inside, stay.entered_ns, stay.dwelt, stay.change_ns = True, stay.change_ns, False, None
        self._counts["entered"] += 1
        return self._event("enter", key, stay, stay.entered_ns)

    def _leave(self, key: Key, stay: _Stay, time_ns: int) -> ZoneEvent:
        stay.inside, stay.change_ns = False, None
        self._counts["left"] += 1
        return self._event("leave", key, stay, time_ns)

    def _event(self, kind: Kind, key: Key, stay: _Stay, time_ns: int) -> ZoneEvent:
        dwell_s = (time_ns - stay.entered_ns) / 1e9
        return ZoneEvent(kind, self.rule.name, *key, stay.label, time_ns, dwell_s)


@dataclass(slots=True)
class _Walk:
    """One thing near a line: where it was last, and how often it crossed since it was last clear of the line."""

    label: str
    point: NDArray[np.float64]
    seen_ns: int
    net: int = 0
    crossed_ns: int = 0


class _Line:
    """A line with two directions. Holds state: where everybody was."""

    def __init__(self, rule: LineSettings) -> None:
        self.rule = rule
        self._walks: dict[Key, _Walk] = {}
        self._counts = Counter({"in": 0, "out": 0})

    def count(self) -> ZoneCount:
        return ZoneCount(self.rule.name, self.rule.points, MappingProxyType(dict(self._counts)))

    def forget(self) -> None:
        self._walks.clear()

    def look(self, seen: _Seen) -> Iterator[ZoneEvent]:
        """Yield what happened by this frame."""
        rows, points = seen.of(self.rule)
        line = seen.corners(self.rule)
        clear = geometry.distance(points, line, closed=False) > self.rule.margin
        for row, point, is_clear in zip(rows, points, clear.tolist(), strict=True):
            key = seen.keys[row]
            walk = self._walks.setdefault(key, _Walk(seen.labels[row], point, seen.now_ns))
            sign = int(geometry.crossings(walk.point[None], point[None], line)[0])
            if sign:
                walk.net, walk.crossed_ns = walk.net + sign, seen.now_ns
            walk.point, walk.seen_ns = point, seen.now_ns
            if is_clear:
                yield from self._tell(key, walk)
        gone = [k for k, w in self._walks.items() if w.seen_ns < seen.now_ns - self.rule.lost_s * 1e9]
        for key in gone:  # who steps over the line and out of the picture has crossed it
            yield from self._tell(key, self._walks.pop(key))

    def _tell(self, key: Key, walk: _Walk) -> Iterator[ZoneEvent]:
        if walk.net:
            kind: Kind = "in" if walk.net > 0 else "out"
            walk.net = 0
            self._counts[kind] += 1
            yield ZoneEvent(kind, self.rule.name, *key, walk.label, walk.crossed_ns)


def _placed(rule: LineSettings, old: _Zone | _Line | None) -> _Zone | _Line:
    """Return `old` under its new `rule`, or a new place where there is none of the kind."""
    if isinstance(rule, ZoneSettings):
        zone = old if isinstance(old, _Zone) else _Zone(rule)
        zone.rule = rule
        return zone
    line = old if isinstance(old, _Line) else _Line(rule)
    line.rule = rule
    return line


class Zones(Closing):
    """A stage that adds counts and events of zones and lines to the results. Holds state; needs no closing.

    Only what has a number counts, so a stage that tracks comes before it.

    Args:
        rules: the zones and lines, see `vedette.zone_settings.load_zones`.

    Raises:
        SettingsError: the edges of a zone cross each other.
    """

    def __init__(self, rules: Sequence[LineSettings]) -> None:
        self.name = "zones"
        self._places: list[_Zone | _Line] = []
        self._last_ns: int | None = None
        self.change(rules)
        self._take_over()

    @property
    def rules(self) -> tuple[LineSettings, ...]:
        """The zones and lines that hold from the next frame on."""
        return self._rules

    def change(self, rules: Sequence[LineSettings]) -> None:
        """Let other `rules` hold from the next frame on. From any thread.

        A zone or line that keeps its name keeps its counts and who is there, wherever its points are now.

        Raises:
            SettingsError: the edges of a zone cross each other; nothing is changed.
        """
        check_shapes(rules)
        self._rules = tuple(rules)

    def _take_over(self) -> None:
        """Make the places those of the newest rules."""
        self._taken = self._rules
        old = {place.rule.name: place for place in self._places}
        self._places = [_placed(rule, old.get(rule.name)) for rule in self._taken]

    def __call__(self, results: Results) -> Results:
        """Return `results` with `zones` and `events`. A clock that runs backwards makes it forget who was where."""
        if self._taken is not self._rules:
            self._take_over()
        now_ns = results.frame.time_ns
        if self._last_ns is not None and now_ns < self._last_ns:
            for place in self._places:
                place.forget()
        self._last_ns = now_ns
        seen = _look(results)
        events = [event for place in self._places for event in place.look(seen)]
        zones = tuple(place.count() for place in self._places)
        return replace(results, zones=zones, events=(*results.events, *events))

    def close(self) -> None:
        """Nothing to close."""


def check_shapes(rules: Sequence[LineSettings]) -> None:
    """Check what numbers alone do not tell.

    Raises:
        SettingsError: the edges of a zone cross each other, or it has no area.
    """
    for rule in rules:
        if isinstance(rule, ZoneSettings) and not geometry.is_simple(np.array(rule.points)):
            raise SettingsError(
                f"the edges of the zone {rule.name} cross each other or enclose nothing; give its corners in the "
                "order in which one walks around it."
            )


def _look(results: Results) -> _Seen:
    """Return what has a number, of all stages."""
    width, height = results.frame.size_wh
    keys: list[Key] = []
    labels: list[str] = []
    boxes = [np.zeros((0, 4), np.float32)]
    for stage, one in results.found.items():
        rows = np.flatnonzero(one.track_id >= 0)
        keys += [(stage, track_id) for track_id in one.track_id[rows].tolist()]
        labels += [one.names[k] for k in rows]
        boxes.append(one.xyxy[rows] / np.float32(height))
    return _Seen(results.frame.time_ns, width / height, keys, labels, np.concatenate(boxes))
