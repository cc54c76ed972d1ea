"""Learn from a teacher: a bigger network's outputs beside the labels (Hinton et al., Distilling the Knowledge, 2015).

A teacher is a `.keras` file or another run's folder, asked for each batch; or an ``.npz`` of stored outputs, for
recipes whose examples are single pictures: ``files`` (m,), names as the data has them, and ``outputs`` (m, ...).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from vedette.errors import ModelError, VedetteError

__all__ = ["Teacher", "distance", "open_teacher", "read_stored", "softened"]

Teacher: TypeAlias = Callable[[Any], Any]
"""From a batch of inputs to the outputs wanted."""

TEMPERATURE = 3.0


def open_teacher(path: Path, student: keras.Model) -> Teacher:
    """Return the network at `path`, a `.keras` file or a run, as a function; it learns nothing.

    Raises:
        ModelError: it cannot be read, or its input and outputs are not the student's.
    """
    file = path / "model.keras" if path.is_dir() else path
    try:
        network = keras.saving.load_model(file, compile=False)
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"cannot read the teacher {file}: {str(error).rstrip('.')}.") from error
    network.trainable = False
    theirs, mine = _shapes(network), _shapes(student)
    if theirs != mine:
        side = "x".join(map(str, mine["input"][1::-1]))
        raise ModelError(
            f"the teacher {file} has {theirs}, the network {mine}; both must be the same. A run's command with "
            f"--input {side} exports it anew at that size."
        )

    def answer(batch: Any) -> Any:
        outputs = network(batch, training=False)
        return keras.tree.map_structure(lambda t: ops.stop_gradient(ops.cast(t, "float32")), outputs)

    return answer


def _shapes(network: keras.Model) -> dict[str, Any]:
    outputs = network.compute_output_shape(network.input_shape)
    named = outputs if isinstance(outputs, Mapping) else {"output": outputs}
    return {"input": network.input_shape[1:], **{name: shape[1:] for name, shape in sorted(named.items())}}


def distance(student: Any, teacher: Any) -> Any:
    """Return how far outputs are from a teacher's: the mean over them of mean square over variance."""
    parts = [
        ops.mean(ops.square(mine - theirs)) / (ops.var(theirs) + 1e-6)
        for mine, theirs in zip(keras.tree.flatten(student), keras.tree.flatten(teacher), strict=True)
    ]
    return sum(parts) / len(parts)


def softened(student: Any, teacher: Any) -> Any:
    """Return the cross-entropy of logits (n, classes), softened by `TEMPERATURE`, times its square (ibid., 2.1)."""
    wanted = ops.softmax(teacher / TEMPERATURE)
    return -ops.mean(ops.sum(wanted * ops.log_softmax(student / TEMPERATURE), -1)) * TEMPERATURE**2


def read_stored(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return a file's stored outputs by picture.

    Raises:
        VedetteError: it is damaged or holds something else.
    """
    try:
        with np.load(path) as stored:
            files, outputs = stored["files"], np.asarray(stored["outputs"], np.float32)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise VedetteError(f"{path} is no .npz with 'files' and 'outputs': {error}.") from error
    if len(files) != len(outputs):
        raise VedetteError(f"{path} holds {len(outputs)} outputs for {len(files)} files; store them again.")
    return dict(zip(map(str, files), outputs, strict=True))
