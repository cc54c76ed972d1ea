"""What the sinks that write files share: checks at the door, atomic writes, and errors that say what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

from vedette.errors import SinkError

__all__ = ["check_folder", "free_bytes", "part_of", "sink_error", "write_atomic"]


def check_folder(path: Path) -> None:
    """Check that the folder in which `path` shall be made is there and takes files.

    Raises:
        SinkError: it is missing, is no folder, or cannot be written.
    """
    folder = path.parent
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise SinkError(f"cannot write {path}: {folder} {what}; make it first: mkdir -p {folder}")
    if path.is_dir():
        raise SinkError(f"cannot write {path}: it is a folder; name a file in it")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SinkError(f"cannot write {path}: no permission to write in {folder}")


def free_bytes(path: Path) -> int | None:
    """Return how many bytes are free where `path` lies or shall lie, None where the system does not tell."""
    try:
        return shutil.disk_usage(path if path.is_dir() else path.parent).free
    except OSError:
        return None


def sink_error(path: Path, error: OSError) -> SinkError:
    """Return the SinkError for an `error` of the system while writing `path`; raise it `from` the error."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return SinkError(f"cannot write {path}: {error.strerror or error}")
    free = free_bytes(path)
    left = "" if free is None else f" ({free / 1e6:.1f} MB free)"
    return SinkError(f"cannot write {path}: the disk is full{left}; make room or write to another disk")


def part_of(path: Path) -> Path:
    """Return where `path` is written before it is whole: ``name.part.ext`` beside it."""
    return path.with_name(f"{path.stem}.part{path.suffix}")


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` so that `path` is either what it was or whole, however the program ends.

    It is not forced onto the disk: that would take an SD card some 50 ms a picture.

    Raises:
        SinkError: it cannot be written; nothing is left behind.
    """
    part = part_of(path)
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # the error on its way says more
            part.unlink()
        raise sink_error(path, error) from error
