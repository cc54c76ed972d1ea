"""Quantize a Keras model to full int8. Runs as a child process: the converter leaks memory and prints."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.errors import MissingDependencyError, VedetteError

__all__ = ["float_answers", "quantize"]

TIMEOUT_S = 1800


def quantize(model: Path, calibration: Path, out: Path) -> None:
    """Write the network in `model`, a ``.keras`` file, as full int8 to `out`: uint8 input, int8 outputs, batch 1.

    Weights are quantized per channel, activations by the minimum and maximum seen on `calibration`, an ``.npz`` with
    ``images`` (N, H, W, 3) uint8. Names of inputs and outputs are kept in the signature.

    Raises:
        MissingDependencyError: TensorFlow is not installed.
        VedetteError: the conversion failed; the converter's last words are in the message.
    """
    _child("convert", model, calibration, out)


def float_answers(model: Path, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Return what the float network in `model` says of `images` (N, H, W, 3): output name -> (N, ...).

    Raises:
        As `quantize`.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(given, images=images)
        _child("answer", model, given, out)
        with np.load(out) as answers:
            return dict(answers)


def _child(task: str, *paths: Path) -> None:
    command = [sys.executable, "-m", "vedette_convert.quantize", task, *map(str, paths)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise VedetteError(
            f"converting {paths[0]} took longer than {TIMEOUT_S} s and was stopped."
        ) from error
    if "No module named 'tensorflow'" in done.stderr or "No module named 'keras'" in done.stderr:
        raise MissingDependencyError("converting needs TensorFlow and Keras: pip install 'vedette[convert]'.")
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"ended by signal {-done.returncode}"])[-1]
        raise VedetteError(f"converting {paths[0]} failed: {last}")


def _convert(model_path: Path, calibration: Path, out: Path) -> None:
    import keras
    import tensorflow as tf

    model = keras.saving.load_model(model_path, compile=False)
    images = np.load(calibration)["images"]
    spec = keras.InputSpec(shape=(1, *model.inputs[0].shape[1:]), dtype="float32", name=model.inputs[0].name)

    def pictures() -> Iterator[dict[str, np.ndarray]]:
        for image in images:
            yield {spec.name: image[None].astype(np.float32) / 255}

    with tempfile.TemporaryDirectory() as folder:
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint("serve", lambda x: model(x, training=False), input_signature=[spec])
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = pictures
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8
        out.write_bytes(converter.convert())


def _answer(model_path: Path, given: Path, out: Path) -> None:
    import keras

    model = keras.saving.load_model(model_path, compile=False)
    images = np.load(given)["images"]
    parts = [model(image[None].astype(np.float32) / 255, training=False) for image in images]
    answers: dict[str, Any] = {n: np.concatenate([np.asarray(part[n]) for part in parts]) for n in parts[0]}
    np.savez(out, **answers)


if __name__ == "__main__":
    os.environ["KERAS_BACKEND"] = "tensorflow"  # keras reads it when imported, in this child process alone
    {"convert": _convert, "answer": _answer}[sys.argv[1]](*(Path(argument) for argument in sys.argv[2:5]))
