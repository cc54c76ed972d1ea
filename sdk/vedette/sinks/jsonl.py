"""Results as JSON lines, to a file or to standard output: one object a line, readable while it grows."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from io import FileIO
from pathlib import Path
from typing import Literal, Protocol

from vedette.errors import SinkError
from vedette.sinks.files import check_folder, sink_error
from vedette.sinks.schema import to_json
from vedette.types import Closing, Results

__all__ = ["JsonlSink"]


class _Lines(Protocol):
    def write(self, line: bytes, /) -> None: ...
    def close(self) -> None: ...


class JsonlSink(Closing):
    """One line of JSON a frame (docs/results.md), handed to the system line by line: nothing is held back.

    A log that grows cannot be written beside and put in place at the end, so an existing file is never touched unasked.
    When the disk is full the broken line is taken back: the file ends with a whole one.

    Attributes:
        name: ``jsonl:PATH``.
        reader_gone: True when standard output is a pipe and its reader has left; later results are let go.
    """

    def __init__(
        self, path: str | Path, *, existing: Literal["refuse", "append", "overwrite"] = "refuse"
    ) -> None:
        """Open `path`, or standard output for ``-``.

        Raises:
            SinkError: it exists and `existing` is "refuse", or it cannot be written.
        """
        self.name = f"jsonl:{path}"
        self.reader_gone = False
        self._lines: _Lines | None = _Stdout() if str(path) == "-" else _File(Path(path), existing)

    def write(self, results: Results) -> None:
        """Write one line.

        Raises:
            SinkError: the disk is full or gone; or the sink is closed.
        """
        if self.reader_gone:
            return
        if self._lines is None:
            raise SinkError(f"{self.name} is closed")
        try:
            self._lines.write(to_json(results).encode("ascii") + b"\n")
        except BrokenPipeError:
            self.reader_gone = True

    def close(self) -> None:
        """Close the file; standard output stays open."""
        lines, self._lines = self._lines, None
        if lines is not None:
            lines.close()


class _Stdout:
    def __init__(self) -> None:
        self._stream = sys.stdout

    def write(self, line: bytes) -> None:
        try:
            self._stream.write(line.decode("ascii"))
            self._stream.flush()
        except BrokenPipeError:
            self._mute()
            raise
        except OSError as error:
            raise sink_error(Path("standard output"), error) from error

    def close(self) -> None:
        """Do nothing: it is not ours."""

    def _mute(self) -> None:
        """Point standard output to nowhere, else Python complains about the lost pipe once more at its exit."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, self._stream.fileno())
        except (OSError, ValueError):
            pass  # a stream without a descriptor has nothing to complain about
        finally:
            os.close(nowhere)


class _File:
    """A file written without a buffer of ours, so that a line is with the system when `write` returns."""

    def __init__(self, path: Path, existing: str) -> None:
        self._path = path
        check_folder(path)
        try:
            self._special = path.exists() and not stat.S_ISREG(path.stat().st_mode)
            mode = "wb" if self._special else {"refuse": "xb", "append": "ab", "overwrite": "wb"}[existing]
            self._file = _open_special(path) if self._special else path.open(mode, buffering=0)
        except FileExistsError as error:
            raise SinkError(
                f"{path} exists; add ?append=1 to go on after its end, ?overwrite=1 to replace it, or name another file"
            ) from error
        except OSError as error:
            raise sink_error(path, error) from error
        self._made = mode == "xb"
        self._end = 0 if self._special else self._file.seek(0, os.SEEK_END)
        if self._end:
            self._mend()

    def write(self, line: bytes) -> None:
        try:
            left = memoryview(line)
            while left:
                left = left[self._file.write(left) or 0 :]
        except BrokenPipeError:
            raise
        except OSError as error:
            self._take_back()
            raise sink_error(self._path, error) from error
        self._end += len(line)

    def close(self) -> None:
        try:
            self._file.close()
            if self._made and not self._end:
                self._path.unlink(
                    missing_ok=True
                )  # a run that failed at once must not stand in the way of the next
        except OSError as error:
            raise sink_error(self._path, error) from error

    def _mend(self) -> None:
        """End a last line that was cut off, so that the next one stands alone."""
        try:
            with self._path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                whole = file.read(1) == b"\n"
        except OSError as error:
            self._file.close()
            raise sink_error(self._path, error) from error
        if not whole:
            self.write(b"\n")

    def _take_back(self) -> None:
        if self._special:
            return
        with contextlib.suppress(OSError):  # the error on its way says more
            self._file.truncate(self._end)


def _open_special(path: Path) -> FileIO:
    """Open a pipe or device; where nobody reads a pipe, opening it otherwise waits for ever."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise SinkError(f"cannot write {path}: nobody reads this pipe; start its reader first") from error
        raise
    os.set_blocking(handle, True)
    return FileIO(handle, "wb")
