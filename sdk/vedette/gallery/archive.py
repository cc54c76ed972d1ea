"""A gallery as one encrypted file to keep or to carry to another device, and back.

The archive is a header, which is authenticated, and a zip (people as JSON, embeddings as .npy, kept pictures as they
are) sealed with AES-256-GCM under a key made from a passphrase by scrypt (RFC 7914). It is read and written whole, in
memory, so it has to fit there; 2 GB at most.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vedette.errors import GalleryError, GalleryKeyError
from vedette.gallery.rows import Rows
from vedette.gallery.rules import check_samples
from vedette.gallery.seal import KeyOrNone, cipher
from vedette.gallery.store import Store
from vedette.gallery.values import EmbeddingModel, Floats, Sample, check_name

__all__ = ["Imported", "export_archive", "import_archive"]

MIN_PASSPHRASE = 12
"""Least length of a passphrase, characters."""

_MAGIC = b"VDGARC01"
_HEADER = struct.Struct("<8sIII16s12s")  # magic, scrypt's n, r, p, salt, nonce
_SCRYPT = (2**16, 8, 2)  # 64 MB and a quarter of a second on a desktop, some seconds on a small board
_MOST_BYTES = 2**31 - 1
_MOST_MEMORY = 2**28


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: people made, templates added, and the names that were left out because they were erased."""

    people: int
    templates: int
    left_out: tuple[str, ...]


def export_archive(gallery: Path, archive: Path, *, key: KeyOrNone, passphrase: str) -> int:
    """Write everybody in the file `gallery` into a new `archive`, readable by its owner alone; return how many people.

    Raises:
        GalleryKeyError: the key is wrong, or the passphrase too short.
        GalleryError: the gallery cannot be read, or the archive exists or cannot be written.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise GalleryKeyError(f"the passphrase is too short: give at least {MIN_PASSPHRASE} characters")
    with Store(_existing(gallery)) as store, store.reading():
        rows = Rows(store.db, key, f"the gallery {gallery}")
        rows.unlock()
        people, plain = _pack(rows)
    salt, nonce = os.urandom(16), os.urandom(12)
    header = _HEADER.pack(_MAGIC, *_SCRYPT, salt, nonce)
    _write_new(archive, header + cipher(_secret(passphrase, salt, _SCRYPT)).encrypt(nonce, plain, header))
    return people


def import_archive(
    gallery: Path,
    archive: Path,
    *,
    key: KeyOrNone,
    model: EmbeddingModel,
    passphrase: str,
    bring_back_erased: bool = False,
) -> Imported:
    """Merge an `archive` into the file `gallery`, made if it is not there: all of it, or nothing.

    A person who is there already (by id, which export keeps) gets the templates that are missing. Who was erased here
    is left out unless `bring_back_erased`. The threshold is to be calibrated again afterwards.

    Raises:
        GalleryKeyError: the key or the passphrase is wrong, or the archive damaged.
        GalleryError: it is of another model, or a name in it stands for somebody else here.
    """
    told, embeddings, pictures = _unpack(_read(archive, passphrase))
    if (told["model_sha256"], told["size"]) != (model.sha256, model.size):
        raise GalleryError(
            f"{archive} is of model {told['model_sha256'][:12]}, this gallery of {model.sha256[:12]}: their embeddings "
            "cannot be compared. Import it into a gallery of its own with its model, then call reenrol()."
        )
    with Store(gallery) as store, store.writing():
        rows = Rows(store.db, key, f"the gallery {gallery}")
        rows.begin(model)
        rows.unlock()
        if rows.model() != (model.sha256, model.size):
            raise GalleryError(f"the gallery {gallery} is of another model; import into a new one")
        return _merge(rows, told["people"], embeddings, pictures, bring_back_erased)


def _pack(rows: Rows) -> tuple[int, bytes]:
    sha256, size = rows.model()
    people, embeddings, file = [], [], io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for person_id, name in rows.names().items():
            templates = []
            for template_id, sample, time_ns, _ in rows.samples(person_id):
                templates.append([template_id, sample.quality, time_ns, sample.source])
                embeddings.append(sample.embedding)
                if sample.picture is not None:
                    archive.writestr(f"pictures/{template_id}", sample.picture)
            people.append({"id": person_id, "name": name, "templates": templates})
        told = {"format": 1, "model_sha256": sha256, "size": size, "people": people}
        archive.writestr("gallery.json", json.dumps(told))
        matrix = io.BytesIO()
        np.save(matrix, np.array(embeddings, np.float32).reshape(-1, size))
        archive.writestr("embeddings.npy", matrix.getvalue())
    if file.tell() > _MOST_BYTES:
        raise GalleryError("the gallery with its kept pictures is over 2 GB, too large for one archive")
    return len(people), file.getvalue()


def _unpack(plain: bytes) -> tuple[dict[str, Any], Floats, zipfile.ZipFile]:
    archive = zipfile.ZipFile(io.BytesIO(plain))
    told = json.loads(archive.read("gallery.json"))
    if told["format"] != 1:
        raise GalleryError(
            f"the archive is of format {told['format']}, this Vedette knows 1: upgrade Vedette"
        )
    matrix = np.load(io.BytesIO(archive.read("embeddings.npy")), allow_pickle=False)
    return told, matrix, archive


def _merge(
    rows: Rows, people: list[Any], embeddings: Floats, pictures: zipfile.ZipFile, bring_back: bool
) -> Imported:
    here, there, gone = rows.names(), set(rows.template_ids().tolist()), rows.erased()
    _refuse_other_namesakes(rows, people)
    kept, first, made, added, left_out = set(pictures.namelist()), 0, 0, 0, []
    for person in people:
        own, first = embeddings[first : first + len(person["templates"])], first + len(person["templates"])
        if person["id"] in gone and not bring_back:
            left_out.append(person["name"])
            continue
        if person["id"] not in here:
            rows.add_person(person["id"], check_name(person["name"]))
            made += 1
        for (template_id, quality, time_ns, source), embedding in zip(person["templates"], own, strict=True):
            if template_id in there:
                continue
            picture = f"pictures/{template_id}"
            sample = Sample(embedding, quality, source, pictures.read(picture) if picture in kept else None)
            (checked,) = check_samples([sample], embeddings.shape[1])
            rows.add_template(template_id, person["id"], checked, time_ns=time_ns)
            added += 1
    rows.changed()
    return Imported(made, added, tuple(left_out))


def _refuse_other_namesakes(rows: Rows, people: list[Any]) -> None:
    clashes = [p["name"] for p in people if rows.find(p["name"]) not in (None, p["id"])]
    if clashes:
        raise GalleryError(
            f"{len(clashes)} names in the archive are taken here by somebody enrolled separately: "
            f"{', '.join(sorted(clashes)[:5])}. Nothing was imported; erase one of the two, or use a new gallery."
        )


def _read(path: Path, passphrase: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GalleryError(f"cannot read the archive {path}: {error.strerror or error}") from error
    header = data[: _HEADER.size]
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        raise GalleryError(f"{path} is not an archive of a gallery, or its beginning is damaged")
    _, n, r, p, salt, nonce = _HEADER.unpack(header)
    secret = _secret(passphrase, salt, (n, r, p))
    from cryptography.exceptions import InvalidTag

    try:
        return cipher(secret).decrypt(nonce, data[_HEADER.size :], header)
    except InvalidTag as error:
        raise GalleryKeyError(f"wrong passphrase for {path}, or the archive is damaged") from error


def _secret(passphrase: str, salt: bytes, parameters: tuple[int, int, int]) -> bytes:
    n, r, p = parameters
    cipher(bytes(32))  # a missing package is told before the long wait
    try:
        if not (2**14 <= n <= 2**20 and 1 <= r <= 16 and 1 <= p <= 16):
            raise ValueError("parameters out of range")
        return hashlib.scrypt(passphrase.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MOST_MEMORY, dklen=32)
    except ValueError as error:
        raise GalleryError(f"the archive's header is damaged: {error}") from error


def _write_new(path: Path, data: bytes) -> None:
    """Write a file, never instead of another; a broken write is taken back."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise GalleryError(f"{path} exists; name another file, or remove that one") from error
    except OSError as error:
        raise GalleryError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise GalleryError(f"cannot write {path}: {error.strerror or error}") from error


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise GalleryError(f"there is no gallery at {path}")
    return path
