"""Turn faces into embeddings: vectors of unit length whose cosine tells how alike two faces are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vedette.contract import ModelFile, check_tensors
from vedette.errors import ModelError
from vedette.models.maps import check_image
from vedette.models.raw import RawNetwork
from vedette.ops.faces import ALIGNED_SIZE, align
from vedette.ops.quant import fill_input
from vedette.types import Closing, Engine, Image, ModelInfo, Tensor

__all__ = ["FaceEmbedder"]

Floats = NDArray[np.float32]


class FaceEmbedder(Closing):
    """An embedder of aligned faces by one model on one engine. Safe to call from several threads.

    Args:
        engine: holds `model`; closed with the embedder.
        model: the file that the engine was made from.

    Attributes:
        size: length of an embedding.
        threshold: cosine from which the model takes two faces for one person, before a gallery is calibrated.

    Raises:
        ModelError: the file is for another task, or the network does not keep its contract.
    """

    def __init__(self, engine: Engine, model: ModelFile) -> None:
        contract = model.contract
        if contract.head.get("type") != "embed":
            raise ModelError(
                f"{model.path} is for {contract.task} (head {contract.head.get('type')!r}), it embeds no faces."
            )
        check_tensors(contract, engine.inputs, engine.outputs)
        shapes = [spec.shape for spec in engine.outputs]
        if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][1] < 2:
            raise ModelError(
                f"{model.path}: the outputs are {shapes}, an embedder has one (1, d). Convert it again."
            )
        if contract.input.size_wh != (ALIGNED_SIZE, ALIGNED_SIZE):
            raise ModelError(
                f"{model.path} takes {contract.input.size_wh[0]}x{contract.input.size_wh[1]}, aligned faces are "
                f"{ALIGNED_SIZE}x{ALIGNED_SIZE}. Use a model that `vedette train embed` made."
            )
        self.model, self.engine = model, engine
        self.info = ModelInfo(contract.name, contract.version, model.sha256, engine.name)
        self.size, self.threshold = shapes[0][1], contract.threshold

    def embed(self, image: Image, landmarks: Floats) -> Floats:
        """Return (n, `size`) embeddings of the faces with `landmarks`, one after another.

        Args:
            image: (H, W, 3) uint8 RGB.
            landmarks: (n, 5, 2) pixels of `image`, as in `vedette.types.Faces`.

        Raises:
            EngineError: the model failed while running.
        """
        check_image(image)
        return self.embed_aligned(align(image, landmarks))

    def embed_aligned(self, faces: Image) -> Floats:
        """Return (n, `size`) embeddings of (n, 112, 112, 3) uint8 RGB faces that `vedette.ops.faces.align` made."""
        embeddings = np.empty((len(faces), self.size), np.float32)
        for row, face in zip(embeddings, faces, strict=True):
            row[...] = self._one(face)
        return embeddings

    def replay_golden(self) -> str:
        """Run the model on its own stored picture and compare its raw output; return what was compared.

        Raises:
            VedetteError: the answer differs; a damaged file or runtime.
        """
        return RawNetwork(self.engine, self.model).replay_golden()

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()

    def _one(self, face: Image) -> Floats:
        spec, contract = self.engine.inputs[0], self.model.contract.input

        def fill(buffers: Sequence[NDArray[np.generic]]) -> None:
            fill_input(face, buffers[0], spec, contract)

        (raw,) = self.engine.run(fill)
        return _unit(raw)


def _unit(raw: Tensor) -> Floats:
    """Return a (1, d) output as (d,) float32 of unit length.

    Not in the network: TFLite fixes an int8 L2_NORMALIZATION's step at 1/128, a tenth of the spread of one of 128
    dimensions; the output before it has a step fitted to it, a thirtieth or so.

    Raises:
        ModelError: it has no direction.
    """
    real = raw.data.reshape(-1).astype(np.float32)
    if raw.scale > 0:
        real = (real - np.float32(raw.zero_point)) * np.float32(raw.scale)
    norm = float(np.linalg.norm(real))
    if not 0 < norm < np.inf:
        raise ModelError(
            f"the embedder answered a vector of length {norm}; the model is broken, convert it again."
        )
    found: Floats = real / np.float32(norm)
    return found
