"""The SQLite file: opened safely, written in short transactions, emptied for good.

Write-ahead log, one writer at a time, others wait `timeout_s`; every commit reaches the disk (`synchronous=FULL`).
Deleted content is overwritten (`secure_delete`), and `purge` rewrites the file and empties the log.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from vedette.errors import GalleryError
from vedette.gallery.schema import APPLICATION_ID, migrate
from vedette.types import Closing

__all__ = ["Store", "is_gallery"]

_RETRY_S = 0.02

_ADVICE = {
    "SQLITE_BUSY": "another process has been holding it for too long; try again, or end that process",
    "SQLITE_LOCKED": "another process has been holding it for too long; try again, or end that process",
    "SQLITE_CANTOPEN": "it cannot be opened; check the path, and that this user may write the folder and the file",
    "SQLITE_CORRUPT": "it is damaged: move it away with its -wal and -shm files, and import an archive of it",
    "SQLITE_NOTADB": "it is not a gallery, or its beginning is damaged: move it away and import an archive of it",
    "SQLITE_FULL": "the disk is full; make room",
    "SQLITE_IOERR": "the disk is full or does not take the write (see the system's log)",
    "SQLITE_READONLY": "it cannot be written: its medium, its folder or the file is read-only for this user",
}
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")


class Store(Closing):
    """One connection to one gallery file, made if it is not there. To be used by one thread at a time.

    Args:
        path: the file; its folder must exist. It is made readable by its owner alone.
        timeout_s: how long to wait for another process's transaction.

    Raises:
        GalleryError: it cannot be opened, is damaged, or is not a gallery.
    """

    def __init__(self, path: Path, *, timeout_s: float = 5.0) -> None:
        self.path, self._timeout_s = path, timeout_s
        _make(path)
        with self._translated():
            self.db = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode=rw",
                uri=True,
                timeout=timeout_s,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; SQLite takes the log in when nobody else has it open."""
        self.db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the only write transaction; all of it is kept at the end, or nothing at an error.

        Raises:
            GalleryError: somebody else holds it for too long, or the disk is full, read-only or damaged.
        """
        with self._translated():
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold one state of the file while several things are read from it; inside `writing` it is that one's."""
        with self._translated():
            if self.db.in_transaction:
                yield
                return
            self.db.execute("BEGIN")
            try:
                yield
            finally:
                self.db.execute("ROLLBACK")

    def data_version(self) -> int:
        """Return a number that changes when another connection has written."""
        with self._translated():
            return int(self.db.execute("PRAGMA data_version").fetchone()[0])

    def purge(self) -> None:
        """Leave nothing of what was deleted in the file or its log.

        Raises:
            GalleryError: another process reads on, or the disk is full; what was deleted stays deleted, and the next
                `purge` or opening takes its traces away.
        """
        with self._translated(
            "what was deleted is gone, its traces are not: purge again, or open the gallery again"
        ):
            self._wait_for("VACUUM")  # secure_delete forgets copies that a split page leaves behind
            self._truncate_log()
            self.db.execute("UPDATE gallery SET purge = 0")
            self._truncate_log()

    def integrity(self) -> str:
        """Return SQLite's verdict on the file: "ok", or what is broken."""
        with self._translated():
            broken = self.db.execute("PRAGMA foreign_key_check").fetchall()
            told = [str(row[0]) for row in self.db.execute("PRAGMA integrity_check(5)")]
        return "; ".join(told) if not broken else f"{len(broken)} rows without an owner"

    def _prepare(self) -> None:
        with self._translated():
            self.db.execute("PRAGMA secure_delete = ON")
            self.db.execute("PRAGMA temp_store = MEMORY")  # what VACUUM writes aside must not reach a disk
            self.db.execute("PRAGMA foreign_keys = ON")
            self._wait_for("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA synchronous = FULL")
        with self.writing():
            migrate(self.db, f"the gallery {self.path}")

    def _truncate_log(self) -> None:
        limit = time.monotonic() + self._timeout_s
        while self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > limit:
                raise GalleryError(
                    f"traces remain in {self.path.name}-wal: another process keeps reading the gallery. "
                    "End it and purge again, or open the gallery once more."
                )
            time.sleep(_RETRY_S)

    def _wait_for(self, statement: str) -> None:
        """Execute what SQLite refuses at once, without its own waiting, while another process is busy."""
        limit = time.monotonic() + self._timeout_s
        while True:
            try:
                self.db.execute(statement)
            except sqlite3.OperationalError as error:
                if not _name(error).startswith(_BUSY) or time.monotonic() > limit:
                    raise
                time.sleep(_RETRY_S)
            else:
                return

    @contextmanager
    def _translated(self, state: str = "nothing was changed") -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            advice = next((a for kind, a in _ADVICE.items() if _name(error).startswith(kind)), str(error))
            raise GalleryError(f"the gallery {self.path}: {advice}; {state}") from error


def is_gallery(path: Path) -> bool:
    """Tell whether a file's header is that of a gallery (bytes 68 to 71, https://www.sqlite.org/fileformat.html).

    False as well where it cannot be read, or was never taken in from its log.
    """
    try:
        with path.open("rb") as file:
            return file.read(72)[68:] == APPLICATION_ID.to_bytes(4, "big")
    except OSError:
        return False


def _name(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", ""))


def _make(path: Path) -> None:
    """Make the file if it is not there, for its owner's eyes only; SQLite gives its log the same permissions.

    A file that is there is not opened here: closing it would drop the locks that SQLite holds on it in this process.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if not path.is_file():
            raise GalleryError(f"cannot open the gallery {path}: it is not a regular file") from None
    except OSError as error:
        raise GalleryError(f"cannot open the gallery {path}: {error.strerror or error}") from error
