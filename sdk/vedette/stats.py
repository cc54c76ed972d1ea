"""How fast it runs: rate, age and stage times as percentiles, drops by cause, counts by label; in bounded memory."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from threading import Lock
from types import MappingProxyType
from typing import Any

import numpy as np

from vedette.types import Results, ZoneCount

__all__ = ["LatencyStats", "Percentiles", "Stats", "StatsSnapshot"]

WINDOW = 1024
"""Percentiles are those of this many last values."""

RATE_WINDOW_NS = 5_000_000_000
"""The rate is that of the last five seconds."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles of the last values in milliseconds; all 0 when there is none. `count` is of all values ever."""

    count: int = 0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0


@dataclass(frozen=True, slots=True)
class StatsSnapshot:
    """What was measured up to one moment.

    Attributes:
        frames: results so far.
        fps: results per second over the last five seconds, 0 when fewer than two.
        mean_fps: results per second from the first to the last.
        age_ms: from capture to the end of the last stage.
        stages_ms: time in each stage, by stage name.
        drops: frames lost so far, by cause.
        counts: detections so far, by stage and label.
        zones: what zones and lines counted so far, by their names.
        enhanced: frames so far by stage that enhances and by what it did, see `vedette.types.Enhancement.state`.
    """

    frames: int
    fps: float
    mean_fps: float
    age_ms: Percentiles
    stages_ms: Mapping[str, Percentiles]
    drops: Mapping[str, int]
    counts: Mapping[str, Mapping[str, int]]
    zones: Mapping[str, Mapping[str, int]]
    enhanced: Mapping[str, Mapping[str, int]]

    def as_dict(self) -> dict[str, Any]:
        """Return plain dicts and numbers, ready for JSON; milliseconds and rates to three digits."""
        return {
            "frames": self.frames,
            "fps": round(self.fps, 3),
            "mean_fps": round(self.mean_fps, 3),
            "age_ms": _rounded(self.age_ms),
            "stages_ms": {stage: _rounded(one) for stage, one in self.stages_ms.items()},
            "drops": dict(self.drops),
            "counts": {stage: dict(labels) for stage, labels in self.counts.items()},
            "zones": {name: dict(counts) for name, counts in self.zones.items()},
            "enhanced": {stage: dict(states) for stage, states in self.enhanced.items()},
        }


class LatencyStats:
    """Percentiles of the last 1024 of a run of times. Not thread-safe."""

    def __init__(self) -> None:
        self._last_ms: deque[float] = deque(maxlen=WINDOW)
        self._count = 0

    def add(self, ms: float) -> None:
        """Take one time in milliseconds."""
        self._last_ms.append(ms)
        self._count += 1

    def percentiles(self) -> Percentiles:
        """Return the percentiles now."""
        if not self._last_ms:
            return Percentiles()
        p50, p95, p99 = np.percentile(np.fromiter(self._last_ms, np.float64), (50, 95, 99)).tolist()
        return Percentiles(self._count, p50, p95, p99)


class Stats:
    """Gathers from results what `StatsSnapshot` shows. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._frames = 0
        self._first_ns = 0
        self._done_ns: deque[int] = deque(maxlen=WINDOW)
        self._age = LatencyStats()
        self._stages: dict[str, LatencyStats] = {}
        self._drops: Mapping[str, int] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._zones: tuple[ZoneCount, ...] = ()
        self._enhanced: dict[str, Counter[str]] = {}

    def update(self, results: Results) -> None:
        """Take one result, in the order in which they were made."""
        with self._lock:
            if not self._frames:
                self._first_ns = results.done_ns
            self._frames += 1
            self._done_ns.append(results.done_ns)
            self._age.add(results.age_ms)
            for stage, ns in results.timings_ns.items():
                self._stages.setdefault(stage, LatencyStats()).add(ns / 1e6)
            self._drops = results.drops
            self._zones = results.zones
            for stage, done in results.enhanced.items():
                self._enhanced.setdefault(stage, Counter())[done.state] += 1
            for stage, one in results.found.items():
                self._counts.setdefault(stage, Counter()).update(one.names)

    def snapshot(self, now_ns: int | None = None) -> StatsSnapshot:
        """Return what was measured so far.

        Args:
            now_ns: monotonic clock; the rate then sinks to 0 when results stay away. The last result's when not given.
        """
        with self._lock:
            return StatsSnapshot(
                frames=self._frames,
                fps=_fps(self._done_ns, now_ns),
                mean_fps=_rate(self._frames, self._first_ns, self._done_ns[-1] if self._done_ns else 0),
                age_ms=self._age.percentiles(),
                stages_ms=MappingProxyType({stage: one.percentiles() for stage, one in self._stages.items()}),
                drops=MappingProxyType(dict(self._drops)),
                counts=MappingProxyType({s: MappingProxyType(dict(c)) for s, c in self._counts.items()}),
                zones=MappingProxyType({zone.name: zone.counts for zone in self._zones}),
                enhanced=MappingProxyType({s: MappingProxyType(dict(c)) for s, c in self._enhanced.items()}),
            )


def _fps(done_ns: deque[int], now_ns: int | None) -> float:
    """Return the rate over the window that ends now; a pause longer than the usual interval counts into it."""
    if len(done_ns) < 2:
        return 0.0
    end_ns = max(done_ns[-1], now_ns or 0)
    inside = [t for t in done_ns if t >= end_ns - RATE_WINDOW_NS]
    if len(inside) < 2:
        return 0.0
    interval_ns = (inside[-1] - inside[0]) / (len(inside) - 1)
    late_ns = max(0.0, end_ns - inside[-1] - interval_ns)
    return _rate(len(inside), inside[0], inside[-1] + late_ns)


def _rate(count: int, first_ns: float, last_ns: float) -> float:
    return (count - 1) * 1e9 / (last_ns - first_ns) if count > 1 and last_ns > first_ns else 0.0


def _rounded(one: Percentiles) -> dict[str, float]:
    return {name: round(value, 3) for name, value in asdict(one).items()}
