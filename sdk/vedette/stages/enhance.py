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
        skipped: names of models that are left out, of those in `skippable`; may be set from any thread.
        budget_ms: what a frame may take, None without a bound.
        auto: whether luminance and noise switch the models.
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
        self.skipped: frozenset[str] = frozenset()
        self.budget_ms, self.auto = settings.budget_ms, settings.auto
        self._steady = [step for step in steps if isinstance(step, SteadyCurves)]
        self._clock = clock
        self._budget = Budget(settings.budget_ms)
        self._switches: Mapping[Step, Switch] = {
            step: _switch(step) for step in steps if settings.auto and step.scale == 1
        }
        self._measured_ns: int | None = None
        self._levels: tuple[float, float] | None = None
        self._off: frozenset[Step] = frozenset()
        self._left_out: frozenset[Step] = frozenset()
        self._chosen = self.enhancer

    @property
    def skippable(self) -> frozenset[str]:
        """Names of the models without which the picture keeps its size."""
        return frozenset(step.info.name for step in self.enhancer.steps if step.scale == 1)

    def __call__(self, results: Results) -> Results:
        """Return `results` with the new picture in their frame, and what was done to it."""
        frame = results.frame
        chosen = self._choose(frame.image, frame.time_ns)
        asked = self.enabled and bool(chosen.steps)  # read once: others may switch meanwhile
        resolution = self._budget.resolution if asked else 0.0
        for step in self._steady:
            step.time_ns = frame.time_ns
        start_s = self._clock()
        image = self._made(chosen, frame.image, resolution)
        if asked:
            now_s = self._clock()
            self._budget.spent((now_s - start_s) * 1e3 if resolution else 0.0, now_s)
        done = Enhancement(
            models=chosen.names if resolution else (),
            resolution=resolution,
            state=_state(resolution, asked=asked),
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
        """Return the models that the scene asks for, all unless they are switched by it, without those skipped."""
        if self._switches and (self._measured_ns is None or time_ns - self._measured_ns >= MEASURE_NS):
            self._measure(image, time_ns)
        skipped = self.skipped
        by_hand = {s for s in self.enhancer.steps if s.scale == 1 and s.info.name in skipped}
        left_out = self._off | by_hand
        if left_out != self._left_out:
            self._left_out = left_out
            self._chosen = Enhancer([step for step in self.enhancer.steps if step not in left_out])
        return self._chosen

    def _measure(self, image: Image, time_ns: int) -> None:
        """Switch the models by the scene's light and noise."""
        self._measured_ns = time_ns
        self._levels = luminance(image), noise(image)
        self._off = frozenset(
            step
            for step, switch in self._switches.items()
            if not switch.update(_level(step, *self._levels), time_ns / 1e9)
        )

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
