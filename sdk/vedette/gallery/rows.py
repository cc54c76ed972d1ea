"""The rows of a gallery, sealed and opened.

What a row holds is bound to its place (table, ids, model) and to the gallery: a row that was swapped with another, or
carried over from another file, does not open. Names, sources, times and qualities are as personal as embeddings and
are sealed with them; ids, the number of templates a person has, and the model stay readable.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.errors import GalleryError, GalleryKeyError
from vedette.gallery.seal import UNENCRYPTED, KeyOrNone, Sealer, make_sealer
from vedette.gallery.values import (
    Attempt,
    EmbeddingModel,
    Floats,
    Sample,
    TemplateInfo,
    check_embeddings,
    name_key,
    new_id,
)

__all__ = ["MOST_ATTEMPTS", "Rows"]

Ids = NDArray[np.int64]

MOST_ATTEMPTS = 10_000
"""The newest that are kept: some 2 MB."""

_HEAD = struct.Struct("<dq")  # quality, time_ns; then the embedding, float32; then the source, UTF-8
_IDS = struct.Struct("<qq")
_CHECK = b"vedette gallery"
_PART = 256
"""Rows sealed anew at once: all pictures of a gallery would not fit into a small board's memory."""
_ONE_OF = "IN (SELECT value FROM json_each(?))"


class Rows:
    """Sealed reading and writing on one connection, inside the caller's transactions.

    Args:
        db: the connection; its tables are up to date.
        key: what the gallery is, or shall be, sealed with.
        label: what messages call the gallery.

    Attributes:
        key: as given.
    """

    def __init__(self, db: sqlite3.Connection, key: KeyOrNone, label: str) -> None:
        self.key = key
        self._db, self._label = db, label
        self._sealer: Sealer | None = None

    # the gallery itself

    def begin(self, model: EmbeddingModel) -> None:
        """Write the first row, of a gallery for `model`, unless it is there. To be called while writing."""
        if self._db.execute("SELECT 1 FROM gallery").fetchone():
            return
        uid = secrets.token_bytes(16)
        sealer = make_sealer(self.key, uid)
        row = (
            uid,
            int(self.key is not UNENCRYPTED),
            sealer.seal(_CHECK, b"check"),
            model.sha256,
            model.size,
        )
        self._db.execute(
            "INSERT INTO gallery (one, uid, encrypted, key_check, model_sha256, size) VALUES (1, ?, ?, ?, ?, ?)",
            row,
        )

    def unlock(self) -> None:
        """Check the key against the gallery, also one that was rotated since.

        Raises:
            GalleryKeyError: it is another one, or there is none where one is needed, or the other way round.
        """
        row = self._db.execute("SELECT uid, encrypted, key_check FROM gallery").fetchone()
        if row is None:
            raise GalleryError(f"{self._label} is not complete; remove it and enrol again")
        uid, encrypted, check = row
        if encrypted and self.key is UNENCRYPTED:
            raise GalleryKeyError(f"{self._label} is encrypted: give its key")
        if not encrypted and self.key is not UNENCRYPTED:
            raise GalleryKeyError(
                f"{self._label} is not encrypted, yet a key was given. If it was meant to be, somebody has replaced "
                "it; if not, open it with UNENCRYPTED and call rekey() with the key."
            )
        sealer = make_sealer(self.key, uid)
        try:
            right = sealer.open(check, b"check") == _CHECK
        except GalleryError:
            right = False
        if not right:
            raise GalleryKeyError(
                f"this is not the key of {self._label}: it was sealed with another one, or that one was rotated. "
                "Give the right key; without it nobody can read the gallery: import an archive, or enrol again."
            )
        self._sealer = sealer

    def model(self) -> tuple[str, int]:
        """Return the hash and the embedding's length of the model that the gallery was made with."""
        sha256, size = self._db.execute("SELECT model_sha256, size FROM gallery").fetchone()
        return str(sha256), int(size)

    def check_model(self, model: EmbeddingModel) -> None:
        """Refuse another `model` than the one that the gallery was made with.

        Raises:
            GalleryError: it is another one; says the way out.
        """
        sha256, size = self.model()
        if (sha256, size) != (model.sha256, model.size):
            raise GalleryError(
                f"{self._label} was made with model {sha256[:12]} ({size} numbers a face), not with "
                f"{model.sha256[:12]} ({model.size}); their embeddings cannot be compared. Use that "
                "model, or make the gallery anew from kept pictures: `vedette faces reenroll`, or reenrol() in Python; "
                "where none were kept, enrol people again."
            )

    def revision(self) -> int:
        """Return a number that grows with every person or template that comes or goes."""
        return int(self._db.execute("SELECT revision FROM gallery").fetchone()[0])

    def changed(self, *, purge: bool = False) -> None:
        """Note that people or templates came or went; `purge` where traces are to be taken away afterwards."""
        self._db.execute("UPDATE gallery SET revision = revision + 1, purge = purge OR ?", (int(purge),))

    def purge_pending(self) -> bool:
        """Tell whether something was deleted whose traces may still be in the file."""
        return bool(self._db.execute("SELECT purge FROM gallery").fetchone()[0])

    def read_calibration(self) -> bytes:
        """Return what `write_calibration` wrote last; nothing before that."""
        (sealed,) = self._db.execute("SELECT calibration FROM gallery").fetchone()
        return b"" if sealed is None else self._open(sealed, b"calibration")

    def write_calibration(self, data: bytes) -> None:
        """Keep the calibration, sealed: whoever could lower a threshold could let anybody in."""
        sealed = self._seal(data, b"calibration") if data else None
        self._db.execute("UPDATE gallery SET calibration = ?", (sealed,))

    # people

    def find(self, name: str) -> int | None:
        """Return the id of the person called `name`, whatever its case; None when there is nobody."""
        row = self._db.execute("SELECT id FROM person WHERE name_tag = ?", (self._tag(name),)).fetchone()
        return None if row is None else int(row[0])

    def add_person(self, person_id: int, name: str) -> None:
        """Add a person of a new name."""
        sealed = self._seal(name.encode(), _person(person_id))
        self._db.execute("INSERT INTO person VALUES (?, ?, ?)", (person_id, self._tag(name), sealed))

    def names(self) -> dict[int, str]:
        """Return all people's names by id."""
        rows = self._db.execute("SELECT id, sealed FROM person")
        return {i: self._open(sealed, _person(i)).decode() for i, sealed in rows}

    def remove_person(self, person_id: int) -> None:
        """Delete a person with all templates and pictures, and note the id so that no archive brings it back."""
        self._db.execute("DELETE FROM person WHERE id = ?", (person_id,))
        self._db.execute("INSERT OR IGNORE INTO erased VALUES (?)", (person_id,))

    def erased(self) -> set[int]:
        """Return the ids of people who were erased."""
        return {int(row[0]) for row in self._db.execute("SELECT person_id FROM erased")}

    # templates

    def add_templates(self, person_id: int, samples: Sequence[Sample], *, time_ns: int) -> tuple[int, ...]:
        """Add checked samples to a person; return the new templates' ids in their order."""
        ids = tuple(new_id() for _ in samples)
        for template_id, sample in zip(ids, samples, strict=True):
            self.add_template(template_id, person_id, sample, time_ns=time_ns)
        return ids

    def add_template(self, template_id: int, person_id: int, sample: Sample, *, time_ns: int) -> None:
        """Add one checked sample under a given id."""
        sha256, _ = self.model()
        plain = _HEAD.pack(sample.quality, time_ns) + sample.embedding.astype("<f4").tobytes()
        sealed = self._seal(plain + sample.source.encode(), _template(template_id, person_id, sha256))
        self._db.execute("INSERT INTO template VALUES (?, ?, ?, ?)", (template_id, person_id, sha256, sealed))
        if sample.picture is not None:
            sealed = self._seal(sample.picture, _picture(template_id))
            self._db.execute("INSERT INTO picture VALUES (?, ?)", (template_id, sealed))

    def template_ids(self) -> Ids:
        """Return the ids of all templates, ascending."""
        rows = self._db.execute("SELECT id FROM template ORDER BY id")
        return np.fromiter((row[0] for row in rows), np.int64)

    def embeddings(self, ids: Ids | None = None) -> tuple[Ids, Ids, Floats]:
        """Return ids (n,), people's ids (n,) and embeddings (n, size) of the templates `ids`, or of all.

        Raises:
            GalleryError: a row was changed, moved or damaged.
        """
        rows = self._template_rows("" if ids is None else f"WHERE id {_ONE_OF}", ids)
        sha256, size = self.model()
        first, last = _HEAD.size, _HEAD.size + 4 * size
        found = [self._open(s, _template(i, p, m))[first:last] for i, p, m, s in rows if m == sha256]
        if len(found) != len(rows) or any(len(data) != last - first for data in found):
            raise GalleryError(f"{self._label} holds templates of another model; remove it and enrol again")
        matrix = np.frombuffer(b"".join(found), "<f4").reshape(-1, size)
        ids, owners = (np.fromiter((row[k] for row in rows), np.int64, len(rows)) for k in (0, 1))
        if self.key is UNENCRYPTED:  # nothing else vouches for the values then
            check_embeddings(matrix, size)
        return ids, owners, matrix.astype(np.float32, copy=False)

    def infos(self, person_id: int) -> tuple[TemplateInfo, ...]:
        """Return what is known of a person's templates, the oldest first."""
        with_picture = "SELECT id FROM template JOIN picture ON template_id = id WHERE person_id = ?"
        kept = {int(row[0]) for row in self._db.execute(with_picture, (person_id,))}
        found = []
        for template_id, sample, time_ns, sha256 in self.samples(person_id, pictures=False):
            row = (template_id, sha256, sample.quality, time_ns, sample.source, template_id in kept)
            found.append(TemplateInfo(*row))
        return tuple(sorted(found, key=lambda info: (info.time_ns, info.id)))

    def samples(self, person_id: int, *, pictures: bool = True) -> Iterator[tuple[int, Sample, int, str]]:
        """Yield id, sample, time in ns and model of each template of a person."""
        rows = self._template_rows("WHERE person_id = ?", person_id)
        _, size = self.model()
        middle = _HEAD.size + 4 * size
        for template_id, owner, sha256, sealed in rows:
            plain = self._open(sealed, _template(template_id, owner, sha256))
            quality, time_ns = _HEAD.unpack_from(plain)
            embedding = np.frombuffer(plain[_HEAD.size : middle], "<f4").astype(np.float32)
            picture = self.picture(template_id) if pictures else None
            yield template_id, Sample(embedding, quality, plain[middle:].decode(), picture), time_ns, sha256

    def picture(self, template_id: int) -> bytes | None:
        """Return the kept picture of a template, None where none was kept."""
        row = self._db.execute("SELECT sealed FROM picture WHERE template_id = ?", (template_id,)).fetchone()
        return None if row is None else self._open(row[0], _picture(template_id))

    def remove_templates(self, ids: Iterable[int]) -> None:
        """Delete templates with their pictures."""
        self._db.executemany("DELETE FROM template WHERE id = ?", [(i,) for i in ids])

    # attempts

    def add_attempt(self, attempt: Attempt) -> None:
        """Add an attempt of somebody enrolled, and drop the oldest where there are too many."""
        last = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'attempt'").fetchone()
        number = 1 + (0 if last is None else int(last[0]))
        told = {name: value for name, value in asdict(attempt).items() if name != "person_id"}
        sealed = self._seal(json.dumps(told).encode(), _attempt(number, attempt.person_id))
        self._db.execute("INSERT INTO attempt VALUES (?, ?, ?)", (number, attempt.person_id, sealed))
        self._db.execute("DELETE FROM attempt WHERE id <= ?", (number - MOST_ATTEMPTS,))

    def attempts(self) -> Iterator[Attempt]:
        """Yield all attempts, the oldest first."""
        for number, person_id, sealed in self._db.execute("SELECT * FROM attempt ORDER BY id"):
            told = json.loads(self._open(sealed, _attempt(number, person_id)))
            yield Attempt(person_id, **{**told, "asked": tuple(told["asked"])})

    def clear_for(self, model: EmbeddingModel, *, keep: Iterable[int]) -> None:
        """Delete all templates, and all people but those to `keep`; make the gallery one for `model`."""
        self._db.execute("DELETE FROM template")
        gone = f"DELETE FROM person WHERE id NOT {_ONE_OF}"
        self._db.execute(gone, (json.dumps(list(keep)),))
        self._db.execute(
            "UPDATE gallery SET model_sha256 = ?, size = ?, calibration = NULL", (model.sha256, model.size)
        )

    def rekey(self, key: KeyOrNone) -> Rows:
        """Seal everything with another key, while writing; return what reads it once that is committed."""
        (uid,) = self._db.execute("SELECT uid FROM gallery").fetchone()
        names, calibration, new = self.names(), self.read_calibration(), make_sealer(key, uid)
        self._reseal("template", "id, person_id, model_sha256", _template, new)
        self._reseal("picture", "template_id", _picture, new)
        self._reseal("attempt", "id, person_id", _attempt, new)
        for person_id, name in names.items():
            row = (new.tag(name_key(name)), new.seal(name.encode(), _person(person_id)), person_id)
            self._db.execute("UPDATE person SET name_tag = ?, sealed = ? WHERE id = ?", row)
        self._db.execute(
            "UPDATE gallery SET encrypted = ?, key_check = ?, purge = 1",
            (int(key is not UNENCRYPTED), new.seal(_CHECK, b"check")),
        )
        renewed = Rows(self._db, key, self._label)
        renewed.write_calibration(calibration)
        return renewed

    def _reseal(self, table: str, columns: str, place: Callable[..., bytes], new: Sealer) -> None:
        key = columns.split(",", maxsplit=1)[0]
        ids = [row[0] for row in self._db.execute(f"SELECT {key} FROM {table}")]
        for start in range(0, len(ids), _PART):
            part = (json.dumps(ids[start : start + _PART]),)
            rows = self._db.execute(f"SELECT {columns}, sealed FROM {table} WHERE {key} {_ONE_OF}", part)
            again = [(new.seal(self._open(s, place(*at)), place(*at)), at[0]) for *at, s in rows.fetchall()]
            self._db.executemany(f"UPDATE {table} SET sealed = ? WHERE {key} = ?", again)

    def _template_rows(self, where: str, ids: Ids | int | None) -> list[tuple[Any, ...]]:
        given = () if ids is None else (ids if isinstance(ids, int) else json.dumps(ids.tolist()),)
        query = f"SELECT id, person_id, model_sha256, sealed FROM template {where}"
        return self._db.execute(query, given).fetchall()

    def _unlocked(self) -> Sealer:
        if self._sealer is None:
            self.unlock()
        assert self._sealer is not None
        return self._sealer

    def _seal(self, plain: bytes, place: bytes) -> bytes:
        return self._unlocked().seal(plain, place)

    def _open(self, sealed: bytes, place: bytes) -> bytes:
        return self._unlocked().open(sealed, place)

    def _tag(self, name: str) -> bytes:
        return self._unlocked().tag(name_key(name))


def _person(person_id: int) -> bytes:
    return b"person" + _IDS.pack(person_id, 0)


def _template(template_id: int, person_id: int, model_sha256: str) -> bytes:
    return b"template" + _IDS.pack(template_id, person_id) + model_sha256.encode()


def _picture(template_id: int) -> bytes:
    return b"picture" + _IDS.pack(template_id, 0)


def _attempt(number: int, person_id: int) -> bytes:
    return b"attempt" + _IDS.pack(number, person_id)
