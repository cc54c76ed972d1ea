"""Exact cosine search over all templates, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vedette.gallery.values import Floats

__all__ = ["Index", "Snapshot"]

Ids = NDArray[np.int64]

_T = TypeVar("_T", bound=np.generic)

_BLOCK = 64
"""Queries compared at once: 100,000 templates then need 26 MB of scores."""

LOWEST = -1.0
"""The score of nobody: no cosine is lower."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Templates as they were at one time; a later change makes a new one.

    Attributes:
        ids: (n,) int64, templates.
        person: (n,) int64, whose they are.
        matrix: (n, size) float32, unit length.
    """

    ids: Ids
    person: Ids
    matrix: Floats

    def __len__(self) -> int:
        return len(self.ids)

    def best_two(self, queries: Floats) -> tuple[Ids, Floats, Floats]:
        """Return for each of (q, size) unit vectors the nearest person's id, the cosine, and that of the runner-up.

        A person's score is that of the nearest template. In an empty gallery the id is -1; a score that does not exist
        is -1. All (q,).
        """
        person = np.full(len(queries), -1, np.int64)
        first, second = np.full((2, len(queries)), LOWEST, np.float32)
        for start in range(0, len(queries) if len(self) else 0, _BLOCK):
            part = slice(start, start + _BLOCK)
            scores = queries[part] @ self.matrix.T
            best = scores.argmax(1)
            person[part], first[part] = self.person[best], scores[np.arange(len(best)), best]
            for row, owner in zip(scores, person[part], strict=True):
                row[self.person == owner] = LOWEST
            second[part] = scores.max(1)
        return person, np.clip(first, -1, 1), np.clip(second, -1, 1)

    def of(self, person_id: int) -> Snapshot:
        """Return the templates of one person."""
        mine = self.person == person_id
        return Snapshot(self.ids[mine], self.person[mine], self.matrix[mine])


class Index:
    """Templates in memory, growing in place; holds state, to be changed by one thread at a time."""

    def __init__(self, size: int) -> None:
        self._n = 0
        self._ids, self._person = np.empty(0, np.int64), np.empty(0, np.int64)
        self._matrix = np.empty((0, size), np.float32)

    def snapshot(self) -> Snapshot:
        """Return the templates of now, without copying: rows in use are never written again."""
        return Snapshot(self._ids[: self._n], self._person[: self._n], self._matrix[: self._n])

    def add(self, ids: Ids, person: Ids, matrix: Floats) -> None:
        """Append templates; room is doubled when it runs out."""
        end = self._n + len(ids)
        if end > len(self._ids):
            room = end if self._n == 0 else max(end, 2 * self._n)
            self._ids = _grown(self._ids, self._n, room)
            self._person = _grown(self._person, self._n, room)
            self._matrix = _grown(self._matrix, self._n, room)
        part = slice(self._n, end)
        self._ids[part], self._person[part], self._matrix[part] = ids, person, matrix
        self._n = end

    def remove(self, ids: Ids) -> None:
        """Take templates out; what else there is moves into new memory, so that snapshots keep theirs."""
        keep = ~np.isin(self._ids[: self._n], ids)
        now = self.snapshot()
        self._ids, self._person, self._matrix = now.ids[keep], now.person[keep], now.matrix[keep]
        self._n = len(self._ids)


def _grown(old: NDArray[_T], used: int, room: int) -> NDArray[_T]:
    new = np.empty((room, *old.shape[1:]), old.dtype)
    new[:used] = old[:used]
    return new
