"""The error tree. Every message says what is wrong, where, and what to do about it.

::

    VedetteError                 exit code 1
    ├── SettingsError            2   an option, name or value that is not known or not allowed
    ├── SourceError              3   a camera, stream or file that cannot be opened or read
    │   └── SourceLost           3   it worked, then stopped delivering
    ├── ModelError               4   a model file that is missing, damaged or breaks its contract
    ├── SinkError                5   an output that cannot be opened or written
    ├── EngineError              6   the interpreter failed while running a model
    ├── MissingDependencyError   7   an optional package or system library is not installed
    └── GalleryError             8   a gallery of faces that cannot be opened, read or written, or what was given to it
        ├── GalleryKeyError      8   the key is missing, wrong, or not kept safe
        └── FaceRefused          8   no face, several, or one that is not good enough to enrol
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "EngineError",
    "FaceRefused",
    "GalleryError",
    "GalleryKeyError",
    "MissingDependencyError",
    "ModelError",
    "SettingsError",
    "SinkError",
    "SourceError",
    "SourceLost",
    "VedetteError",
    "unknown_name",
]


class VedetteError(Exception):
    """Base of every error that Vedette raises on purpose."""

    exit_code = 1


class SettingsError(VedetteError):
    """An option, name or value is not known or not allowed."""

    exit_code = 2


class SourceError(VedetteError):
    """A source of pictures cannot be opened or read."""

    exit_code = 3


class SourceLost(SourceError):
    """A source that worked has stopped delivering."""


class ModelError(VedetteError):
    """A model file is missing, damaged, or does not keep its contract."""

    exit_code = 4


class SinkError(VedetteError):
    """An output cannot be opened or written."""

    exit_code = 5


class EngineError(VedetteError):
    """The interpreter failed while running a model."""

    exit_code = 6


class MissingDependencyError(VedetteError):
    """An optional package or a system library is not installed."""

    exit_code = 7


class GalleryError(VedetteError):
    """A gallery of faces cannot be opened, read or written, or refuses what it was given."""

    exit_code = 8


class GalleryKeyError(GalleryError):
    """The key of a gallery is missing, wrong, or not kept safe."""


class FaceRefused(GalleryError):
    """A picture has no face, several, or one that is not good enough to enrol.

    Attributes:
        reasons: each by the word of `vedette.gallery.quality.Refusal.reason`.
    """

    def __init__(self, message: str, reasons: tuple[str, ...]) -> None:
        super().__init__(message)
        self.reasons = reasons


def unknown_name(kind: str, name: str, known: Iterable[str]) -> SettingsError:
    """Return the error for an unknown `kind` called `name`, naming the nearest of the `known` ones."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    return SettingsError(f"unknown {kind} '{name}'{hint} Known: {', '.join(names) or 'none'}")
