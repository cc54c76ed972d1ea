"""Describe a picture by numbers that are compared with other pictures'."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vedette.contract import ModelFile
from vedette.heads import embed
from vedette.models.task import PictureModel, parameter, refuse_output
from vedette.types import Engine, Image

__all__ = ["Embedder"]


class Embedder(PictureModel):
    """A row of numbers for a picture; see `vedette.models.task.PictureModel`."""

    heads: ClassVar = ("embed",)
    finds: ClassVar[str] = "embedding"

    def __init__(self, engine: Engine, model: ModelFile, *, min_score: float | None = None) -> None:
        super().__init__(engine, model, min_score=min_score)
        self._normalize = bool(parameter(model, "normalize", (True, False)))
        if len(self.outputs) != 1:
            raise refuse_output(model, self.outputs, "one row")

    def embed(self, image: Image) -> NDArray[np.float32]:
        """Return the numbers of `image`, (H, W, 3) uint8 RGB of any size: (d,) float32; two that are alike lie near.

        Raises:
            EngineError: the model failed while running.
        """
        (row,), _ = self.infer(image)
        return embed.decode(row, normalize=self._normalize)
