"""Templates that contradict the names they stand under; the gallery searched with its own people, and calibrated so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from vedette.gallery.calibrate import Calibration, ImpostorScores, OwnScores, calibrate
from vedette.gallery.index import LOWEST, Snapshot
from vedette.gallery.values import Flag

__all__ = ["calibrate_for", "find_flags", "flags_of", "own_scores"]

_BLOCK = 256
_MOST_SEARCHES = 1000
_Ids = NDArray[np.int64]


def find_flags(
    now: Snapshot, *, names: Mapping[int, str], threshold: float, unlike: float
) -> tuple[Flag, ...]:
    """Return the flags of all templates; compares each with each, so 10,000 take seconds."""
    return flags_of(now, now.ids, names=names, threshold=threshold, unlike=unlike)


def flags_of(
    now: Snapshot, ids: _Ids, *, names: Mapping[int, str], threshold: float, unlike: float
) -> tuple[Flag, ...]:
    """Return the flags that the templates `ids` give rise to.

    One for each template that disagrees with its person's others (all cosines below `unlike`), one for each two people
    that agree (from `threshold` on; their most similar templates).
    """
    disagree: list[Flag] = []
    agree: dict[frozenset[int], Flag] = {}
    for rows, scores in _blocks(now, np.flatnonzero(np.isin(now.ids, ids))):
        same = now.person[None] == now.person[rows, None]
        disagree += _disagreeing(now, rows, np.where(same, scores, LOWEST), names, unlike)
        alike = np.argwhere(~same & (scores >= threshold))
        for i, j in alike:
            pair = frozenset((int(now.person[rows[i]]), int(now.person[j])))
            score = float(scores[i, j])
            if pair not in agree or agree[pair].score < score:
                both = sorted((names[int(now.person[k])], int(now.ids[k])) for k in (rows[i], j))
                agree[pair] = Flag("agree", (both[0][0], both[1][0]), (both[0][1], both[1][1]), score)
    return (*disagree, *agree.values())


def own_scores(now: Snapshot, *, threshold: float) -> OwnScores:
    """Return how the gallery's people fare when each is searched for among all others, with the first template.

    Of more than 1,000 people, 1,000 evenly chosen ones are searched for.
    """
    _, first = np.unique(now.person, return_index=True)
    if len(first) < 2:
        return OwnScores(0, 0, LOWEST)
    chosen = first[np.unique(np.linspace(0, len(first) - 1, min(len(first), _MOST_SEARCHES)).astype(np.intp))]
    best = [
        np.where(now.person[None] == now.person[rows, None], LOWEST, scores).max(1)
        for rows, scores in _blocks(now, chosen)
    ]
    highest = np.concatenate(best)
    return OwnScores(len(highest), int(np.count_nonzero(highest >= threshold)), float(highest.max()))


def calibrate_for(now: Snapshot, scores: ImpostorScores, *, far: float, revision: int) -> Calibration:
    """Return the calibration of a gallery that is `now` so, at its `revision`; see `calibrate` for what is refused."""
    people, templates = len(np.unique(now.person)), len(now)
    threshold, estimate, interval = calibrate(scores, far=far, people=people, templates=templates)
    own = own_scores(now, threshold=threshold)
    return Calibration(
        threshold, far, estimate, interval, people, templates, scores.total, scores.people, own, revision
    )


def _blocks(now: Snapshot, rows: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Yield rows, some at a time, with their cosines to all templates; -1 with themselves."""
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        scores = now.matrix[part] @ now.matrix.T
        scores[np.arange(len(part)), part] = LOWEST
        yield part, scores


def _disagreeing(
    now: Snapshot,
    rows: NDArray[np.intp],
    own: NDArray[np.float32],
    names: Mapping[int, str],
    threshold: float,
) -> list[Flag]:
    nearest, score = own.argmax(1), own.max(1)
    found = []
    for k in np.flatnonzero((score < threshold) & (score > LOWEST)):
        ids = (int(now.ids[rows[k]]), int(now.ids[nearest[k]]))
        found.append(Flag("disagree", (names[int(now.person[rows[k]])],), ids, float(score[k])))
    return found
