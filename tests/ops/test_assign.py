"""The assignment is the best there is: against trying all, and against SciPy's."""

import itertools

import numpy as np
import pytest

from vedette.ops.assign import assign


def total(cost, rows, columns, limit):
    return float((cost[rows, columns] - limit).sum())


def best_by_trying_all(cost, limit):
    n, m = cost.shape
    best = 0.0
    for k in range(1, min(n, m) + 1):
        for rows in itertools.combinations(range(n), k):
            for columns in itertools.permutations(range(m), k):
                best = min(best, total(cost, list(rows), list(columns), limit))
    return best


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)], ids=str)
def test_nothing_is_assigned_to_nothing(shape):
    rows, columns = assign(np.zeros(shape), limit=1.0)
    assert len(rows) == len(columns) == 0
    assert rows.dtype.kind == "i"


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (4, 2), (4, 4)], ids=str)
def test_no_other_choice_is_better(shape):
    rng = np.random.default_rng(3)
    for _ in range(60):
        cost = rng.uniform(0, 10, shape)
        cost[rng.random(shape) < 0.2] = np.inf
        rows, columns = assign(cost, limit=7.0)
        assert len(set(rows.tolist())) == len(rows) == len(set(columns.tolist())) == len(columns)
        assert (cost[rows, columns] < 7.0).all()
        assert total(cost, rows, columns, 7.0) == pytest.approx(best_by_trying_all(cost, 7.0))


@pytest.mark.parametrize("ties", [False, True], ids=["reals", "small whole numbers"])
def test_as_good_as_scipys(ties):
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy, to compare with, is not installed")
    rng = np.random.default_rng(5)
    for _ in range(80):
        n, m = rng.integers(1, 40, 2)
        cost = rng.integers(0, 6, (n, m)).astype(float) if ties else rng.normal(0, 10, (n, m))
        rows, columns = assign(cost, limit=5.0)
        gain = np.minimum(cost - 5.0, 0)
        assert total(cost, rows, columns, 5.0) == pytest.approx(
            gain[optimize.linear_sum_assignment(gain)].sum()
        )


@pytest.mark.parametrize("bad", [np.inf, np.nan, 5.0], ids=["infinite", "not a number", "at the limit"])
def test_what_is_out_of_the_question_stays_alone(bad):
    rows, columns = assign(np.array([[bad, 1.0], [2.0, bad]]), limit=5.0)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0)]
    assert len(assign(np.full((2, 2), bad), limit=5.0)[0]) == 0


def test_the_nearest_first_would_be_worse():
    rows, columns = assign(np.array([[1.0, 2.0], [1.5, 9.0]]), limit=20.0)
    assert dict(zip(rows.tolist(), columns.tolist(), strict=True)) == {0: 1, 1: 0}
