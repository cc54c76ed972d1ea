"""Let a stage look at every k-th frame only."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from vedette.stages.detect import Detect
from vedette.types import Closing, ModelInfo, Results

__all__ = ["Every"]


class Every(Closing):
    """A detecting stage that looks at the first frame and then at one of each `every`; closes the stage it wraps.

    On the others nothing stands under its name in the results' `found`, and a `Track` after it says where things should
    be by now. Holds state: it counts. Nothing is prepared ahead, since most of that would be thrown away.
    """

    def __init__(self, stage: Detect, every: int) -> None:
        self.name = stage.name
        self.stage = stage
        self._every = every
        self._count = 0
        self._model: ModelInfo = stage.detector.info

    def __call__(self, results: Results) -> Results:
        """Return `results` with what the stage found, where it is this frame's turn."""
        turn = self._count == 0
        self._count = (self._count + 1) % self._every
        if turn:
            return self.stage(results)
        return replace(results, models=MappingProxyType({**results.models, self.name: self._model}))

    def close(self) -> None:
        """Close the stage."""
        self.stage.close()
