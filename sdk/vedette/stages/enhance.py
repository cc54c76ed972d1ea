"""Enhance the frame: every later stage and sink sees the new picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from vedette.models.enhance import Enhancer, Step
from vedette.ops.scene import luminance, noise
from vedette.settings import EnhanceSettings
from vedette.stages.keep_up import Budget, Switch
from vedette.stages.steady import SteadyCurves, steadied
from vedette.types import Closing, Enhancement, Image, Results

__all__ = ["Enhance"]

DARK, NO_LONGER_DARK = 60.0, 80.0
NOISY, NO_LONGER_NOISY = 6.0, 4.0
MEASURE_NS = 100_000_000
"""How often luminance and noise are measured, at most, by the frames' clock."""


class Enhance(Closing):
    """A stage that replaces the frame's picture. Its size never changes: what is left out is made up by resizing.

    Holds state: what its budget allows, and what the scene asks for.

    Args:
        enhancer: closed with this.
        settings: the budget, and whether models are switched on and off by luminance and noise.
        name: of the stage.
        clock: seconds, only growing; what the work took is measured with it.

    Attributes:
        enabled: False lets pictures pass, enlarged where the models would; may be set from any thread.
    """

    def __init__(
        self,
        enhancer: Enhancer,
        settings: EnhanceSettings,
        *,
        name: str = "enhance",
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.name, self.enhancer, self.enabled = name, steadied(enhancer), True
        steps = self.enhancer.steps
        self._steady = [step for step in steps if isinstance(step, SteadyCurves)]
        self._settings, self._clock = settings, clock
        self._budget = Budget(settings.budget_ms)
        self._switches: Mapping[Step, Switch] = {
            step: _switch(step) for step in steps if settings.auto and step.scale == 1
        }
        self._measured_ns: int | None = None
        self._levels: tuple[float, float] | None = None
        self._off: frozenset[Step] = frozenset()
        self._chosen = self.enhancer

    def __call__(self, results: Results) -> Results:
        """Return `results` with the new picture in their frame, and what was done to it."""
        frame = results.frame
        chosen = self._choose(frame.image, frame.time_ns)
        resolution = self._budget.resolution if chosen.steps and self.enabled else 0.0
        for step in self._steady:
            step.time_ns = frame.time_ns
        start_s = self._clock()
        image = self._made(chosen, frame.image, resolution)
        if chosen.steps and self.enabled:
            now_s = self._clock()
            self._budget.spent((now_s - start_s) * 1e3 if resolution else 0.0, now_s)
        done = Enhancement(
            models=chosen.names if resolution else (),
            resolution=resolution,
            state=_state(resolution, asked=self.enabled and bool(chosen.steps)),
            before=frame.image,
            levels=self._levels,
        )
        ran = {f"{self.name}/{info.name}": info for info in chosen.infos} if resolution else {}
        return replace(
            results,
            frame=replace(frame, image=image, ahead=None),
            models=MappingProxyType({**results.models, **ran}),
            enhanced=MappingProxyType({**results.enhanced, self.name: done}),
        )

    def _made(self, chosen: Enhancer, image: Image, resolution: float) -> Image:
        """Return the picture at the size that all models together give, whichever are at work."""
        return (chosen if resolution else self.enhancer).enhance_at(image, resolution)

    def _choose(self, image: Image, time_ns: int) -> Enhancer:
        """Return the models that the scene asks for: all, unless they are switched by it."""
        if not self._switches:
            return self.enhancer
        if self._measured_ns is None or time_ns - self._measured_ns >= MEASURE_NS:
            self._measured_ns = time_ns
            self._levels = luminance(image), noise(image)
            off = frozenset(
                step
                for step, switch in self._switches.items()
                if not switch.update(_level(step, *self._levels), time_ns / 1e9)
            )
            if off != self._off:
                self._off = off
                self._chosen = Enhancer([step for step in self.enhancer.steps if step not in off])
        return self._chosen

    def close(self) -> None:
        """Close the models."""
        self.enhancer.close()


def _switch(step: Step) -> Switch:
    if isinstance(step, SteadyCurves):
        return Switch(on_at=-DARK, off_at=-NO_LONGER_DARK)
    return Switch(on_at=NOISY, off_at=NO_LONGER_NOISY)


def _level(step: Step, luma: float, sigma: float) -> float:
    """Return what switches a model on when it is high: darkness for curves, noise for the others."""
    return -luma if isinstance(step, SteadyCurves) else sigma


def _state(resolution: float, *, asked: bool) -> Literal["full", "reduced", "aside", "off"]:
    if not asked:
        return "off"
    return "full" if resolution == 1 else "reduced" if resolution else "aside"
