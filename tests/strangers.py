"""Contracts for networks that answer as a test wants, for the tests of all tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.contract import Contract, InputContract, ModelFile, OutputContract
from vedette.testing import FakeEngine
from vedette.types import TensorSpec


def stranger(
    head: Mapping[str, Any],
    answers: Mapping[str, NDArray[Any]],
    *,
    labels: Sequence[str] = (),
    size_wh: tuple[int, int] = (64, 32),
    resize: str = "stretch",
    color: str = "rgb",
    threshold: float = 0.25,
    scale: float = 0.0,
    dynamic: Sequence[int] = (),
) -> tuple[FakeEngine, ModelFile]:
    """Return an engine that gives `answers` (role -> raw output) and a file with such a `head`.

    Args:
        head: type and parameters.
        answers: in the contract's order; the engine gives them in the opposite order.
        labels, size_wh, resize, color, threshold: of the contract.
        scale: of the outputs; 0 is not quantized.
        dynamic: dimensions of the outputs that any size may have.
    """
    channels = 1 if color == "gray" else 3
    image = TensorSpec("image", (1, size_wh[1], size_wh[0], channels), np.dtype("uint8"), 0.0, 0)
    outputs = [
        TensorSpec(role, tuple(0 if i in dynamic else n for i, n in enumerate(a.shape)), a.dtype, scale, 0)
        for role, a in answers.items()
    ]
    contract = Contract(
        name="stranger",
        version="1",
        task="a task",
        head=head,
        input=InputContract("image", size_wh, color, resize, 114, (0.0,) * 3, (1.0,) * 3),
        outputs=tuple(OutputContract(role, role, 0) for role in answers),
        labels=tuple(labels),
        threshold=threshold,
        license="CC0",
        training_data=(),
        metrics={},
        golden=None,
    )
    engine = FakeEngine([image], outputs[::-1], list(answers.values())[::-1])
    return engine, ModelFile(Path("stranger.tflite"), b"", "0" * 64, contract)
