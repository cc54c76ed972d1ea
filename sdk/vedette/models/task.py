"""What all tasks share: a network whose head says what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from vedette.contract import ModelFile
from vedette.errors import ModelError, SettingsError
from vedette.models.network import Network
from vedette.models.raw import RawNetwork
from vedette.types import Engine, TensorSpec

__all__ = ["PictureModel", "parameter", "refuse_output"]


class PictureModel(Network):
    """A model of one task on one engine. Safe to call from several threads.

    Args:
        engine: holds `model`; closed with the model.
        model: the file that the engine was made from.
        min_score: what is below it is left out, 0..1; the threshold that the model was tuned for when not given.

    Attributes:
        heads: types of the contract's head that the class reads.
        finds: what it gives, for messages.

    Raises:
        ModelError: the file is for another task, or the network does not keep its contract.
        SettingsError: `min_score` is out of range.
    """

    heads: ClassVar[Sequence[str]]
    finds: ClassVar[str]

    def __init__(self, engine: Engine, model: ModelFile, *, min_score: float | None = None) -> None:
        if min_score is not None and not 0 <= min_score <= 1:
            raise SettingsError(f"min_score is {min_score}, allowed is 0 to 1.")
        contract = model.contract
        if contract.head.get("type") not in self.heads:
            raise ModelError(
                f"{model.path} is for {contract.task} (head {contract.head.get('type')!r}), not {self.finds}s."
            )
        super().__init__(engine, model)
        self.min_score = contract.threshold if min_score is None else min_score

    def replay_golden(self) -> str:
        """Run the model on its own stored picture and compare its raw outputs; return what was compared.

        Raises:
            VedetteError: the answer differs; a damaged file or runtime.
        """
        return RawNetwork(self.engine, self.model).replay_golden()


def parameter(model: ModelFile, name: str, allowed: Sequence[object] | Mapping[str, object]) -> Any:
    """Return the parameter `name` of a model's head.

    Raises:
        ModelError: it is missing, or not one of those `allowed`.
    """
    head = model.contract.head
    if name not in head or head[name] not in allowed:
        raise ModelError(
            f"{model.path}: its {head.get('type')} head has {name} {head.get(name)!r}; "
            f"one of {', '.join(map(str, allowed))} is needed. Convert it again."
        )
    return head[name]


def refuse_output(model: ModelFile, specs: Sequence[TensorSpec], wanted: str) -> ModelError:
    """Return the error for a network whose outputs are not what its head reads."""
    shapes = ", ".join(str(spec.shape) for spec in specs)
    return ModelError(
        f"{model.path}: the network's outputs are {shapes}, a {model.contract.head.get('type')} head reads {wanted}. "
        "Convert it again, or name another head."
    )
