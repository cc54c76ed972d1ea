"""The enhancing stages of the run: what they do to the picture, and switching them and their models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vedette.errors import SettingsError, unknown_name
from vedette.stages.enhance import Enhance
from vedette.types import Results

__all__ = ["Switches"]

_FORM = 'send {"stage": "enhance", "enabled": true or false}, and "model": "NAME" for one of its models.'


@dataclass(frozen=True, slots=True)
class Switches:
    """The stages that enhance, and the newest results, None before the first."""

    stages: tuple[Enhance, ...]
    newest: Results | None

    def describe(self) -> list[dict[str, Any]]:
        """Return what each stage does now and what is switched on, ready for JSON; docs/dashboard.md lists it."""
        return [{**_settings(stage), **_done(stage.name, self.newest)} for stage in self.stages]

    def set(self, given: Mapping[str, Any]) -> None:
        """Switch a stage, or one of its models, from the next frame on.

        Raises:
            SettingsError: something else was sent, or there is nothing of that name to be switched.
        """
        name, model, enabled = given.get("stage"), given.get("model"), given.get("enabled")
        if not (isinstance(name, str) and isinstance(enabled, bool) and isinstance(model, str | None)):
            raise SettingsError(_FORM)
        stages = {stage.name: stage for stage in self.stages}
        if name not in stages:
            raise unknown_name("stage that enhances", name, stages)
        if model is None:
            stages[name].enabled = enabled
        else:
            _skip(stages[name], model, skip=not enabled)


def _skip(stage: Enhance, model: str, *, skip: bool) -> None:
    if model in stage.enhancer.names and model not in stage.skippable:
        raise SettingsError(f"{model} enlarges the picture, whose size stays; switch the whole stage off.")
    if model not in stage.skippable:
        raise unknown_name(f"model of {stage.name}", model, sorted(stage.skippable))
    stage.skipped = stage.skipped | {model} if skip else stage.skipped - {model}


def _settings(stage: Enhance) -> dict[str, Any]:
    return {
        "stage": stage.name,
        "enabled": stage.enabled,
        "auto": stage.auto,
        "budget_ms": stage.budget_ms,
        "models": [
            {"name": name, "enabled": name not in stage.skipped, "skippable": name in stage.skippable}
            for name in stage.enhancer.names
        ],
    }


def _done(name: str, newest: Results | None) -> dict[str, Any]:
    """Return what the stage `name` did to the newest frame; None throughout where it has not seen one."""
    done = newest.enhanced.get(name) if newest else None
    if newest is None or done is None:
        return dict.fromkeys(("state", "ran", "resolution", "ms", "luminance", "noise"))
    luminance, noise = done.levels or (None, None)
    return {
        "state": done.state,
        "ran": done.models,
        "resolution": done.resolution,
        "ms": round(newest.timings_ns.get(name, 0) / 1e6, 1),
        "luminance": None if luminance is None else round(luminance, 1),
        "noise": None if noise is None else round(noise, 2),
    }
