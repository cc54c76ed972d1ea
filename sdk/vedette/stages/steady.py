"""Brighten a live picture without a flicker: curves that follow the scene in time, not from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vedette.models.curves import CurveEnhancer
from vedette.models.enhance import Enhancer
from vedette.ops.curves import apply_curves
from vedette.ops.depth import to_eight_bits
from vedette.types import Closing

__all__ = ["SteadyCurves", "steadied"]

FOLLOW_S = 0.25
Depth = TypeVar("Depth", np.uint8, np.uint16)


class SteadyCurves(Closing):
    """A `CurveEnhancer` whose curves are smoothed over time.

    Of what its curves would change from one frame to the next, 1 - exp(-dt / `FOLLOW_S`) is seen: an eighth at 30
    frames a second, all of it after a second. Holds state: the curves so far.

    Args:
        model: closed with this.

    Attributes:
        time_ns: when the next picture was seen, on the frames' clock.
    """

    scale = 1

    def __init__(self, model: CurveEnhancer) -> None:
        self.model, self.info = model, model.info
        self.time_ns = 0
        self._curves: NDArray[np.float32] | None = None
        self._last_ns = 0

    def begin(self) -> None:
        """Forget what was seen."""
        self._curves = None

    def enhance(
        self, image: NDArray[Depth], *, tell: Callable[[float], object] | None = None
    ) -> NDArray[Depth]:
        """Return `image`, (H, W, 3) RGB of uint8 or uint16, brightened; `tell` is told 1 at the end.

        Raises:
            EngineError: the model failed while running.
        """
        fresh = self.model.curves(to_eight_bits(image))
        if self._curves is not None:
            passed_s = max(0, self.time_ns - self._last_ns) / 1e9
            fresh = self._curves + np.float32(1 - math.exp(-passed_s / FOLLOW_S)) * (fresh - self._curves)
        self._curves, self._last_ns = fresh, self.time_ns
        made = apply_curves(image, fresh)
        if tell is not None:
            tell(1.0)
        return made

    def close(self) -> None:
        """Close the model."""
        self.model.close()


def steadied(enhancer: Enhancer) -> Enhancer:
    """Return the models of `enhancer` for moving pictures: those with curves follow the scene in time."""
    return Enhancer([SteadyCurves(s) if isinstance(s, CurveEnhancer) else s for s in enhancer.steps])
