"""The tables of a gallery, and how older files become newer ones.

Ids are random and 53 bits long: never used twice, the same in every gallery that a person is imported into, and whole
in JSON; attempts alone are numbered, for they are kept in order. `sealed` columns hold what only the key opens; see
`rows.py` for what that is.
"""

from __future__ import annotations

import sqlite3

from vedette.errors import GalleryError

__all__ = ["APPLICATION_ID", "MIGRATIONS", "migrate"]

APPLICATION_ID = 0x56444731
"""'VDG1' in the header of the file: an SQLite file that is a gallery."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"PRAGMA application_id = {APPLICATION_ID}",
        """CREATE TABLE gallery (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            uid BLOB NOT NULL,
            encrypted INTEGER NOT NULL,
            key_check BLOB NOT NULL,
            model_sha256 TEXT NOT NULL,
            size INTEGER NOT NULL,
            revision INTEGER NOT NULL DEFAULT 0,
            purge INTEGER NOT NULL DEFAULT 0,
            calibration BLOB)""",
        "CREATE TABLE person (id INTEGER PRIMARY KEY, name_tag BLOB NOT NULL UNIQUE, sealed BLOB NOT NULL)",
        """CREATE TABLE template (
            id INTEGER PRIMARY KEY,
            person_id INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
            model_sha256 TEXT NOT NULL,
            sealed BLOB NOT NULL)""",
        "CREATE INDEX template_of_person ON template (person_id)",
        """CREATE TABLE picture (
            template_id INTEGER PRIMARY KEY REFERENCES template ON DELETE CASCADE,
            sealed BLOB NOT NULL)""",
        "CREATE TABLE erased (person_id INTEGER PRIMARY KEY)",
    ),
    (
        """CREATE TABLE attempt (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            person_id INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
            sealed BLOB NOT NULL)""",
        "CREATE INDEX attempt_of_person ON attempt (person_id)",
    ),
)
"""Statements that lead from `user_version` n to n + 1. A released entry is never changed, only followed by others."""


def migrate(db: sqlite3.Connection, label: str) -> None:
    """Bring the tables up to date in one transaction, begun by the caller.

    Raises:
        GalleryError: it is another program's file, or a newer Vedette's.
    """
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise GalleryError(
            f"{label} was written by a newer Vedette (format {version}, this one knows {len(MIGRATIONS)}): "
            "upgrade Vedette"
        )
    ours = db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    if not ours and (version or db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]):
        raise GalleryError(f"{label} is an SQLite file of another program, not a gallery; name another file")
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            db.execute(statement)
    if version < len(MIGRATIONS):
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
