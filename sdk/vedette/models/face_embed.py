"""Turn faces into embeddings: vectors of unit length whose cosine tells how alike two faces are."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vedette.contract import ModelFile
from vedette.errors import ModelError
from vedette.models.embed import Embedder
from vedette.models.network import check_image
from vedette.models.task import refuse_output
from vedette.ops.faces import ALIGNED_SIZE, align
from vedette.types import Engine, Image

__all__ = ["FaceEmbedder"]

Floats = NDArray[np.float32]


class FaceEmbedder(Embedder):
    """An embedder of aligned faces by one model on one engine; see `vedette.models.task.PictureModel`.

    Attributes:
        size: length of an embedding.
        min_score: cosine from which the model takes two faces for one person, before a gallery is calibrated.
    """

    finds: ClassVar[str] = "face embedding"

    def __init__(self, engine: Engine, model: ModelFile, *, min_score: float | None = None) -> None:
        super().__init__(engine, model, min_score=min_score)
        shape = self.outputs[0].shape
        if len(shape) != 2 or shape[1] < 2:
            raise refuse_output(model, self.outputs, "one row (1, d)")
        size_wh = model.contract.input.size_wh
        if size_wh != (ALIGNED_SIZE, ALIGNED_SIZE):
            raise ModelError(
                f"{model.path} takes {size_wh[0]}x{size_wh[1]}, aligned faces are {ALIGNED_SIZE}x{ALIGNED_SIZE}. "
                "Use a model that `vedette train embed` made."
            )
        self.size = shape[1]

    def embed_faces(self, image: Image, landmarks: Floats) -> Floats:
        """Return (n, `size`) embeddings of the faces with `landmarks`, one after another.

        Args:
            image: (H, W, 3) uint8 RGB.
            landmarks: (n, 5, 2) pixels of `image`, as in `vedette.types.Faces`.

        Raises:
            EngineError: the model failed while running.
            ModelError: it answered a vector without a direction.
        """
        check_image(image)
        return self.embed_aligned(align(image, landmarks))

    def embed_aligned(self, faces: Image) -> Floats:
        """Return (n, `size`) embeddings of (n, 112, 112, 3) uint8 RGB faces that `vedette.ops.faces.align` made."""
        embeddings = np.empty((len(faces), self.size), np.float32)
        for row, face in zip(embeddings, faces, strict=True):
            row[...] = self.embed(face)
            if not np.isfinite(row).all() or not row.any():
                raise ModelError(
                    "the embedder answered a vector without a direction; the model is broken, convert it again."
                )
        return embeddings
