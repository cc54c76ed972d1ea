"""One task a module: ``recipes/<task>.py`` is the verb ``vedette train <task>``; nothing else names it.

A recipe declares `HELP`, `Settings` (a `FitSettings`), `job` and `export`, as `Recipe` says. It imports Keras inside
its functions, so that the command line can list its options without.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from vedette_train.settings import FitSettings

if TYPE_CHECKING:
    from vedette_train.job import Job

__all__ = ["Recipe", "load_recipe", "tasks"]


class Recipe(Protocol):
    """What a recipe's module holds."""

    HELP: str
    Settings: type[FitSettings]

    def job(self, settings: Any) -> Job:
        """Return network, loss and examples for `settings`, an instance of `Settings`."""
        ...

    def export(self, settings: Any, run: Path) -> dict[str, Any]:
        """Write ``model.keras``, ``contract.json``, ``calibration.npz`` and ``golden.png`` and return the contract."""
        ...


def tasks() -> list[str]:
    """Return the names of all recipes."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load_recipe(task: str) -> Recipe:
    """Return the recipe for `task`, one of `tasks`."""
    return cast(Recipe, importlib.import_module(f"{__name__}.{task}"))
