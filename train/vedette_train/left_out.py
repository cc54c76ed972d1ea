"""Which pictures and labels a run does without."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = ["LeftOut"]


class LeftOut:
    """What a run does without, and why: a line each in ``left_out.txt``. Lines may come from several threads.

    Args:
        run: the run's folder.
        say: takes a line for a person.
        lines: what is known at the beginning; what the file holds already is kept.
    """

    def __init__(self, run: Path, say: Callable[[str], None], lines: Iterable[str] = ()) -> None:
        self._path, self._say = run / "left_out.txt", say
        earlier = self._path.read_text(encoding="utf-8").splitlines() if self._path.is_file() else []
        self._lines = dict.fromkeys([*earlier, *lines])
        self._told = 0

    def add(self, line: str) -> None:
        """Take one more line, once."""
        self._lines[line.replace("\n", " ")] = None

    def tell(self) -> None:
        """Write the file and say so, where something has come since the last time."""
        lines = list(self._lines)
        if len(lines) == self._told:
            return
        self._told = len(lines)
        self._path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        self._say(f"left out so far: {len(lines)}, such as {lines[-1].rstrip('.')}; {self._path} lists all")
