"""The search is exact, whatever came and went before."""

from __future__ import annotations

import numpy as np
import pytest

from vedette.gallery.index import Index


def naive(person, matrix, query):
    """Return the best person, the score and the runner-up's, one comparison at a time."""
    best: dict[int, float] = {}
    for owner, row in zip(person, matrix, strict=True):
        best[int(owner)] = max(best.get(int(owner), -1.0), float(row @ query))
    ranked = sorted(best.items(), key=lambda item: -item[1])
    return ranked[0][0], ranked[0][1], ranked[1][1] if len(ranked) > 1 else -1.0


@pytest.mark.parametrize("queries", [0, 1, 63, 64, 65, 200])
def test_the_search_is_exact(queries):
    rng = np.random.default_rng(queries)
    matrix = rng.standard_normal((500, 32)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    person = rng.integers(1, 90, 500)
    asked = matrix[rng.integers(0, 500, queries)] + 0.1 * rng.standard_normal((queries, 32)).astype(
        np.float32
    )
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    index = Index(32)
    index.add(np.arange(500), person, matrix)
    found = index.snapshot().best_two(asked)
    assert [len(column) for column in found] == [queries] * 3
    for who, first, second, query in zip(*found, asked, strict=True):
        wanted = naive(person, matrix, query)
        assert who == wanted[0]
        np.testing.assert_allclose([first, second], wanted[1:], atol=1e-5)  # float32 sums in another order


def test_nobody_and_only_one_person():
    index, one = Index(4), np.eye(4, dtype=np.float32)
    assert [column.tolist() for column in index.snapshot().best_two(one[:2])] == [
        [-1, -1],
        [-1, -1],
        [-1, -1],
    ]
    index.add(np.array([5]), np.array([9]), one[:1])
    assert [column.tolist() for column in index.snapshot().best_two(one[:2])] == [[9, 9], [1, 0], [-1, -1]]


def test_a_snapshot_stays_as_it_was_while_templates_come_and_go():
    rng, index = np.random.default_rng(0), Index(8)
    held, wanted = [], []
    alive: dict[int, np.ndarray] = {}
    for step in range(60):
        if step % 7 == 6:
            gone = rng.choice(list(alive), 3, replace=False)
            index.remove(gone)
            alive = {i: row for i, row in alive.items() if i not in gone}
        else:
            ids, rows = np.arange(step * 10, step * 10 + 3), rng.standard_normal((3, 8)).astype(np.float32)
            index.add(ids, ids % 5, rows)
            alive |= dict(zip(ids.tolist(), rows, strict=True))
        held.append(index.snapshot())
        wanted.append(dict(alive))
    for snapshot, rows in zip(held, wanted, strict=True):
        assert snapshot.ids.tolist() == list(rows)
        np.testing.assert_array_equal(snapshot.matrix, list(rows.values()))
        np.testing.assert_array_equal(snapshot.person, snapshot.ids % 5)
