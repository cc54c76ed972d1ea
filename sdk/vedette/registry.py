"""The models that can be used or had by name: bundled, pulled into the cache, known from a list."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vedette import zoo
from vedette.contract import open_model_file
from vedette.errors import ModelError
from vedette.recognise import recognise
from vedette.tflite import read_graph
from vedette.zoo.known import Known

__all__ = ["cache_folder", "find", "models", "restriction"]

PERMISSIVE = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-4.0", "CC0", "CC0-1.0", "ISC", "MIT", "Unlicense"}
)  # fmt: skip
"""Licences of weights that ask for no more than to be named, as SPDX writes them."""

_RESTRICTED = re.compile(r"research|non-?commercial|unknown", re.IGNORECASE)


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return where pulled models are kept: ``$VEDETTE_MODELS``, or ``vedette/models`` in the user's cache folder.

    That is ``$XDG_CACHE_HOME``, or ``~/.cache`` where it is not set or not absolute (XDG Base Directory Specification).
    """
    environ = os.environ if environ is None else environ
    if own := environ.get("VEDETTE_MODELS"):
        return Path(own).expanduser()
    base = Path(environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path("~/.cache").expanduser()) / "vedette" / "models"


def find(model: str | Path) -> Path:
    """Return the file of a bundled or pulled model's name, or `model` itself where it is a path; see `zoo.find`."""
    return zoo.find(model, folder=cache_folder())


def models(known: Mapping[str, Known], folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what is told of each model, ready for JSON: bundled ones, then those in `folder`, then the rest of `known`.

    `where` is "bundled", "cached", "known" (to be pulled), or "damaged" where the file in `folder` is not what is known
    by its name or is no model. A stranger's file in `folder` is told of as far as the rules recognise it.
    """
    bundled, cached = zoo.bundled(), zoo.cached(folder)
    for name, path in bundled.items():
        yield _own(name, path, "bundled")
    for name, path in cached.items():
        if name in bundled:
            continue
        if name in known:
            right = zoo.sha256_of(path) == known[name].sha256
            yield _listed(known[name], "cached" if right else "damaged")
        else:
            yield _own(name, path, "cached")
    for name, one in known.items():
        if name not in bundled and name not in cached:
            yield _listed(one, "known")


def restriction(facts: Mapping[str, Any]) -> str | None:
    """Return what speaks against commercial use of a model, None where nothing is told that does.

    It repeats what the model's makers say of its licence and data, by their words; it is no legal advice.
    """
    if facts["license"] not in PERMISSIVE:
        return f"licence: {facts['license']}"
    if not facts["training_data"]:
        return "training data: not told"
    found = [data for data in facts["training_data"] if _RESTRICTED.search(data)]
    return f"training data: {found[0]}" if found else None


def _own(name: str, path: Path, where: str) -> dict[str, Any]:
    try:
        model = open_model_file(path, recognise=lambda data, at: recognise(data, path=at))
    except ModelError:
        blank = dict.fromkeys(("version", "task", "input", "license"), "?")
        size, sha256 = path.stat().st_size, zoo.sha256_of(path)
        where = where if _is_network(path) else "damaged"
        return _told(name=name, where=where, **blank, bytes=size, sha256=sha256)
    contract = model.contract
    width, height = contract.input.size_wh
    return _told(
        name=name,
        where=where,
        version=contract.version,
        task=contract.task,
        input=f"{width}x{height}" if width else "any",
        bytes=len(model.data),
        license=contract.license,
        sha256=model.sha256,
        training_data=list(contract.training_data),
        metrics=dict(contract.metrics),
    )


def _is_network(path: Path) -> bool:
    """Return whether a network can be read from a file that cannot be used as it is: no rule knows it, or one asks."""
    try:
        read_graph(path.read_bytes())
    except (ModelError, OSError):
        return False
    return True


def _listed(known: Known, where: str) -> dict[str, Any]:
    return _told(where=where, version="-", **{**asdict(known), "training_data": list(known.training_data)})


def _told(**facts: Any) -> dict[str, Any]:
    """Return the facts in one order, with what is not told left empty."""
    told = {
        "name": "", "version": "", "where": "", "task": "", "input": "", "bytes": 0, "license": "", "url": None,
        "sha256": "", "training_data": [], "metrics": {}, **facts,
    }  # fmt: skip
    return {**told, "restriction": restriction(told)}
