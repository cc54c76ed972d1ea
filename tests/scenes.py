"""Synthetic motion in continuous time, to be sampled at any frame rate, with the truth of who is who."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vedette.types import Detections

SIZE_WH = (1280, 720)
PERSON_WH = (60.0, 150.0)
LABELS = ("person", "dog")

Path = Callable[[float], tuple[float, float] | None]
"""Second -> middle of the box in pixels, None while it cannot be seen."""


@dataclass(frozen=True)
class Actor:
    """Somebody who moves on `path`, of `wh` pixels; seen as well as `score` says at a time."""

    path: Path
    wh: tuple[float, float] = PERSON_WH
    class_id: int = 0
    score: Callable[[float], float] = lambda _t: 0.9


@dataclass(frozen=True)
class Look:
    """One frame: when it was taken, what is detected, and who each detection is (rows as sent to the tracker)."""

    time_s: float
    found: Detections
    who: tuple[int, ...]


def line(start: tuple[float, float], speed: tuple[float, float], *, begin_s=0.0, end_s=math.inf,
         hidden: Sequence[tuple[float, float]] = ()) -> Path:  # fmt: skip
    """Return a straight path in pixels and pixels a second; not seen outside begin..end and while `hidden`."""

    def at(t: float) -> tuple[float, float] | None:
        if not begin_s <= t <= end_s or any(a <= t <= b for a, b in hidden):
            return None
        return start[0] + speed[0] * (t - begin_s), start[1] + speed[1] * (t - begin_s)

    return at


def crossing(*, hidden: Sequence[tuple[float, float]] = ()) -> list[Actor]:
    """Two people who walk past each other at 0.9 of their width apart in depth; 1.4 m/s at 90 px a metre."""
    return [
        Actor(line((300, 360), (126, 0))),
        Actor(line((1000, 380), (-126, 0), hidden=hidden)),
    ]


def accelerating() -> list[Actor]:
    """Return one who stands, then runs off within a second, beside one who walks."""

    def run(t: float) -> tuple[float, float]:
        fast_s = max(0.0, t - 2.0)
        return 250 + (150 * fast_s**2 if fast_s < 1 else 150 + 300 * (fast_s - 1)), 300.0

    return [Actor(run), Actor(line((900, 500), (-60, 0)))]


def swinging() -> list[Actor]:
    """Return one who walks to and fro, 200 px in 4 s each way, and one who stands."""
    return [
        Actor(lambda t: (600 + 100 * math.sin(2 * math.pi * t / 4), 300.0)),
        Actor(line((200, 400), (0, 0))),
    ]


def sample(
    actors: Sequence[Actor],
    times_s: Iterable[float],
    *,
    seed: int = 0,
    noise: float = 0.02,
    miss: float = 0.0,
) -> Iterator[Look]:
    """Yield what a detector would see at `times_s`: boxes off by `noise` sizes, a share `miss` not found."""
    rng = np.random.default_rng(seed)
    for t in times_s:
        rows, who = [], []
        for k, actor in enumerate(actors):
            place, (w, h) = actor.path(t), actor.wh
            jitter, lost = rng.normal(0, noise * math.sqrt(w * h), 4), rng.random() < miss
            if place is None or lost:
                continue
            (x, y), score = place, actor.score(t)
            box = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) + jitter
            rows.append((*box, score, actor.class_id))
            who.append(k)
        table = np.array(rows, np.float32).reshape(-1, 6)
        order = np.argsort(-table[:, 4], kind="stable")
        table = table[order]
        yield Look(
            t,
            Detections.of(table[:, :4], table[:, 4], table[:, 5].astype(np.int32), labels=LABELS),
            tuple(who[k] for k in order),
        )


def follow(tracker, looks: Iterable[Look]) -> dict[int, list[int]]:
    """Return the numbers that each actor had, one after another, without those seen before they had any."""
    had: dict[int, list[int]] = {}
    for look in looks:
        told = tracker.look(look.found, round(look.time_s * 1e9))
        for box, number in zip(told.xyxy, told.track_id.tolist(), strict=True):
            (row,) = np.flatnonzero((look.found.xyxy == box).all(1))
            if number >= 0:
                numbers = had.setdefault(look.who[row], [])
                if not numbers or numbers[-1] != number:
                    numbers.append(number)
    return had


def swapped(had: Mapping[int, list[int]]) -> bool:
    """Return whether one number was of two actors."""
    owners = Counter(number for numbers in had.values() for number in set(numbers))
    return any(count > 1 for count in owners.values())
