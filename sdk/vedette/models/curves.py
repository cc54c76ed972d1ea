"""Brighten a dark picture: curves estimated on a small picture of it, applied to every pixel of the large one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from vedette.contract import ModelFile
from vedette.errors import ModelError
from vedette.models.task import PictureModel, refuse_output
from vedette.ops.curves import apply_curves
from vedette.ops.depth import to_eight_bits
from vedette.ops.images import map_to_picture
from vedette.ops.quant import to_real
from vedette.types import Engine, Image

__all__ = ["CurveEnhancer"]

Depth = TypeVar("Depth", np.uint8, np.uint16)


class CurveEnhancer(PictureModel):
    """A picture made brighter by curves; see `vedette.models.task.PictureModel` and `vedette.ops.curves`.

    The network sees the picture at its own small input, so that a large picture costs it no more than a small one.

    Attributes:
        scale: 1, the answer is as large as the picture.
    """

    heads: ClassVar = ("curves",)
    finds: ClassVar[str] = "curve"

    def __init__(self, engine: Engine, model: ModelFile, *, min_score: float | None = None) -> None:
        super().__init__(engine, model, min_score=min_score)
        self.scale = 1
        shapes = [spec.shape for spec in self.outputs]
        if len(shapes) != 1 or len(shapes[0]) != 4 or 0 in shapes[0] or shapes[0][3] % 3:
            raise refuse_output(model, self.outputs, "one map (1, h, w, 3 n)")
        if 0 in model.contract.input.size_wh or model.contract.input.color == "gray":
            raise ModelError(
                f"{model.path}: a curves head reads models with a fixed input size, of colours. Convert it again."
            )

    def curves(self, image: Image) -> NDArray[np.float32]:
        """Return the curves for `image`, (H, W, 3) uint8 RGB: (h, w, 3 n) float32, -1..1, bars cut off.

        Raises:
            EngineError: the model failed while running.
        """
        (output,), box = self.infer(image)
        maps = np.clip(to_real(output.data[0], output), np.float32(-1), np.float32(1))
        height, width, channels = maps.shape
        small = replace(box, scale_xy=(box.width / width, box.height / height))
        size_wh = self.model.contract.input.size_wh
        parts = [
            map_to_picture(maps[..., i : i + 3].copy(), small, size_wh, (height, width), smooth=True)
            for i in range(0, channels, 3)
        ]
        if self.model.contract.input.color == "bgr":
            parts = [part[..., ::-1] for part in parts]
        return np.concatenate(parts, axis=2)

    def enhance(
        self, image: NDArray[Depth], *, tell: Callable[[float], object] | None = None
    ) -> NDArray[Depth]:
        """Return `image`, (H, W, 3) RGB of uint8 or uint16, brightened; same size and dtype.

        Args:
            image: of any size.
            tell: told how much is done, 0..1: 1, at the end.

        Raises:
            EngineError: the model failed while running.
        """
        made = apply_curves(image, self.curves(to_eight_bits(image)))
        if tell is not None:
            tell(1.0)
        return made
