"""Settings of a live run: frozen values, from a TOML file or from the command line.

::

    source = "picamera2://0"
    stages = ["faces?min_score=0.6"]
    sinks = ["results.jsonl", "web://127.0.0.1:8080"]
    seconds = 3600            # optional: stop after so long
    frames = 1000             # optional: stop after so many results
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from vedette.errors import SettingsError, unknown_name

__all__ = ["LiveSettings", "StageSettings", "load_settings", "parse_stage"]


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """What `vedette live` runs: a source URI, stages in order, sink URIs, and when to stop (never when None)."""

    source: str
    stages: tuple[str, ...] = ("faces",)
    sinks: tuple[str, ...] = ()
    frames: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("frames", "seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise SettingsError(
                    f"{name} is {value}; give a number above 0, or leave it out to run for ever."
                )


@dataclass(frozen=True, slots=True)
class StageSettings:
    """A stage as asked for: its name, the model (its default when None), and what to set on it."""

    name: str
    model: str | None = None
    min_score: float | None = None
    threads: int | None = None


def parse_stage(text: str) -> StageSettings:
    """Return the settings in ``name[=model][?min_score=0..1&threads=n]``.

    Raises:
        SettingsError: an option is unknown or out of range.
    """
    head, _, query = text.partition("?")
    name, _, model = head.partition("=")
    options = dict(parse_qsl(query, keep_blank_values=True))
    for key in options:
        if key not in ("min_score", "threads"):
            raise unknown_name(f"option of stage {name}", key, ("min_score", "threads"))
    threads = _number(options.get("threads"), "threads", 1, 64)
    if threads is not None and threads % 1:
        raise SettingsError(f"threads is {threads}, a whole number is needed.")
    return StageSettings(
        name,
        model or None,
        _number(options.get("min_score"), "min_score", 0.0, 1.0),
        None if threads is None else int(threads),
    )


def _number(text: str | None, name: str, low: float, high: float) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise SettingsError(f"{name} is '{text}', a number from {low} to {high} is needed.") from error
    if not low <= value <= high:
        raise SettingsError(f"{name} is {value}, allowed is {low} to {high}.")
    return value


def load_settings(path: Path) -> LiveSettings:
    """Return the settings in the TOML file at `path`.

    Raises:
        SettingsError: the file is missing or not TOML, a key is unknown, a value has the wrong type.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from error
    known = [f.name for f in fields(LiveSettings)]
    for key, value in raw.items():
        if key not in known:
            raise unknown_name(f"setting in {path}", key, known)
        _check_type(path, key, value)
    if "source" not in raw:
        raise SettingsError(f'{path} names no source; add for example: source = "0"')
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
    return LiveSettings(**given)


_TYPES: dict[str, tuple[str, Any]] = {
    "source": ("a string", lambda v: isinstance(v, str)),
    "stages": ("a list of strings", lambda v: isinstance(v, list) and all(isinstance(x, str) for x in v)),
    "sinks": ("a list of strings", lambda v: isinstance(v, list) and all(isinstance(x, str) for x in v)),
    "frames": ("a whole number", lambda v: isinstance(v, int) and not isinstance(v, bool)),
    "seconds": ("a number", lambda v: isinstance(v, int | float) and not isinstance(v, bool)),
}


def _check_type(path: Path, key: str, value: object) -> None:
    wanted, fits = _TYPES[key]
    if not fits(value):
        raise SettingsError(f"{path}: {key} is {value!r}, {wanted} is needed.")
