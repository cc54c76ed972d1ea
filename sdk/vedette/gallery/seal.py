"""Keys, and what is written with them: AES-256-GCM (NIST SP 800-38D), each value bound to its place in the gallery.

Two keys are derived from the given one and the gallery's own id (HKDF-SHA256, RFC 5869): one seals values, one makes
the tags that names are looked up by. A nonce is 12 random bytes, good for 2**32 values under one key.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from vedette.errors import GalleryError, GalleryKeyError, MissingDependencyError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = [
    "UNENCRYPTED",
    "Key",
    "KeyOrNone",
    "Sealer",
    "cipher",
    "create_key_file",
    "make_sealer",
    "parse_key",
    "read_credential",
    "read_key_file",
]

KEY_BYTES = 32
NONCE_BYTES = 12
CREDENTIAL = "vedette-gallery-key"
"""Name of the systemd credential that holds the key."""


@dataclass(frozen=True, slots=True)
class Key:
    """The 32 secret bytes of a gallery; never shown by `repr`."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise GalleryKeyError(f"a gallery's key is {KEY_BYTES} bytes, not {len(self.secret)}")


class _Unencrypted(Enum):
    UNENCRYPTED = "unencrypted"


UNENCRYPTED: Literal[_Unencrypted.UNENCRYPTED] = _Unencrypted.UNENCRYPTED
"""Given instead of a key: keep embeddings, names and pictures readable for whoever holds the file."""

KeyOrNone: TypeAlias = Key | Literal[_Unencrypted.UNENCRYPTED]


def parse_key(text: str, *, origin: str = "the key") -> Key:
    """Return the key written as 64 hexadecimal digits, such as a credential handed over by a service manager.

    Raises:
        GalleryKeyError: it is not that; the text itself is never repeated.
    """
    try:
        secret = bytes.fromhex(text.strip())
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise GalleryKeyError(
            f"{origin} is not {2 * KEY_BYTES} hexadecimal digits; make one with create_key_file()"
        )
    return Key(secret)


def create_key_file(path: Path) -> Key:
    """Write a new random key to `path`, readable by its owner alone, and return it.

    Raises:
        GalleryKeyError: the file exists (a key is never overwritten) or cannot be written.
    """
    key = Key(secrets.token_bytes(KEY_BYTES))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(key.secret.hex() + "\n")
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)  # half a key would be in the way of the next one
            raise
    except FileExistsError as error:
        raise GalleryKeyError(
            f"{path} exists; a key is never overwritten, for what it sealed would be lost. Name another file."
        ) from error
    except OSError as error:
        raise GalleryKeyError(f"cannot write the key {path}: {error.strerror or error}") from error
    return key


def read_key_file(path: Path) -> Key:
    """Return the key in `path`, a regular file of this user (or root) that nobody else may read or write.

    Raises:
        GalleryKeyError: it is missing, open to others, somebody else's, a link, or not a key.
    """
    return _read(path, forbidden=0o077)


def read_credential(folder: Path, name: str = CREDENTIAL) -> Key:
    """Return the key that systemd put into a service's credentials folder (``LoadCredential=``).

    systemd may give access by an ACL, which shows as permissions of the group: those are allowed here.

    Raises:
        GalleryKeyError: as for `read_key_file`.
    """
    return _read(folder / name, forbidden=0o007)


def _read(path: Path, *, forbidden: int) -> Key:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            _check_safe(path, os.fstat(descriptor), forbidden)
            text = os.read(descriptor, 1024)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise GalleryKeyError(
            f"there is no key at {path}. Without its key a gallery cannot be read by anybody: bring the file back from "
            "your backup, or import an archive into a new gallery, or enrol again."
        ) from error
    except OSError as error:
        raise GalleryKeyError(f"cannot read the key {path}: {error.strerror or error}") from error
    if not text.strip():
        raise GalleryKeyError(
            f"the key {path} is empty, as after a power cut while it was made: bring the file back from your backup; "
            "where nothing was sealed with it yet, remove it, and the next enrolment makes another"
        )
    return parse_key(text.decode("ascii", errors="replace"), origin=f"the key in {path}")


def _check_safe(path: Path, status: os.stat_result, forbidden: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise GalleryKeyError(f"the key {path} is not a regular file")
    if status.st_uid not in (0, os.geteuid()):
        raise GalleryKeyError(f"the key {path} belongs to user {status.st_uid}; chown it to this user")
    if status.st_mode & forbidden:
        raise GalleryKeyError(
            f"the key {path} is open to others (mode {stat.S_IMODE(status.st_mode):04o}): chmod 600 {path}. "
            "If others could have read it, rotate the key."
        )


class Sealer(Protocol):
    """What seals and opens the values of one gallery."""

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Return `plain` sealed; it opens only with the same `place`."""
        ...

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Return what was sealed. Raises GalleryError: changed, moved, or sealed with another key."""
        ...

    def tag(self, text: str) -> bytes:
        """Return 32 bytes by which equal texts are found, and which tell nothing without the key."""
        ...


def cipher(secret: bytes) -> AESGCM:
    """Return AES-GCM with a key of 32 bytes.

    Raises:
        MissingDependencyError: the `faces` extra is not installed.
    """
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise MissingDependencyError(
            "an encrypted gallery needs the package 'cryptography': pip install 'vedette[faces]'"
        ) from error
    return AESGCM(secret)


def make_sealer(key: KeyOrNone, uid: bytes) -> Sealer:
    """Return the sealer of the gallery `uid` (16 bytes).

    Raises:
        MissingDependencyError: there is a key and the `faces` extra is not installed.
    """
    return _Aes(key, uid) if isinstance(key, Key) else _Open(uid)


def _derive(secret: bytes, uid: bytes, purpose: bytes) -> bytes:
    """Return 32 bytes by HKDF-SHA256 (RFC 5869); one block of output needs one round of its expand step."""
    extracted = hmac.digest(uid, secret, hashlib.sha256)
    return hmac.digest(extracted, b"vedette gallery " + purpose + b"\x01", hashlib.sha256)


class _Aes:
    def __init__(self, key: Key, uid: bytes) -> None:
        self._aes = cipher(_derive(key.secret, uid, b"seal"))
        from cryptography.exceptions import InvalidTag

        self._invalid = InvalidTag
        self._uid, self._tag_key = uid, _derive(key.secret, uid, b"name")

    def seal(self, plain: bytes, place: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aes.encrypt(nonce, plain, self._uid + place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        try:
            return self._aes.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._uid + place)
        except (self._invalid, ValueError) as error:
            raise GalleryError(
                "a row of the gallery was changed, moved or damaged; remove the gallery and import an archive of it"
            ) from error

    def tag(self, text: str) -> bytes:
        return hmac.digest(self._tag_key, text.encode(), hashlib.sha256)


class _Open:
    """No seal at all."""

    def __init__(self, uid: bytes) -> None:
        self._uid = uid

    def seal(self, plain: bytes, place: bytes) -> bytes:
        return plain

    def open(self, sealed: bytes, place: bytes) -> bytes:
        return sealed

    def tag(self, text: str) -> bytes:
        return hmac.digest(self._uid, text.encode(), hashlib.sha256)
