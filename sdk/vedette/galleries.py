"""Where the gallery of this user or device is, and what opens it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vedette.errors import GalleryError, GalleryKeyError
from vedette.gallery.gallery import Gallery
from vedette.gallery.rows import Rows
from vedette.gallery.seal import CREDENTIAL, Key, create_key_file, read_credential, read_key_file
from vedette.gallery.store import Store, is_gallery
from vedette.gallery.values import EmbeddingModel

__all__ = ["GalleryPlace", "gallery_place", "model_of", "open_gallery", "read_key", "rekey"]


@dataclass(frozen=True, slots=True)
class GalleryPlace:
    """A gallery's file, and where its key is.

    Attributes:
        path: of the gallery.
        key: the key's file.
        credentials: systemd's folder of credentials, where it holds the key and no file was named.
    """

    path: Path
    key: Path
    credentials: Path | None = None


def gallery_place(
    gallery: Path | None = None, key: Path | None = None, environ: Mapping[str, str] | None = None
) -> GalleryPlace:
    """Return the place of the gallery: `gallery`, or ``vedette/faces/people.db`` in the user's data folder.

    That is ``$XDG_DATA_HOME``, or ``~/.local/share`` where it is not set or not absolute (XDG Base Directory
    Specification). The key is `key`; else the credential ``vedette-gallery-key`` of the systemd service that this is;
    else ``gallery.key`` beside the gallery.
    """
    environ = os.environ if environ is None else environ
    if gallery is None:
        base = Path(environ.get("XDG_DATA_HOME", ""))
        gallery = (
            base if base.is_absolute() else Path("~/.local/share").expanduser()
        ) / "vedette/faces/people.db"
    gallery = gallery.expanduser()
    folder = Path(environ["CREDENTIALS_DIRECTORY"]) if environ.get("CREDENTIALS_DIRECTORY") else None
    handed = key is None and folder is not None and (folder / CREDENTIAL).exists()
    return GalleryPlace(
        gallery,
        gallery.with_name("gallery.key") if key is None else key.expanduser(),
        folder if handed else None,
    )


def read_key(place: GalleryPlace) -> Key:
    """Return the key of the gallery at `place`; a `rekey` that was cut off is finished first.

    Raises:
        GalleryKeyError: it is missing, not kept safe, or not a key.
    """
    if place.credentials is not None:
        return read_credential(place.credentials)
    _settle(place)
    return read_key_file(place.key)


def rekey(place: GalleryPlace, new: Path | None = None) -> Path:
    """Seal the gallery at `place` with another key; return the key's file.

    The new key is on the disk before anything is sealed with it, and takes the old one's place only when everything
    is. So whenever this is cut off, one of the two files opens the gallery; `read_key` finds out which.

    Args:
        place: see `gallery_place`.
        new: the new key, made if it is not there; the old file keeps its place. None: in place of the old one.

    Raises:
        GalleryKeyError: the old key is wrong, or is a credential, which only its owner can replace, and no `new` is
            named; or `new` cannot be written or is not a key.
        GalleryError: the gallery cannot be written, and the old key stays; or traces of the old one remain.
    """
    if new is None and place.credentials is not None:
        raise GalleryKeyError(
            f"the key is a credential of systemd, {place.credentials / CREDENTIAL}, which only its owner can replace: "
            "give --new-key FILE, then make FILE the credential"
        )
    with _alone(place.key):
        old = read_key(place)
        model = model_of(place, old)
        target = _beside(place.key) if new is None else new
        if new is None:
            _refuse_shared(place, old)
            target.unlink(missing_ok=True)  # of a rotation that was cut off: the old one opens the gallery
        made = not target.exists()
        fresh = create_key_file(target) if made else read_key_file(target)
        _sync_folder(target)
        if fresh == old:
            raise GalleryKeyError(
                f"{target} is the key that the gallery has; name a file that is not there yet"
            )
        try:
            _seal_anew(place, model, old, fresh)
        except BaseException:
            if made and not _opens(place, fresh):
                target.unlink(missing_ok=True)
            raise
        finally:
            _settle(place)
    return place.key if new is None else new


def _seal_anew(place: GalleryPlace, model: EmbeddingModel, old: Key, fresh: Key) -> None:
    try:
        with Gallery(place.path, key=old, model=model) as gallery:
            gallery.rekey(fresh)
    except GalleryError as error:
        if _opens(place, fresh):
            raise GalleryError(f"the gallery is sealed with the new key, but {error}") from error
        raise


def _refuse_shared(place: GalleryPlace, key: Key) -> None:
    """Refuse to replace a key that opens other galleries in its folder or the gallery's: they would be lost."""
    for path in {*place.key.parent.iterdir(), *place.path.parent.iterdir()}:
        other = path.is_file() and is_gallery(path) and not path.samefile(place.path)
        if other and _opens(GalleryPlace(path, place.key), key):
            raise GalleryKeyError(
                f"{place.key} is the key of {path} too, which would be lost without it: give --new-key FILE"
            )


@contextmanager
def _alone(key: Path) -> Iterator[None]:
    """Keep others from changing the key in the same folder meanwhile; ends with the process, too.

    Raises:
        GalleryKeyError: somebody does so now, or the folder cannot be opened.
    """
    try:
        descriptor = os.open(key.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise GalleryKeyError(
            f"cannot open the folder of the key {key}: {error.strerror or error}"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise GalleryKeyError(f"another process changes the key {key} just now; wait for it") from error
    finally:
        os.close(descriptor)


def _beside(key: Path) -> Path:
    """Return where the next key waits for its turn."""
    return key.with_name(key.name + ".new")


def _settle(place: GalleryPlace) -> None:
    """Let the key that waits beside take the old one's place, if it is the one that opens the gallery.

    Raises:
        GalleryKeyError: it cannot be read, or cannot take that place.
    """
    waiting = _beside(place.key)
    if place.credentials is not None or not (waiting.exists() and place.path.exists()):
        return
    if _opens_with(place, place.key) or not _opens_with(place, waiting):
        return
    try:
        if place.key.exists() and os.geteuid() == 0:
            owner = place.key.stat()
            os.chown(waiting, owner.st_uid, owner.st_gid)
        waiting.replace(place.key)
    except FileNotFoundError:
        return  # another process has just done it
    except OSError as error:
        raise GalleryKeyError(
            f"the gallery is sealed with the key {waiting}, which cannot take the place of {place.key}: "
            f"{error.strerror or error}. Move it there."
        ) from error
    _sync_folder(place.key)


def _opens_with(place: GalleryPlace, key: Path) -> bool:
    try:
        return _opens(place, read_key_file(key))
    except GalleryKeyError:
        return False


def _opens(place: GalleryPlace, key: Key) -> bool:
    try:
        model_of(place, key)
    except GalleryKeyError:
        return False
    return True


def _sync_folder(path: Path) -> None:
    """Have the name of a file in its folder survive a power cut."""
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise GalleryKeyError(f"cannot write the key {path}: {error.strerror or error}") from error


def open_gallery(
    place: GalleryPlace, model: EmbeddingModel | None = None, *, create: bool = False
) -> Gallery:
    """Open the gallery at `place`; with `create`, make what is not there: its folder, its key, itself.

    Args:
        place: see `gallery_place`.
        model: whose embeddings are to be compared; the one that it was made with when None, which is enough to list and
            to erase.
        create: a new key is made only where there is no gallery yet: another key would not open it.

    Raises:
        GalleryKeyError: the key is missing, wrong, or not kept safe.
        GalleryError: there is no gallery, or it cannot be opened, or is of another model.
    """
    if not place.path.exists():
        if not create or model is None:
            raise GalleryError(
                f"there is no gallery at {place.path}. `vedette faces enroll NAME PICTURE` makes one; --gallery "
                "FILE names another."
            )
        _make_room(place)
    key = read_key(place)
    if model is None or not create:
        made_with = model_of(place, key)  # refuses an emptied file, which `Gallery` would begin anew
        model = made_with if model is None else model
    return Gallery(place.path, key=key, model=model)


def model_of(place: GalleryPlace, key: Key) -> EmbeddingModel:
    """Return the model that the gallery at `place` was made with; its own threshold, which is not kept there, as 1.

    Raises:
        GalleryKeyError: the key is wrong.
        GalleryError: the file is damaged or cannot be read.
    """
    with Store(place.path) as store, store.reading():
        rows = Rows(store.db, key, f"the gallery {place.path}")
        rows.unlock()
        sha256, size = rows.model()
    return EmbeddingModel(sha256, size, 1.0)


def _make_room(place: GalleryPlace) -> None:
    try:
        place.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise GalleryError(
            f"cannot make the folder {place.path.parent}: {error.strerror}; name another by --gallery"
        ) from error
    if place.credentials is None and not place.key.exists():
        create_key_file(place.key)
