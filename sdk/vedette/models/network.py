"""One network on one engine: a picture in, its raw outputs in the contract's order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vedette.contract import ModelFile, check_tensors
from vedette.errors import VedetteError
from vedette.ops.images import Letterbox, letterbox
from vedette.ops.quant import fill_input
from vedette.types import Closing, Engine, Image, ModelInfo, Tensor, TensorSpec

__all__ = ["Network", "check_image"]


class Network(Closing):
    """One model on one engine, without a task. Safe to call from several threads.

    Args:
        engine: holds `model`; closed with the network.
        model: the file that the engine was made from.

    Raises:
        ModelError: the network does not keep its contract.
    """

    def __init__(self, engine: Engine, model: ModelFile) -> None:
        contract = model.contract
        check_tensors(contract, engine.inputs, engine.outputs)
        self.model, self.engine = model, engine
        self.info = ModelInfo(contract.name, contract.version, model.sha256, engine.name)
        self._order = [[spec.name for spec in engine.outputs].index(o.name) for o in contract.outputs]

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What the network gives, in the contract's order."""
        return tuple(self.engine.outputs[i] for i in self._order)

    def fit(self, image: Image) -> Image:
        """Return `image` resized into the model's input, (h, w, 3) uint8 RGB. Touches no engine."""
        check_image(image)
        contract = self.model.contract.input
        return letterbox(image, contract.size_wh, pad_value=contract.pad_value, resize=contract.resize)[0]

    def infer(self, image: Image, *, fitted: Image | None = None) -> tuple[tuple[Tensor, ...], Letterbox]:
        """Return the network's raw outputs in the contract's order, and where the picture lay in its input.

        Args:
            image: (H, W, 3) uint8 RGB of any size.
            fitted: what `fit` made of it, where that was done ahead of time.

        Raises:
            VedetteError: `image` is no picture.
            EngineError: the model failed while running.
        """
        check_image(image)
        place: list[Letterbox] = []
        spec, contract = self.engine.inputs[0], self.model.contract.input

        def fill(buffers: Sequence[NDArray[np.generic]]) -> None:
            place.append(fill_input(image, buffers[0], spec, contract, fitted=fitted))

        if 0 in contract.size_wh:
            outputs = self.engine.run(fill, size_wh=(image.shape[1], image.shape[0]))
        else:
            outputs = self.engine.run(fill)
        return tuple(outputs[i] for i in self._order), place[0]

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()


def check_image(image: NDArray[np.generic]) -> None:
    """Refuse what is not an (H, W, 3) uint8 picture with at least one pixel.

    Raises:
        VedetteError: says what it is instead, and how to mend it.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise VedetteError(
            f"a picture must be (H, W, 3) uint8 RGB, not {got}. Read files with vedette.read_image(path)."
        )
    if 0 in image.shape:
        raise VedetteError(f"the picture is empty: {image.shape[1]}x{image.shape[0]} px.")
