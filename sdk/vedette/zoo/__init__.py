"""The bundled models, and those that were put into a folder of one's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

from vedette.errors import ModelError, SettingsError, unknown_name
from vedette.zoo.known import Known, load_known

__all__ = ["bundled", "cached", "find", "sha256_of"]


def bundled() -> dict[str, Path]:
    """Return the bundled model files by name."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.tflite"))}


def cached(folder: Path | None) -> dict[str, Path]:
    """Return the model files in `folder` by name; none where there is no such folder."""
    return {} if folder is None else {path.stem: path for path in sorted(folder.glob("*.tflite"))}


def find(model: str | Path, *, folder: Path | None = None) -> Path:
    """Return the file of a model's name, or `model` itself where it looks like a path. Downloads nothing.

    Args:
        model: the name of a bundled model or of one in `folder`, or a path.
        folder: where pulled models are.

    Raises:
        SettingsError: no model here has that name: the nearest is named, or how to get it.
        ModelError: the file in `folder` is not the model that is known by this name.
    """
    text = str(model)
    here = {**cached(folder), **bundled()}
    if text in here:
        known = load_known().get(text)
        if known is not None and here[text].parent == folder:
            _check(here[text], known)
        return here[text]
    if text.endswith(".tflite") or "/" in text or (text and Path(text).exists()):
        return Path(text)
    known = load_known().get(text)
    if known is not None:
        raise SettingsError(
            f"the model '{text}' is known, but not on this machine. `vedette models pull {text}` gets it "
            f"({known.bytes / 1e6:.1f} MB)."
        )
    raise unknown_name("model", text, {*here, *load_known()})


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of the file at `path`, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, known: Known) -> None:
    """Refuse a file that was cut short or is another one, as happens to what is copied by hand."""
    try:
        found = sha256_of(path)
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror}.") from error
    if found != known.sha256:
        raise ModelError(
            f"{path} is not the model known as {known.name}: its SHA-256 is {found}, not {known.sha256}. Delete it, "
            f"then `vedette models pull {known.name}`; or give a model of your own another name."
        )
