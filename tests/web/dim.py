"""A run whose pictures are dim, and a stage that lights them up by a known number of grey levels."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from vedette import app
from vedette.models.enhance import Enhancer
from vedette.settings import EnhanceSettings
from vedette.stages.enhance import Enhance
from vedette.testing import FakeSource
from vedette.types import Image, ModelInfo, Stage
from vedette.web.dashboard import Dashboard

__all__ = ["LIFT", "Lifted", "dim", "lighting", "running"]

LIFT = 100
FRAMES = 4000


class Lifted:
    """A model that adds `LIFT` grey levels, or as many as told, to a picture as large or twice as large."""

    def __init__(self, name: str = "lift", *, scale: int = 1, by: int = LIFT) -> None:
        self.scale, self.by = scale, by
        self.info = ModelInfo(name, "1", "0" * 64, "none")

    def enhance(self, image: Any, *, tell: object = None) -> Any:
        return np.repeat(np.repeat(image + np.uint8(self.by), self.scale, 0), self.scale, 1)

    def close(self) -> None: ...


def lighting(*models: Lifted, budget_ms: float | None = None, auto: bool = False) -> Enhance:
    """Return a stage of `models`, one plain one when none is given."""
    return Enhance(Enhancer(models or [Lifted()]), EnhanceSettings(budget_ms, auto))


def dim(index: int, size_wh: tuple[int, int] = (320, 180)) -> Image:
    """Return a picture of one grey level, another one than those of the frames before and after."""
    return np.full((size_wh[1], size_wh[0], 3), 10 + index * 12 % 100, np.uint8)


@contextmanager
def running(
    dashboard: Dashboard, stages: Sequence[Stage | str], images: Sequence[Image] = ()
) -> Iterator[None]:
    """Run `stages` on a camera of 20 frames a second before `dashboard` until the block is left."""
    pictures = list(images) or [dim(k) for k in range(25)]
    camera = FakeSource(pictures * (FRAMES // len(pictures)), live=True, interval_s=0.05, name="dim")
    up, stop = threading.Event(), threading.Event()

    def run() -> None:
        for _ in app.run(camera, stages, [dashboard], on_sink=lambda _sink: up.set()):
            if stop.is_set():
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert up.wait(30)
        yield
    finally:
        stop.set()
        thread.join(20)
