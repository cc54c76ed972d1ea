"""Open a sink by URI or short form: ``results.jsonl``, ``video:out.mp4?fps=15``, ``annotated/``, ``-``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

from vedette.errors import SettingsError, unknown_name
from vedette.types import Sink

__all__ = ["SHORT_FORMS", "open_sink", "split_uri"]

SHORT_FORMS: Mapping[str, str] = {
    ".avi": "video", ".jsonl": "jsonl", ".mkv": "video", ".mov": "video", ".mp4": "video", ".ndjson": "jsonl",
}  # fmt: skip
"""Ending of a path -> scheme of the sink that it means."""

_HINTS = {
    ".json": "JSON is written a line a frame: name it {stem}.jsonl",
    ".jpg": "one picture of many frames is a contact sheet: sheet:{text}; one a frame: images:FOLDER",
    ".png": "one picture of many frames is a contact sheet: sheet:{text}; one a frame: images:FOLDER",
}


def open_sink(text: str, *, others: Iterable[str] = ()) -> Sink:
    """Open the sink that `text` names (docs/results.md lists them).

    Args:
        text: a URI or a short form.
        others: schemes that the caller opens itself, named among the known ones in the error for an unknown one.

    Raises:
        SettingsError: unknown scheme, ending, option or value; the nearest known is named.
        SinkError: it cannot be written.
    """
    scheme, path, options = split_uri(text)
    if scheme not in _SCHEMES:
        known = [f"{name}:" for name in (*_SCHEMES, *others)]
        raise unknown_name("sink", f"{scheme}:" if scheme else text, [*known, *SHORT_FORMS, "FOLDER/", "-"])
    if not path:
        raise SettingsError(f"sink '{text}' names no path; write {scheme}:PATH")
    opener, kinds = _SCHEMES[scheme]
    return opener(path, {name: _value(text, name, options[name], kinds) for name in options})


def split_uri(text: str) -> tuple[str, str, dict[str, str]]:
    """Return scheme ('' where none can be told), path and options of `text`.

    Raises:
        SettingsError: an option is given twice or has no value; or the ending has a known better way.
    """
    place, _, query = text.partition("?")
    options = _options(text, query)
    match = re.match(r"([a-z][a-z0-9+.-]+):(?://)?(.*)", place, re.DOTALL)
    if match and not place.startswith((".", "/")):
        return match[1], match[2], options
    if place == "-":
        return "jsonl", place, options
    if place.endswith("/") or (place and Path(place).is_dir()):
        return "images", place, options
    path = Path(place)
    ending = path.suffix.lower()
    if ending in _HINTS:
        raise SettingsError(
            f"unknown sink '{text}': " + _HINTS[ending].format(stem=path.with_suffix(""), text=text)
        )
    return SHORT_FORMS.get(ending, ""), place, options


def _options(text: str, query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as error:
        raise SettingsError(f"sink '{text}': options are written ?name=value&name=value") from error
    options = dict(pairs)
    if len(options) != len(pairs):
        raise SettingsError(f"sink '{text}': an option is given twice")
    return options


def _value(text: str, name: str, value: str, kinds: Mapping[str, Callable[[str], Any]]) -> Any:
    if name not in kinds:
        raise unknown_name(f"option of sink '{text}'", name, kinds)
    try:
        return kinds[name](value)
    except (ValueError, KeyError) as error:
        what = _KIND_NAMES[kinds[name]]
        raise SettingsError(f"sink '{text}': {name}={value} is no {what}") from error


def _switch(value: str) -> bool:
    return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[value.lower()]


def _number(value: str) -> float:
    number = float(value)
    if not isfinite(number):
        raise ValueError(value)
    return number


def _seconds(value: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", value)
    if match is None:
        raise ValueError(value)
    return float(match[1]) * {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}[match[2]]


_KIND_NAMES: Mapping[Callable[[str], Any], str] = {
    _switch: "switch (1 or 0)", int: "whole number", _number: "number", _seconds: "duration (500ms, 2s, 1m)",
}  # fmt: skip


def _jsonl(path: str, options: dict[str, Any]) -> Sink:
    from vedette.sinks.jsonl import JsonlSink

    append, overwrite = options.get("append", False), options.get("overwrite", False)
    if append and overwrite:
        raise SettingsError(f"sink 'jsonl:{path}': append=1 and overwrite=1 exclude each other")
    existing: Literal["refuse", "append", "overwrite"] = (
        "append" if append else "overwrite" if overwrite else "refuse"
    )
    return JsonlSink(path, existing=existing)


def _video(path: str, options: dict[str, Any]) -> Sink:
    from vedette.sinks.video import VideoSink

    return VideoSink(path, fps=options.get("fps"))


def _images(path: str, options: dict[str, Any]) -> Sink:
    from vedette.sinks.images import ImagesSink

    return ImagesSink(path, every_s=options.get("every", 0.0), quality=options.get("quality", 90))


def _sheet(path: str, options: dict[str, Any]) -> Sink:
    from vedette.sinks.images import SheetSink

    return SheetSink(path, **options)


_SCHEMES: Mapping[str, tuple[Callable[[str, dict[str, Any]], Sink], Mapping[str, Callable[[str], Any]]]] = {
    "images": (_images, {"every": _seconds, "quality": int}),
    "jsonl": (_jsonl, {"append": _switch, "overwrite": _switch}),
    "sheet": (_sheet, {"columns": int, "count": int, "width": int}),
    "video": (_video, {"fps": _number}),
}
