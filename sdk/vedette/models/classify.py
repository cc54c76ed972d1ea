"""Say what a picture shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vedette.contract import ModelFile, check_tensors
from vedette.errors import ModelError
from vedette.heads import classify
from vedette.models.maps import check_image
from vedette.models.raw import RawNetwork
from vedette.ops.quant import fill_input
from vedette.types import Closing, Engine, Image, ModelInfo

__all__ = ["Classes", "Classifier"]


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """What a picture may show, as columns of equal length n, best first; n = 0 keeps shapes and dtypes.

    Attributes:
        class_id: (n,) int32, index into `labels`.
        score: (n,) float32, 0..1; of all classes together 1.
        labels: names of all classes.
    """

    class_id: NDArray[np.int32]
    score: NDArray[np.float32]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.score)

    @property
    def names(self) -> tuple[str, ...]:
        """The label of each row."""
        return tuple(self.labels[i] for i in self.class_id)


class Classifier(Closing):
    """A classifier by one model on one engine. Safe to call from several threads.

    Args:
        engine: holds `model`; closed with the classifier.
        model: the file that the engine was made from.
        min_score: classes below it are left out, 0..1; the threshold that the model was tuned for when not given.

    Raises:
        ModelError: the file is for another task, or the network does not keep its contract.
    """

    def __init__(self, engine: Engine, model: ModelFile, *, min_score: float | None = None) -> None:
        contract = model.contract
        if contract.head.get("type") != "classify":
            raise ModelError(
                f"{model.path} is for {contract.task} (head {contract.head.get('type')!r}), not a classifier."
            )
        check_tensors(contract, engine.inputs, engine.outputs)
        self._check_output(engine, model)
        self.model, self.engine = model, engine
        self.info = ModelInfo(contract.name, contract.version, model.sha256, engine.name)
        self.min_score = contract.threshold if min_score is None else min_score

    def classify(self, image: Image, *, top: int = 5) -> Classes:
        """Return what `image`, (H, W, 3) uint8 RGB of any size, shows: at most `top` classes, best first.

        Raises:
            EngineError: the model failed while running.
        """
        check_image(image)
        spec, contract = self.engine.inputs[0], self.model.contract

        def fill(buffers: Sequence[NDArray[np.generic]]) -> None:
            fill_input(image, buffers[0], spec, contract.input)

        (logits,) = self.engine.run(fill)
        return Classes(*classify.decode(logits, min_score=self.min_score, top=top), contract.labels)

    def replay_golden(self) -> str:
        """Run the model on its own stored picture and compare its raw output; return what was compared.

        Raises:
            VedetteError: the answer differs; a damaged file or runtime.
        """
        return RawNetwork(self.engine, self.model).replay_golden()

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()

    @staticmethod
    def _check_output(engine: Engine, model: ModelFile) -> None:
        shapes = [spec.shape for spec in engine.outputs]
        wanted = [(1, len(model.contract.labels))]
        if not model.contract.labels or shapes != wanted:
            raise ModelError(
                f"{model.path}: the network's outputs are {shapes}, a classifier with its labels has {wanted}. "
                "Convert it again."
            )
