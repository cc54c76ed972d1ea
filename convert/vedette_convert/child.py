"""TensorFlow's part, run as a program: the converter leaks memory and prints, so each conversion has its own process.

    python -m vedette_convert.child float IN OUT PICTURE.npy ANSWERS.npz [MODULE ...]
    python -m vedette_convert.child int8 IN OUT SETTINGS.json

The last line on stderr says what went wrong.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["main"]


class _Refused(Exception):
    """The model cannot be converted as it is; the message says what to do."""


def main(words: list[str]) -> int:
    """Do what `words` say and return the exit code."""
    os.environ["KERAS_BACKEND"] = "tensorflow"  # keras reads it when imported, in this process alone
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    task, *rest = words
    try:
        (_float if task == "float" else _int8)(*rest)
    except _Refused as error:
        sys.stderr.write(f"\nREFUSED: {error}\n")
        return 3
    return 0


def _float(source: str, out: str, picture: str, answers: str, *modules: str) -> None:
    """Write the float network, and what the source itself answers to `picture`, (1, H, W, 3) real values."""
    for module in modules:
        importlib.import_module(module)  # registers the model's own layers with Keras
    hold, call, name, shape = (_keras if source.endswith(".keras") else _saved_model)(Path(source))
    size = [n for n in shape[1:] if n is not None]
    if len(shape) != 4 or len(size) != 3:
        raise _Refused(
            f"its input is {shape}; one picture (1, H, W, 3) of a fixed size is needed. Export it with that size."
        )
    import tensorflow as tf

    given = np.load(picture)
    if given.shape[1:] != tuple(size):
        raise _Refused(f"its input is {shape}, the pictures given are {given.shape}; they must be equal.")
    with tempfile.TemporaryDirectory() as folder:
        module = _static(hold, call, name, (1, *size))
        tf.saved_model.save(module, folder, signatures=module.serve)
        said: dict[str, Any] = {key: np.asarray(v) for key, v in module.serve(**{name: given}).items()}
        np.savez(answers, **said)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        Path(out).write_bytes(converter.convert())


def _static(hold: Any, call: Any, name: str, shape: tuple[int, ...]) -> Any:
    """Return a tf.Module whose function `serve` takes exactly `shape`."""
    import tensorflow as tf

    module = tf.Module()
    module.hold = (
        hold  # variables that nothing holds are not saved, and the network converts to NaN without a word
    )
    spec = tf.TensorSpec(shape, tf.float32, name)
    module.serve = tf.function(lambda **given: call(given[name]), autograph=False).get_concrete_function(
        **{name: spec}
    )
    return module


def _keras(path: Path) -> tuple[Any, Any, str, tuple[int | None, ...]]:
    import keras

    model = keras.saving.load_model(path, compile=False)
    if len(model.inputs) != 1:
        raise _Refused(f"it has {len(model.inputs)} inputs; a network of one picture is needed.")

    def call(image: Any) -> Mapping[str, Any]:
        answer = model(image, training=False)
        return (
            answer
            if isinstance(answer, Mapping)
            else dict(zip(model.output_names, _list(answer), strict=True))
        )

    values = [variable.value for variable in model.variables]
    return values, call, model.inputs[0].name, tuple(model.inputs[0].shape)


def _saved_model(path: Path) -> tuple[Any, Any, str, tuple[int | None, ...]]:
    import tensorflow as tf

    model = tf.saved_model.load(str(path))
    signatures = dict(model.signatures)
    if not signatures:
        raise _Refused(
            "it has no signature; save it with one (keras: model.export, ExportArchive.add_endpoint)."
        )
    function = signatures.get("serving_default") or next(iter(signatures.values()))
    inputs = function.structured_input_signature[1]
    if len(inputs) != 1:
        raise _Refused(f"it has the inputs {sorted(inputs)}; a network of one picture is needed.")
    ((name, spec),) = inputs.items()
    if spec.shape.rank is None:
        raise _Refused("its input has no fixed number of dimensions; export it with (1, H, W, 3).")
    return model, lambda image: function(**{name: image}), name, tuple(spec.shape)


def _list(answer: Any) -> list[Any]:
    return list(answer) if isinstance(answer, list | tuple) else [answer]


def _int8(source: str, out: str, settings: str) -> None:
    """Quantize a float network whose tensors carry their ranges, or fake quantization, in the file."""
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    wanted = json.loads(Path(settings).read_text())
    types = {"uint8": tf.uint8, "int8": tf.int8, "float32": tf.float32}
    network = mlir_quantize(
        Path(source).read_bytes(),
        input_data_type=types[wanted["input"]],
        output_data_type=types[wanted["output"]],
        denylisted_nodes=set(wanted["float_nodes"]) or None,
    )
    Path(out).write_bytes(network)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
