"""Fit a network to a recipe's examples: what all recipes share. The rest of a recipe is in `vedette_train.recipes`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from vedette.errors import SettingsError, SinkError, VedetteError
from vedette_train.callbacks import callbacks
from vedette_train.data.pictures import leave_out_broken
from vedette_train.distill import Teacher, open_teacher
from vedette_train.folder import claim, devices, load_weights, save_weights
from vedette_train.job import Example, Fitting, Job, Say
from vedette_train.left_out import LeftOut
from vedette_train.optimizers import optimizer
from vedette_train.prune import prune, read_widths, write_widths
from vedette_train.settings import FitSettings

__all__ = ["Job", "fit"]

OUT_OF_MEMORY = re.compile(r"out of memory|resource_?exhausted|\boom\b", re.IGNORECASE)


def fit(
    settings: FitSettings,
    build: Callable[[], Job],
    run: Path,
    *,
    say: Say = lambda _line: None,
    bar: bool = False,
    worker: int = 0,
) -> Job:
    """Fit what `build` gives into the folder `run` and return it, with the averaged weights of the last epoch.

    Resumes where an earlier call was cut off: the epoch that was not finished is done again from its beginning.

    Args:
        settings: of the recipe.
        build: the recipe's `job`.
        run: the folder, see `vedette_train.folder`.
        say: takes lines for a person.
        bar: show Keras' own progress bar, with the loss as it changes, in place of a line an epoch.
        worker: number of this process where several hosts train together; each draws examples of its own.

    Raises:
        SettingsError: `run` was begun with other settings.
        VedetteError: the data cannot be read, the loss is not finite, or memory does not suffice.
    """
    claim(run, settings)
    cv2.setNumThreads(1)  # the workers are the threads
    keras.utils.set_random_seed(settings.seed)
    with _precision(settings.precision), _data_parallel(settings, say):
        job = _begun(settings, build(), run)
        left_out = LeftOut(run, say, job.left_out)
        left_out.tell()
        job = _whole(settings, job, left_out)
        fitting = Fitting(
            settings=settings, job=job, run=run, say=say, bar=bar, worker=worker, left_out=left_out
        )
        trainee = _Trainee(job, _teacher(settings, job), settings.teacher_weight)
        for part, first, last in _parts(settings, job):
            end = run / part / "end.weights.h5"
            if end.is_file():
                job.network.load_weights(str(end))
            else:
                _fit_part(fitting, trainee, part=part, first=first, last=last)
                save_weights(job.network, end)
    job.network.load_weights(str(run / "ema.weights.h5"))
    return job


def _parts(settings: FitSettings, job: Job) -> list[tuple[str, int, int]]:
    """Return name, first epoch and end of each part: with the body frozen, and with all weights free."""
    freeze = settings.freeze if job.body else 0
    parts = [("frozen", 0, freeze), ("backup", freeze, settings.epochs)]
    return [part for part in parts if part[1] < part[2]]


def _begun(settings: FitSettings, job: Job, run: Path) -> Job:
    """Return the job with the weights of ``init``, its network pruned where that is asked for."""
    if settings.init is None:
        return job
    network = load_weights(job.network, settings.init, settings.init / "ema.weights.h5")
    widths = read_widths(settings.init)
    if settings.prune:
        network, cut = prune(network, settings.prune)
        widths |= cut
    if widths:
        write_widths(run, widths)
    body = [network.get_layer(layer.name) for layer in job.body]
    return replace(job, network=network, body=body)


def _whole(settings: FitSettings, job: Job, left_out: LeftOut) -> Job:
    """Return the job with examples that pass over broken pictures."""
    if not job.pictures:
        return job
    example = leave_out_broken(
        job.example, pictures=job.pictures, max_broken=settings.max_broken, tell=left_out.add
    )
    return replace(job, example=example)


def _teacher(settings: FitSettings, job: Job) -> Teacher | None:
    """Return what answers for the teacher.

    Raises:
        SettingsError: stored outputs do not fit the recipe.
    """
    if settings.teacher is None or job.stored:
        return None
    if settings.teacher.suffix == ".npz":
        raise SettingsError(
            f"{settings.teacher} holds stored outputs, which need examples that are single pictures; this recipe "
            "composes its own. Give the teacher's .keras file."
        )
    return open_teacher(settings.teacher, job.network)


def _fit_part(fitting: Fitting, trainee: _Trainee, *, part: str, first: int, last: int) -> None:
    settings, job = fitting.settings, fitting.job
    for layer in job.body:
        layer.trainable = part != "frozen"
    trainee.compile(optimizer(settings, job, (last - first) * settings.steps), jit_compile=False)
    batches = _Batches(fitting, first)
    called = callbacks(fitting, trainee, backup=fitting.run / part, batches=batches)
    how = {"shuffle": False, "verbose": int(fitting.bar), "callbacks": called}
    try:
        # not shuffled: examples are random already, and a run that goes on must see what it would have seen
        trainee.fit(batches, initial_epoch=first, epochs=last, **how)
    except OSError as error:
        backup = fitting.run / part
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SinkError(
            f"{fitting.run} cannot be read or written: {why}. Make room on the disk; if {backup} was damaged, "
            "delete that folder: training then begins this part anew."
        ) from error
    except Exception as error:
        if OUT_OF_MEMORY.search(str(error)):
            raise VedetteError(
                f"memory does not suffice for batches of {settings.batch}; try --batch {max(1, settings.batch // 2)} "
                f"--accumulate {2 * settings.accumulate}."
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


@contextmanager
def _data_parallel(settings: FitSettings, say: Say) -> Iterator[None]:
    """Share each batch among all devices that JAX sees, by Keras' own distribution; other backends use one."""
    seen = devices()
    if not any(name.startswith(("gpu", "cuda", "tpu")) for name in seen):
        say(f"no GPU is seen by {keras.backend.backend()}; training on the CPU")
    if keras.backend.backend() != "jax" or len(seen) < 2:
        yield
        return
    if settings.batch % len(seen):
        raise SettingsError(
            f"a batch of {settings.batch} cannot be shared by {len(seen)} devices; give a multiple."
        )
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=seen))
    say(f"each batch is shared by {len(seen)} devices")
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


class _Batches(keras.utils.PyDataset):
    """Batches of examples; batch `i` of epoch `e` is the same in every run with the same seed."""

    def __init__(self, fitting: Fitting, epoch: int) -> None:
        super().__init__(workers=2, max_queue_size=6)
        self._example, self._settings = fitting.job.example, fitting.settings
        self._first = fitting.worker * fitting.settings.batch
        self.epoch = epoch

    def __len__(self) -> int:
        return self._settings.steps

    def __getitem__(self, index: int) -> Example:
        s = self._settings
        numbers = range(self._first, self._first + s.batch)
        made = [self._example(np.random.default_rng([s.seed, self.epoch, index, i])) for i in numbers]
        stacked: Example = keras.tree.map_structure(lambda *parts: np.stack(parts), *made)
        return stacked


class _Trainee(keras.Model):
    """The network with its loss over all outputs at once."""

    def __init__(self, job: Job, teacher: Teacher | None, teacher_weight: float) -> None:
        super().__init__(name="trainee")
        self.network, self.rival = job.network, job.rival
        self._loss, self._distance = job.loss, job.distance
        self._teacher, self._teacher_weight = teacher, teacher_weight
        self._stored = job.stored
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
        """Return the loss of a batch, shared with the distance from the teacher where there is one."""
        outputs = keras.tree.map_structure(lambda t: keras.ops.cast(t, "float32"), y_pred)
        loss = self._loss(y, outputs)
        if self._teacher is None and not self._stored:
            return loss
        wanted = y["teacher"] if self._teacher is None else self._teacher(x)
        weight = self._teacher_weight
        return (1 - weight) * loss + weight * self._distance(outputs, wanted)
