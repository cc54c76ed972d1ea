"""Models that are known by name, address and hash, and are downloaded only when asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from vedette.errors import SettingsError, unknown_name
from vedette.settings import read_toml

__all__ = ["Known", "load_known"]

MOST_BYTES = 1 << 30
"""Largest model that a list may name."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Known:
    """A model that can be downloaded.

    Attributes:
        name: by which it is pulled, and used afterwards; fit for a file's name.
        url: https, or http on this machine.
        sha256: of the file, 64 lower-case hexadecimal digits.
        bytes: size of the file.
        task: as in a contract.
        input: ``WIDTHxHEIGHT``.
        license: of the weights, an SPDX identifier.
        training_data: what is known of the data it was trained on, and their terms.
        metrics: figures by name that were measured on this file; may be left out.
    """

    name: str
    url: str
    sha256: str
    bytes: int
    task: str
    input: str
    license: str
    training_data: tuple[str, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)


def load_known(path: Path | None = None) -> dict[str, Known]:
    """Return the models of the list at `path`, by name; those that Vedette knows when None.

    Raises:
        SettingsError: the list is missing or not TOML, a key is missing or unknown, a value is not allowed.
    """
    path = Path(__file__).with_name("known.toml") if path is None else path
    raw = read_toml(path, "list of models")
    models = raw.get("model", {})
    if set(raw) - {"model"} or not isinstance(models, dict):
        raise SettingsError(f"{path} is no list of models: it holds tables [model.NAME] and nothing else.")
    return {name: _known(f"{path}: [model.{name}]", name, given) for name, given in models.items()}


def _known(where: str, name: str, given: object) -> Known:
    if not isinstance(given, Mapping) or not _NAME.fullmatch(name):
        raise SettingsError(
            f"{where} needs a name of letters, digits, dot, dash and underscore, and keys under it."
        )
    wanted = [f.name for f in fields(Known) if f.name != "name"]
    for key in given:
        if key not in wanted:
            raise unknown_name(f"key in {where}", key, wanted)
    for key in wanted:
        if (key not in given and key != "metrics") or not _fits(key, given.get(key, {})):
            raise SettingsError(f"{where} {key} is {given.get(key)!r}; {_WANTED.get(key, 'text')} is needed.")
    return Known(name, **{**given, "training_data": tuple(given["training_data"])})


_WANTED = {
    "sha256": "64 lower-case hexadecimal digits",
    "bytes": f"a whole number of 1 to {MOST_BYTES}",
    "training_data": "a list of texts",
    "metrics": "a table of numbers",
}


def _fits(key: str, value: Any) -> bool:
    if key == "bytes":
        return type(value) is int and 0 < value <= MOST_BYTES
    if key == "training_data":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if key == "metrics":
        return isinstance(value, dict) and all(type(one) in (int, float) for one in value.values())
    return isinstance(value, str) and (key != "sha256" or _SHA256.fullmatch(value) is not None)
