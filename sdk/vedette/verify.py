"""Replay a model's golden sample on every TFLite runtime that is installed here."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vedette.contract import open_model_file
from vedette.engines.litert import RUNTIMES, LiteRTEngine
from vedette.errors import MissingDependencyError, VedetteError
from vedette.models.golden import open_replayer
from vedette.registry import find

__all__ = ["Verdict", "verify"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one runtime answered. `detail` says what was compared, or what is wrong."""

    runtime: str
    holds: bool
    detail: str


def verify(model: str | Path) -> Iterator[Verdict]:
    """Yield the verdict of each installed runtime on a bundled model's name or a model file.

    Raises:
        SettingsError: no bundled model has that name.
        ModelError: the file is missing, damaged, or carries no contract.
        MissingDependencyError: no TFLite runtime is installed.
    """
    file = open_model_file(find(model))
    here = [name for name, (module, _) in RUNTIMES.items() if importlib.util.find_spec(module) is not None]
    if not here:
        raise MissingDependencyError(
            "no TFLite runtime is installed. Install one: pip install ai-edge-litert."
        )
    for runtime in here:
        try:
            with LiteRTEngine(file.data, label=str(file.path), threads=1, runtime=runtime) as engine:
                yield Verdict(runtime, True, f"{engine.name}: {open_replayer(engine, file).replay_golden()}")
        except VedetteError as error:
            yield Verdict(runtime, False, str(error))
