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
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

from vedette.errors import SettingsError, unknown_name

__all__ = [
    "EnhanceSettings",
    "LiveSettings",
    "PrivacySettings",
    "RecognizeSettings",
    "StageSettings",
    "Tiling",
    "TrackSettings",
    "load_settings",
    "parse_stage",
    "parse_tiling",
    "read_toml",
]

MOST_S = 1e9  # seconds: 31 years; as nanoseconds they fit any clock


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
            if value is not None and not 0 < value <= MOST_S:
                raise SettingsError(
                    f"{name} is {value}; give a number above 0 and up to {MOST_S:g}, or leave it out to run for ever."
                )


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """How things are followed over time; everything in seconds, so that it means the same at any frame rate.

    Attributes:
        max_age_s: a track that nothing was seen of for longer than this is over.
        confirm_s: a thing gets its number once it has been seen for so long.
        smooth_s: half-life of a track's score: how slowly it follows what the detector says; 0 is at once.
        start_score: 0..1, from which a detection may begin a track; weaker ones only carry one on that has a number.
            When None, the threshold of the detector.
        weak: 0..1; with `start_score` None, the detector is asked for what scores down to this part of its threshold.
    """

    max_age_s: float = 1.5
    confirm_s: float = 0.2
    smooth_s: float = 0.3
    start_score: float | None = None
    weak: float = 0.8


@dataclass(frozen=True, slots=True)
class RecognizeSettings:
    """How often tracked faces are compared with the gallery.

    Attributes:
        seek_s: seconds between two looks at a track that is not decided on yet.
        again_s: seconds between two looks at one that is.
        max_faces: compared in one frame, at most; the others wait for the next.
        min_margin: by how much the best person must be ahead of the next, a cosine.
        key: the file of the gallery's key; see `vedette.galleries.gallery_place` for where it is when None.
        challenge: how many turns of the head somebody named is asked for, 0 for none.
        challenge_s: seconds that there are for all of them.
    """

    seek_s: float = 0.1
    again_s: float = 1.0
    max_faces: int = 2
    min_margin: float = 0.0
    key: str | None = None
    challenge: int = 0
    challenge_s: float = 10.0


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """Which faces are blurred before any sink gets the picture.

    Attributes:
        blur: "unknown", all but those that are recognised, or "all".
        grow: by how much a box is enlarged on each side, in parts of its longer side.
        hold_s: where a face was that is not found any more stays blurred for so long.
    """

    blur: Literal["unknown", "all"] = "all"
    grow: float = 0.25
    hold_s: float = 1.5


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a picture is cut into tiles: columns, rows, and how far neighbours overlap in parts of a tile."""

    columns: int
    rows: int
    overlap: float = 0.2


MAX_TILES = 64


def parse_tiling(text: str, overlap: float | None = None) -> Tiling:
    """Return the tiling in ``COLUMNSxROWS``, such as ``2x2``, with `overlap` 0..0.8.

    Raises:
        SettingsError: it is not of that form, or asks for no tiles or too many.
    """
    columns, _, rows = text.partition("x")
    if not (columns.isdecimal() and rows.isdecimal() and 1 <= int(columns) * int(rows) <= MAX_TILES):
        raise SettingsError(f"tiles is '{text}'; give columns x rows such as 2x2, up to {MAX_TILES} tiles.")
    if overlap is None:
        return Tiling(int(columns), int(rows))
    if not 0 <= overlap <= 0.8:
        raise SettingsError(f"overlap is {overlap}, allowed is 0 to 0.8 of a tile.")
    return Tiling(int(columns), int(rows), overlap)


@dataclass(frozen=True, slots=True)
class EnhanceSettings:
    """How pictures are enhanced live.

    Attributes:
        budget_ms: milliseconds a frame that the stage may take; as long as it takes when None.
        auto: models are switched on and off by the luminance and noise of the scene.
    """

    budget_ms: float | None = None
    auto: bool = False


@dataclass(frozen=True, slots=True)
class StageSettings:
    """A stage as asked for: its name, the file it reads, and what to set on it.

    Attributes:
        name: of the stage.
        model: the model's name or file, the zones' or the gallery's file; the stage's default when None.
        min_score: 0..1, the model's own threshold when None.
        threads: of the interpreter; the free cores when None.
        every: of so many frames the detector looks at one.
        tiles: the detector looks at tiles of the picture too, for small things.
        track: of the stage `track`.
        recognize: of the stage `recognize`.
        privacy: of the stage `privacy`.
        enhance: of the stage `enhance`.
    """

    name: str
    model: str | None = None
    min_score: float | None = None
    threads: int | None = None
    every: int | None = None
    tiles: Tiling | None = None
    track: TrackSettings = TrackSettings()
    recognize: RecognizeSettings = RecognizeSettings()
    privacy: PrivacySettings = PrivacySettings()
    enhance: EnhanceSettings = EnhanceSettings()


_DETECT_OPTIONS = {"min_score": (0.0, 1.0), "threads": (1, 64), "every": (1, 1000), "overlap": (0.0, 0.8)}
_OPTIONS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "track": {
        "max_age_s": (0.01, 3600.0),
        "confirm_s": (0.0, 60.0),
        "smooth_s": (0.0, 60.0),
        "start_score": (0.0, 1.0),
        "weak": (0.0, 1.0),
    },
    "zones": {},
    "recognize": {
        "seek_s": (0.0, 60.0),
        "again_s": (0.0, 3600.0),
        "max_faces": (1, 64),
        "min_margin": (0.0, 2.0),
        "challenge": (0, 6),
        "challenge_s": (1.0, 300.0),
    },
    "privacy": {"grow": (0.0, 2.0), "hold_s": (0.0, 60.0)},
    "enhance": {"budget_ms": (0.1, 60_000.0), "auto": (0, 1), "threads": (1, 64)},
}
_WORDS: Mapping[str, Mapping[str, tuple[str, ...] | None]] = {
    "recognize": {"key": None},
    "privacy": {"blur": ("unknown", "all")},
}
"""Options that are words: those allowed, or any where None."""

_GROUPS: Mapping[str, type] = {
    "track": TrackSettings,
    "recognize": RecognizeSettings,
    "privacy": PrivacySettings,
}
"""Stages whose options make a value of their own."""

_WHOLE = frozenset({"auto", "threads", "every", "max_faces", "challenge"})


def parse_stage(text: str) -> StageSettings:
    """Return the settings in ``name[=file][?option=value&option=value]``; docs/cli.md lists the options.

    Raises:
        SettingsError: an option is unknown or out of range.
    """
    head, _, query = text.partition("?")
    name, _, model = head.partition("=")
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    detects = name not in _OPTIONS
    tiles = pairs.pop("tiles", None) if detects else None
    given = {**_words(name, pairs), **_numbers(name, pairs)}
    if name in _GROUPS:
        return StageSettings(name, model or None, **{name: _GROUPS[name](**given)})
    if name == "enhance":
        threads = given.pop("threads", None)
        made = EnhanceSettings(given.get("budget_ms"), bool(given.get("auto", False)))
        return StageSettings(name, model or None, threads=threads, enhance=made)
    overlap = given.pop("overlap", None)
    if overlap is not None and tiles is None:
        raise SettingsError("overlap is of tiles; give tiles too, such as tiles=2x2.")
    if tiles is not None:
        given["tiles"] = parse_tiling(tiles, overlap)
    return StageSettings(name, model or None, **given)


def _words(stage: str, pairs: dict[str, str]) -> dict[str, Any]:
    """Take the options that are words out of `pairs`, and return them."""
    given: dict[str, Any] = {}
    for key, allowed in _WORDS.get(stage, {}).items():
        if key not in pairs:
            continue
        given[key] = pairs.pop(key)
        if allowed is not None and given[key] not in allowed:
            raise unknown_name(f"{key} of stage {stage}", given[key], allowed)
    return given


def _numbers(stage: str, pairs: Mapping[str, str]) -> dict[str, Any]:
    """Return the options that are numbers, checked."""
    known = _OPTIONS.get(stage, _DETECT_OPTIONS)
    given: dict[str, Any] = {}
    for key, value in pairs.items():
        if key not in known:
            names = [*known, *_WORDS.get(stage, {}), *(["tiles"] if known is _DETECT_OPTIONS else [])]
            raise unknown_name(f"option of stage {stage}", key, names)
        number = _number(value, key, *known[key])
        given[key] = _whole(number, key) if key in _WHOLE else number
    return given


def _whole(value: float, name: str) -> int:
    if value % 1:
        raise SettingsError(f"{name} is {value}, a whole number is needed.")
    return int(value)


def _number(text: str, name: str, low: float, high: float) -> float:
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
    raw = read_toml(path, "settings")
    known = [f.name for f in fields(LiveSettings)]
    for key, value in raw.items():
        if key not in known:
            raise unknown_name(f"setting in {path}", key, known)
        _check_type(path, key, value)
    if "source" not in raw:
        raise SettingsError(f'{path} names no source; add for example: source = "0"')
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
    return LiveSettings(**given)


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Return what the TOML file at `path` holds; `what` it is, for who reads the error.

    Raises:
        SettingsError: it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the {what} {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from error


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
