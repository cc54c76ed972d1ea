"""Who belongs to whom: the assignment of rows to columns at the least cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["assign"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


def assign(cost: Floats, *, limit: float) -> tuple[Indices, Indices]:
    """Return the pairs (rows, columns), each used once at most, that make the sum of ``cost - limit`` least.

    So a pair is made only where its cost is below `limit`, and two dear pairs never push out one cheap enough to be
    worth more than both. The answer is exact.

    Args:
        cost: (n, m), any n and m; infinite or not a number where a pair is out of the question.
        limit: a pair that costs as much or more is not made.
    """
    gain = np.where(cost < limit, cost - limit, 0.0)
    wanted = gain < 0
    lone = wanted & (wanted.sum(1, keepdims=True) == 1) & (wanted.sum(0, keepdims=True) == 1)
    rows, columns = np.nonzero(lone)  # nobody else wants either of the two
    wanted &= ~lone
    left, right = np.flatnonzero(wanted.any(1)), np.flatnonzero(wanted.any(0))
    if not len(left):
        return rows, columns
    i, j = _solve(gain[np.ix_(left, right)])
    i, j = left[i], right[j]
    kept = gain[i, j] < 0
    return np.concatenate([rows, i[kept]]), np.concatenate([columns, j[kept]])


def _solve(cost: Floats) -> tuple[Indices, Indices]:
    """Return the pairs of the least sum in which each row or each column, the fewer of the two, has a partner.

    Shortest augmenting paths: D. F. Crouse, "On implementing 2D rectangular assignment algorithms", IEEE Transactions
    on Aerospace and Electronic Systems 52(4), 2016.
    """
    if cost.shape[0] > cost.shape[1]:
        columns, rows = _solve(cost.T)
        return rows, columns
    n, m = cost.shape
    price_row, price_column = np.zeros(n), np.zeros(m)
    column_of, row_of = np.full(n, -1), np.full(m, -1)
    for start in range(n):
        far, before, done, end = _shortest(cost - price_column, price_row, row_of, start)
        low = far[end]
        done[end] = False
        price_row[start] += low
        price_row[row_of[done]] += low - far[done]
        price_column[done] -= low - far[done]
        row = -1
        while row != start:
            row = int(before[end])
            row_of[end] = row
            column_of[row], end = end, int(column_of[row])
    return np.arange(n), column_of


def _shortest(
    reduced: Floats, price_row: Floats, row_of: Indices, start: int
) -> tuple[Floats, Indices, NDArray[np.bool_], int]:
    """Return the way from row `start` to the nearest free column, the `end`.

    Returns:
        Length of the way to each column, the row before it, which columns were visited, and the end.
    """
    m = len(row_of)
    far, before, done = np.full(m, np.inf), np.full(m, -1), np.zeros(m, bool)
    row, low = start, 0.0
    while True:
        length = low + reduced[row] - price_row[row]
        nearer = ~done & (length < far)
        far[nearer], before[nearer] = length[nearer], row
        end = int(np.where(done, np.inf, far).argmin())
        low, done[end] = far[end], True
        if row_of[end] < 0:
            return far, before, done, end
        row = int(row_of[end])
