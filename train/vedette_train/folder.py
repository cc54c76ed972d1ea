"""A run's folder: with what it was begun, and which weights of it count.

It keeps ``settings.json``, ``log.csv``, ``backup/`` (for resuming) and ``ema.weights.h5``, the moving average of the
weights, renewed after each epoch; where a recipe measures, ``best.weights.h5`` too; of a pruned network
``widths.json``.
"""

from __future__ import annotations

import csv
import json
import os
import platform
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import keras
import numpy as np

from vedette import __version__
from vedette.errors import ModelError, SettingsError, SinkError
from vedette_train.prune import narrowed, read_widths
from vedette_train.settings import FitSettings

__all__ = [
    "claim",
    "devices",
    "figures",
    "kept_network",
    "kept_weights",
    "load_weights",
    "save",
    "save_weights",
]

LAYER_BYTES = 8192  # what HDF5 writes about a layer beside its weights, and more


def claim(run: Path, settings: FitSettings) -> None:
    """Make `run` and write ``settings.json`` into it.

    Raises:
        SettingsError: it was begun with other settings.
    """
    run.mkdir(parents=True, exist_ok=True)
    path, mine = run / "settings.json", _plain(settings)
    if path.exists():
        # what is not in an older file was not known then: it had the value it has by itself
        old = _defaults(settings) | json.loads(path.read_text())["settings"]
        changed = [name for name in mine if old.get(name) != mine[name]]
        if changed:
            raise SettingsError(
                f"{run} was begun with other settings ({', '.join(changed)}); give another --out."
            )
    path.write_text(json.dumps({"settings": mine, "environment": _environment()}, indent=2))


def _plain(settings: FitSettings) -> dict[str, Any]:
    asked = {f.name: getattr(settings, f.name) for f in fields(settings) if not f.metadata.get("export")}
    return dict(json.loads(json.dumps(asked, default=str)))


def _defaults(settings: FitSettings) -> dict[str, Any]:
    known = {f.name: f.default for f in fields(settings) if f.name != "data"}
    return dict(json.loads(json.dumps(known, default=str)))


def _environment() -> dict[str, Any]:
    return {
        "vedette": __version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cpus": os.cpu_count(),
        "devices": devices(),
    }


def devices() -> list[str]:
    """Return the accelerators that the backend sees, the CPU where there is none."""
    try:
        return list(keras.distribution.list_devices())
    except (AttributeError, NotImplementedError):  # not every backend can be asked
        return []


def kept_weights(run: Path) -> Path:
    """Return the weights of `run` that are to be used: the best epoch's where the recipe measures, else the last's."""
    best = run / "best.weights.h5"
    return best if best.is_file() else run / "ema.weights.h5"


def kept_network(network: keras.Model, run: Path) -> keras.Model:
    """Return `network`, as the recipe builds it, with the weights of `run` and narrowed as its network was."""
    return load_weights(network, run, kept_weights(run))


def load_weights(network: keras.Model, run: Path, weights: Path) -> keras.Model:
    """Return `network`, narrowed as that of `run`, with the file `weights`.

    Raises:
        ModelError: they are cut off, or of another network.
    """
    widths = read_widths(run)
    network = narrowed(network, widths) if widths else network
    try:
        network.load_weights(str(weights))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{weights} is damaged or of another network: {error}.") from error
    return network


def save(network: keras.Model, path: Path) -> None:
    """Write a `.keras` file, whole or not at all.

    Raises:
        SinkError: it cannot be written; what stood there is untouched.
    """
    _replace(network, path, network.save)


def save_weights(network: keras.Model, path: Path) -> None:
    """Write a `.weights.h5` file, whole or not at all; raises as `save`."""
    _replace(network, path, network.save_weights)


def _replace(network: keras.Model, path: Path, write: Callable[[str], None]) -> None:
    part = path.with_name(f"part.{path.name}")  # Keras goes by how the name ends
    try:
        # HDF5 can end the process where a disk is full: find out before it does
        part.write_bytes(bytes(4 * network.count_params() + LAYER_BYTES * len(network.layers)))
        write(str(part))
        part.replace(path)
    except (OSError, RuntimeError) as error:  # HDF5 tells of a full disk by either
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SinkError(f"cannot write {path}: {why}. Make room; what stood there is untouched.") from error
    finally:
        part.unlink(missing_ok=True)


def figures(log: Path, name: str) -> dict[int, float]:
    """Return the figure `name` of each epoch in ``log.csv``; of one that was done twice, the later."""
    if not log.is_file():
        return {}
    with log.open(newline="", encoding="utf-8") as file:
        return {int(row["epoch"]): float(row[name]) for row in csv.DictReader(file)}
