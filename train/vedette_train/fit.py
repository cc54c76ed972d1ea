"""Fit a network to a recipe's examples: what all recipes share. The rest of a recipe is in `vedette_train.recipes`.

A run folder keeps ``settings.json``, ``log.csv``, ``backup/`` (for resuming) and ``ema.weights.h5``, the moving average
of the weights, renewed after each epoch; where a recipe measures, ``best.weights.h5`` too.
"""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import keras
import numpy as np

from vedette.errors import SettingsError, VedetteError
from vedette_train.settings import FitSettings

__all__ = ["Job", "fit", "kept_weights"]

Example: TypeAlias = tuple[Any, Any]
Say: TypeAlias = Callable[[str], None]
OUT_OF_MEMORY = ("out of memory", "resource_exhausted", "oom")


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a recipe gives to be fitted.

    Attributes:
        network: what is kept.
        loss: the scalar loss of (target, outputs); both as batches, outputs in float32.
        example: the input and target of one example, arrays or dicts of arrays, from a generator of its own; called
            from several threads.
        body: layers of the pre-trained part, for `FitSettings.freeze` and ``body_rate``.
        measure: figures of the network as it stands, asked for after each epoch with the averaged weights.
        watch: the figure, higher is better, that says which epoch was best.
    """

    network: keras.Model
    loss: Callable[[Any, Any], Any]
    example: Callable[[np.random.Generator], Example]
    body: Sequence[keras.layers.Layer] = ()
    measure: Callable[[], Mapping[str, float]] | None = None
    watch: str | None = None


def fit(settings: FitSettings, build: Callable[[], Job], run: Path, *, say: Say = lambda _line: None) -> Job:
    """Fit what `build` gives into the folder `run` and return it, with the averaged weights of the last epoch.

    Resumes where an earlier call was cut off: the epoch that was not finished is done again from its beginning.

    Raises:
        SettingsError: `run` was begun with other settings.
        VedetteError: the data cannot be read, the loss is not finite, or memory does not suffice.
    """
    _claim(run, settings)
    cv2.setNumThreads(1)  # the workers are the threads
    keras.utils.set_random_seed(settings.seed)
    with _precision(settings.precision):
        job = build()
        trainee = _Trainee(job)
        if settings.init is not None:
            job.network.load_weights(str(settings.init / "ema.weights.h5"))
        for part, first, last in _parts(settings, job):
            end = run / part / "end.weights.h5"
            if end.is_file():
                job.network.load_weights(str(end))
            else:
                _fit_part(settings, job, trainee, run, part=part, first=first, last=last, say=say)
                job.network.save_weights(str(end))
    job.network.load_weights(str(run / "ema.weights.h5"))
    return job


def kept_weights(run: Path) -> Path:
    """Return the weights of `run` that are to be used: the best epoch's where the recipe measures, else the last's."""
    best = run / "best.weights.h5"
    return best if best.is_file() else run / "ema.weights.h5"


def _parts(settings: FitSettings, job: Job) -> list[tuple[str, int, int]]:
    """Return name, first epoch and end of each part: with the body frozen, and with all weights free."""
    freeze = settings.freeze if job.body else 0
    parts = [("frozen", 0, freeze), ("backup", freeze, settings.epochs)]
    return [part for part in parts if part[1] < part[2]]


def _fit_part(
    settings: FitSettings,
    job: Job,
    trainee: _Trainee,
    run: Path,
    *,
    part: str,
    first: int,
    last: int,
    say: Say,
) -> None:
    for layer in job.body:
        layer.trainable = part != "frozen"
    trainee.compile(_optimizer(settings, job, (last - first) * settings.steps), jit_compile=False)
    batches = _Batches(job, settings, first)
    callbacks = _callbacks(settings, job, trainee, run, backup=run / part, batches=batches, say=say)
    try:
        # not shuffled: examples are random already, and a run that goes on must see what it would have seen
        trainee.fit(batches, initial_epoch=first, epochs=last, shuffle=False, verbose=0, callbacks=callbacks)
    except Exception as error:
        if any(word in str(error).lower() for word in OUT_OF_MEMORY):
            raise VedetteError(
                f"memory does not suffice for batches of {settings.batch}; try --batch {max(1, settings.batch // 2)} "
                "--accumulate 2."
            ) from error
        raise


@contextmanager
def _precision(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class _Optimizer(keras.optimizers.AdamW):
    """AdamW whose learning rate differs for some weights."""

    def __init__(self, *args: Any, factors: Mapping[str, float], **options: Any) -> None:
        super().__init__(*args, name="adamw", **options)
        self._factors = factors

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        # TensorFlow hands over its own variable, which knows no path
        path = self._trainable_variables[self._get_variable_index(variable)].path
        super().update_step(gradient, variable, learning_rate * self._factors.get(path, 1.0))


def _optimizer(settings: FitSettings, job: Job, total: int) -> keras.optimizers.Optimizer:
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.rate / 20,
        max(1, total - settings.steps),
        alpha=0.01,
        warmup_target=settings.rate,
        warmup_steps=settings.steps,
    )
    options = {
        "weight_decay": 0.01,
        "clipnorm": 10.0,
        "use_ema": True,
        "ema_momentum": min(0.998, max(0.0, 1 - 10 / total)),
        "gradient_accumulation_steps": settings.accumulate if settings.accumulate > 1 else None,
    }
    if not job.body or settings.body_rate == 1:
        return keras.optimizers.AdamW(schedule, **options)
    factors = {v.path: settings.body_rate for layer in job.body for v in layer.trainable_variables}
    return _Optimizer(schedule, factors=factors, **options)


class _Batches(keras.utils.PyDataset):
    """Batches of examples; batch `i` of epoch `e` is the same in every run with the same seed."""

    def __init__(self, job: Job, settings: FitSettings, epoch: int) -> None:
        super().__init__(workers=2, max_queue_size=6)
        self._example, self._settings = job.example, settings
        self.epoch = epoch

    def __len__(self) -> int:
        return self._settings.steps

    def __getitem__(self, index: int) -> Example:
        s = self._settings
        made = [self._example(np.random.default_rng([s.seed, self.epoch, index, i])) for i in range(s.batch)]
        stacked: Example = keras.tree.map_structure(lambda *parts: np.stack(parts), *made)
        return stacked


class _Trainee(keras.Model):
    """The network with its loss over all outputs at once."""

    def __init__(self, job: Job) -> None:
        super().__init__(name="trainee")
        self.network = job.network
        self._loss = job.loss
        self.build(job.network.input_shape)

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Return the network's outputs."""
        return self.network(x, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the loss of a batch."""
        return self._loss(y, keras.tree.map_structure(lambda t: keras.ops.cast(t, "float32"), y_pred))


def _claim(run: Path, settings: FitSettings) -> None:
    run.mkdir(parents=True, exist_ok=True)
    path = run / "settings.json"
    asked = {f.name: getattr(settings, f.name) for f in fields(settings) if not f.metadata.get("export")}
    mine = json.loads(json.dumps(asked, default=str))
    if path.exists() and (old := json.loads(path.read_text())["settings"]) != mine:
        changed = [k for k in mine if old.get(k) != mine[k]]
        raise SettingsError(
            f"{run} was begun with other settings ({', '.join(changed)}); give another --out."
        )
    versions = {
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "python": platform.python_version(),
    }
    path.write_text(json.dumps({"settings": mine, "versions": versions}, indent=2))


def _callbacks(
    settings: FitSettings,
    job: Job,
    trainee: _Trainee,
    run: Path,
    *,
    backup: Path,
    batches: _Batches,
    say: Say,
) -> list[keras.callbacks.Callback]:
    """Order matters: an epoch counts as done once its backup is written, and then all else of it is."""
    log = run / "log.csv"
    averaged = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    averaged.set_model(trainee)
    averaged.set_params({"epochs": 0})  # to it no epoch is the last: its swap is always undone

    def keep(epoch: int, logs: dict[str, float]) -> None:
        if not np.isfinite(logs["loss"]):
            raise VedetteError(
                f"the loss is not finite in epoch {epoch + 1}; {run} keeps the weights before it. Try a lower --rate."
            )
        averaged.on_epoch_end(epoch)
        job.network.save_weights(str(run / "ema.weights.h5"))
        if job.measure is not None:
            logs.update(job.measure())
        if job.watch is not None and logs[job.watch] > max(
            _figures(log, job.watch).values(), default=-np.inf
        ):
            job.network.save_weights(str(run / "best.weights.h5"))
        averaged.on_epoch_begin(epoch)

    def told(epoch: int, logs: dict[str, float]) -> None:
        say(f"epoch {epoch + 1}: " + ", ".join(f"{name} {value:.4f}" for name, value in logs.items()))
        if settings.patience and job.watch is not None:
            seen = _figures(log, job.watch)
            trainee.stop_training = epoch - max(seen, key=lambda e: seen[e]) >= settings.patience

    return [
        keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(batches, "epoch", epoch)),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.LambdaCallback(on_epoch_end=keep),
        keras.callbacks.CSVLogger(str(log), append=True),
        keras.callbacks.BackupAndRestore(str(backup), delete_checkpoint=False),
        keras.callbacks.LambdaCallback(on_epoch_end=told),
    ]


def _figures(log: Path, name: str) -> dict[int, float]:
    """Return the figure `name` of each epoch so far; of one that was done twice, the later."""
    if not log.is_file():
        return {}
    with log.open(newline="", encoding="utf-8") as file:
        return {int(row["epoch"]): float(row[name]) for row in csv.DictReader(file)}
