"""What is fitted, as values: what a recipe gives, and one call of `vedette_train.fit.fit` in progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np

from vedette_train.distill import distance
from vedette_train.left_out import LeftOut
from vedette_train.settings import FitSettings

__all__ = ["Example", "Fitting", "Job", "Say"]

Example: TypeAlias = tuple[Any, Any]
Say: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a recipe gives to be fitted.

    Attributes:
        network: what is kept.
        loss: the scalar loss of (target, outputs); both as batches, outputs in float32.
        example: the input and target of one example, arrays or dicts of arrays, from a generator of its own; called
            from several threads.
        body: layers of the pre-trained part, from input to output, for the settings ``freeze``, ``body_rate`` and
            ``layer_decay``.
        measure: figures of the network given, asked for after each epoch with the averaged weights.
        watch: the figure, higher is better, that says which epoch was best.
        distance: how far outputs are from a teacher's, see `vedette_train.distill`.
        stored: True where targets are dicts with a teacher's stored outputs under "teacher".
        pictures: how many files examples are drawn from; of these the setting ``max_broken`` lets a share be broken.
            0 where `example` reads none, or sees to broken ones itself.
        rival: a network that learns beside it, because `loss` asks it; not kept.
        left_out: a line for each picture or label that the run does without from the beginning.
    """

    network: keras.Model
    loss: Callable[[Any, Any], Any]
    example: Callable[[np.random.Generator], Example]
    body: Sequence[keras.layers.Layer] = ()
    measure: Callable[[keras.Model], Mapping[str, float]] | None = None
    watch: str | None = None
    distance: Callable[[Any, Any], Any] = distance
    stored: bool = False
    pictures: int = 0
    rival: keras.Model | None = None
    left_out: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """A call of `fit` in progress.

    Attributes:
        settings: of the recipe.
        job: what is fitted.
        run: the folder.
        say: takes lines for a person.
        bar: whether Keras' progress bar is shown, in place of a line an epoch.
        worker: number of this process where several hosts train together.
        left_out: takes and tells of what the run does without.
    """

    settings: FitSettings
    job: Job
    run: Path
    say: Say
    bar: bool
    worker: int
    left_out: LeftOut
