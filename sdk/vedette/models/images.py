"""Make a picture of a picture: enhanced, enlarged, or drawn anew."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np

from vedette.contract import ModelFile
from vedette.heads import image_to_image
from vedette.models.task import PictureModel, parameter, refuse_output
from vedette.types import Engine, Image

__all__ = ["ImageToImage"]

MAX_SCALE = 4


class ImageToImage(PictureModel):
    """A picture as answer; see `vedette.models.task.PictureModel`.

    A model of fixed size gives its answer at the aspect of the picture, bars cut off.
    """

    heads: ClassVar = ("image-to-image",)
    finds: ClassVar[str] = "image"

    def __init__(self, engine: Engine, model: ModelFile, *, min_score: float | None = None) -> None:
        super().__init__(engine, model, min_score=min_score)
        self.scale = int(parameter(model, "scale", range(1, MAX_SCALE + 1)))
        self._values = str(parameter(model, "range", image_to_image.RANGES))
        width, height = model.contract.input.size_wh
        wanted = (height * self.scale, width * self.scale, model.contract.input.channels)
        shapes = [spec.shape for spec in self.outputs]
        if len(shapes) != 1 or (shapes[0][1:] != wanted and 0 not in shapes[0][1:3]):
            raise refuse_output(model, self.outputs, str((1, *wanted)))

    def enhance(self, image: Image) -> Image:
        """Return what the model makes of `image`, (H, W, 3) uint8 RGB: (scale h, scale w, 3) uint8 RGB.

        h and w are the picture's own where the model takes any size, else what is left of the model's input without
        bars; an input that the picture is stretched into is drawn back to the picture's own size times the scale.

        Raises:
            EngineError: the model failed while running.
        """
        (output,), box = self.infer(image)
        made = image_to_image.decode(output, values=self._values)
        contract, times = self.model.contract.input, self.scale
        made = made[
            box.top * times : (box.top + box.height) * times,
            box.left * times : (box.left + box.width) * times,
        ]
        if contract.color == "bgr":
            made = made[..., ::-1].copy()
        if contract.resize == "stretch" and 0 not in contract.size_wh:
            made = np.asarray(cv2.resize(made, (image.shape[1] * times, image.shape[0] * times)), np.uint8)
        return made
