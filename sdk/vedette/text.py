"""Values and rows as text, for the command's verbs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

__all__ = ["Bar", "columns", "plain"]


class Bar(Protocol):
    """A line on the terminal that tells how far something is."""

    def show(self, text: Callable[[], str]) -> None: ...

    def clear(self) -> None: ...


def plain(value: object) -> str:
    """Return a value in one line, as a reader wants it: three digits, lists and mappings with commas."""
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {plain(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return str(value)


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of equal length as aligned text."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)
