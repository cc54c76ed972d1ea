"""What happens at the end of each epoch: keep, measure, log, back up, tell, stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from vedette.errors import MissingDependencyError, VedetteError
from vedette_train.folder import figures, save_weights
from vedette_train.job import Fitting

__all__ = ["Log", "callbacks"]


def callbacks(
    fitting: Fitting, trainee: keras.Model, *, backup: Path, batches: Any
) -> list[keras.callbacks.Callback]:
    """Return Keras' callbacks and our own between them.

    Order matters: an epoch counts as done once its backup is written, and then all else of it is.

    Args:
        fitting: what goes on.
        trainee: the model that is compiled.
        backup: where Keras keeps what resuming needs.
        batches: is told the epoch's number in its attribute ``epoch``.

    Raises:
        MissingDependencyError: TensorBoard is asked for and not installed.
    """
    settings, job, run = fitting.settings, fitting.job, fitting.run
    log = run / "log.csv"
    averaged = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    averaged.set_model(trainee)
    averaged.set_params({"epochs": 0})  # to it no epoch is the last: its swap is always undone

    def begin(epoch: int, _logs: dict[str, float]) -> None:
        batches.epoch = epoch
        _reseed(job.network, epoch)

    def keep(epoch: int, logs: dict[str, float]) -> None:
        if not np.isfinite(logs["loss"]):
            raise VedetteError(
                f"the loss is not finite in epoch {epoch + 1}; {run} keeps the weights before it. Try a lower --rate."
            )
        averaged.on_epoch_end(epoch)
        save_weights(job.network, run / "ema.weights.h5")
        if job.measure is not None:
            logs.update(job.measure(job.network))
        if job.watch is not None and logs[job.watch] > max(figures(log, job.watch).values(), default=-np.inf):
            save_weights(job.network, run / "best.weights.h5")
        averaged.on_epoch_begin(epoch)

    def told(epoch: int, logs: dict[str, float]) -> None:
        fitting.left_out.tell()
        if not fitting.bar:
            fitting.say(
                f"epoch {epoch + 1}: " + ", ".join(f"{name} {value:.4f}" for name, value in logs.items())
            )
        if settings.patience and job.watch is not None:
            seen = figures(log, job.watch)
            trainee.stop_training = epoch - max(seen, key=lambda e: seen[e]) >= settings.patience

    return [
        keras.callbacks.LambdaCallback(on_epoch_begin=begin),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.LambdaCallback(on_epoch_end=keep),
        Log(str(log), append=True),
        *([_tensorboard(run / "tensorboard")] if settings.tensorboard else []),
        keras.callbacks.BackupAndRestore(str(backup), double_checkpoint=True, delete_checkpoint=False),
        keras.callbacks.LambdaCallback(on_epoch_end=told),
    ]


def _reseed(network: keras.Model, epoch: int) -> None:
    """Let dropout and its like draw in epoch `epoch` what they would in any run: no backup holds their state."""
    for layer in network.layers:
        generator = getattr(layer, "seed_generator", None)
        if isinstance(layer, keras.Model):
            _reseed(layer, epoch)
        elif generator is not None:
            seed = keras.ops.convert_to_numpy(generator.state).copy()
            seed[1] = epoch << 20  # it counts up with each draw
            generator.state.assign(seed)


class Log(keras.callbacks.CSVLogger):
    """Writes each epoch's figures; Keras' own adds columns ``val_*`` that nobody fills."""

    keys: list[str] | None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write a row."""
        self.keys = self.keys or sorted(logs or {})
        super().on_epoch_end(epoch, logs)


def _tensorboard(folder: Path) -> keras.callbacks.Callback:
    """Return what writes each epoch's figures for TensorBoard.

    Not `keras.callbacks.TensorBoard`, which writes by TensorFlow whatever the backend is.
    """
    try:
        from tensorboard.summary import Writer
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "TensorBoard is not installed: pip install 'vedette[tensorboard]'. log.csv holds the same figures."
        ) from error
    writer = Writer(str(folder))

    def write(epoch: int, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            writer.add_scalar(name, value, epoch)
        writer.flush()

    return keras.callbacks.LambdaCallback(on_epoch_end=write, on_train_end=lambda logs: writer.close())
