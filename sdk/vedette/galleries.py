"""Where the gallery of this user or device is, and what opens it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vedette.errors import GalleryError
from vedette.gallery.gallery import Gallery
from vedette.gallery.rows import Rows
from vedette.gallery.seal import CREDENTIAL, Key, create_key_file, read_credential, read_key_file
from vedette.gallery.store import Store
from vedette.gallery.values import EmbeddingModel

__all__ = ["GalleryPlace", "gallery_place", "model_of", "open_gallery", "read_key"]


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
    """Return the key of the gallery at `place`.

    Raises:
        GalleryKeyError: it is missing, not kept safe, or not a key.
    """
    return read_key_file(place.key) if place.credentials is None else read_credential(place.credentials)


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
    return Gallery(place.path, key=key, model=model_of(place, key) if model is None else model)


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
