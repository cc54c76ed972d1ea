"""An enhancer's examples and figures, and what the converter needs from its run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from vedette.types import Image
from vedette_train.artefacts import write_golden, write_references
from vedette_train.data.pairs import PAD_VALUE, Pair, Task, check_pairs, drawn_pair, fitted
from vedette_train.data.photos import Photo, read_photos
from vedette_train.data.pictures import leave_out_broken, read_rgb
from vedette_train.evaluate_enhance import before, decoded, figures
from vedette_train.folder import kept_network, save
from vedette_train.job import Example
from vedette_train.models.enhance import clean_network, curve_network, sr_network
from vedette_train.perceptual import picture_distance

if TYPE_CHECKING:
    from vedette_train.recipes.enhance import Settings

__all__ = ["Measure", "examples", "export_enhancer", "network_of"]

CALIBRATION_PICTURES = 48
REFERENCES = 4
TASKS = {"sr": "super-resolution", "denoise": "denoising", "lowlight": "low light", "restore": "restoration"}
REACH_PX = {"sr": 7, "denoise": 48, "restore": 48}
"""How far around a pixel of the answer the network looks at most, input pixels; a test measures it."""
STEP_PX = {"sr": 1, "denoise": 8, "restore": 8}
"""Tiles that begin at multiples of it are answered as the whole picture would be."""


def network_of(settings: Settings, size_wh: tuple[int, int]) -> keras.Model:
    """Return the network that the settings ask for, for inputs of `size_wh`; its weights fit all sizes."""
    given: dict[str, Any] = {"width": settings.width, "rounded": settings.rounded}
    if settings.kind == "sr":
        return sr_network(size_wh, scale=settings.scale, **given)
    if settings.kind == "lowlight":
        return curve_network(size_wh, iterations=settings.iterations, **given)
    return clean_network(size_wh, **given)


def examples(photos: Sequence[Photo], task: Task) -> Callable[[np.random.Generator], Example]:
    """Return what draws an example: a part of a photo that was spoiled, and what it was."""

    def example(rng: np.random.Generator) -> Example:
        photo = read_rgb(photos[int(rng.integers(len(photos)))].path)
        given, wanted = map(_real, drawn_pair(photo, task, rng))
        return given, {"given": given} if task.kind == "lowlight" else {"wanted": wanted}

    return example


def _real(image: Image) -> NDArray[np.float32]:
    """Return the real values that the network takes for `image`, uint8."""
    return image.astype(np.float32) / np.float32(255)


class Measure:
    """Figures of a network on photos of val, at the size that it is exported with.

    Args:
        photos: what is asked.
        settings: of the recipe.
    """

    def __init__(self, photos: Sequence[Photo], settings: Settings) -> None:
        self._photos, self.task = photos, settings.task
        self._network = network_of(settings, settings.input)
        self._backbone = settings.vivid
        self._pairs: list[Pair] = []

    @property
    def pairs(self) -> Sequence[Pair]:
        """What is given and what is wanted."""
        self._pairs = self._pairs or check_pairs(self._photos, self.task)
        return self._pairs

    def __call__(self, network: keras.Model) -> Mapping[str, float]:
        """Return `figures` of the network, whatever size it was built for; of a vivid one "apart" too."""
        self._network.set_weights(network.get_weights())
        found = [(wanted, self._answer(given)) for given, wanted in self.pairs]
        told = dict(figures(found, self.task))
        if self._backbone is not None:
            distances = [picture_distance(*pair, self._backbone) for pair in found]
            told["apart"] = round(float(np.mean(distances)), 4)
        return told

    def _answer(self, given: Image) -> Image:
        raw = self._network.predict_on_batch(_real(fitted(given, self.task))[None])
        return decoded(np.asarray(raw[self.task.output], np.float32)[0], given, self.task)


def export_enhancer(settings: Settings, run: Path) -> dict[str, Any]:
    """Write the network, contract, calibration, preprocessing and golden samples, and figures into `run`.

    Returns:
        The contract.
    """
    photos, task = read_photos(settings.data), settings.task
    network = kept_network(network_of(settings, settings.input), run)
    save(network, run / "model.keras")
    measure = Measure(photos["val"], settings)
    without = [(wanted, before(given, task)) for given, wanted in measure.pairs]
    told = {"float": measure(network), "without": figures(without, task)}
    (run / "metrics.json").write_text(json.dumps(told, indent=1))
    contract = _contract(settings)
    (run / "contract.json").write_text(json.dumps(contract, indent=2))
    calibration = _calibration(photos["train"], settings)
    np.savez_compressed(run / "calibration.npz", images=calibration)
    write_references(run, calibration[2 : 2 + REFERENCES], _real)
    write_golden(run)
    return contract


def _contract(settings: Settings) -> dict[str, Any]:
    task, kind = settings.task, settings.kind
    words = ["--data", str(settings.data.resolve()), "--kind", kind, "--scale", str(task.scale)]
    return {
        "schema": 1,
        "name": settings.model_name,
        "version": "1.0.0",
        "task": TASKS[kind],
        "head": _head(settings),
        "input": {
            "name": "image",
            "size_wh": list(settings.input),
            "color": "rgb",
            "resize": "stretch" if kind == "lowlight" else "letterbox",
            "pad_value": PAD_VALUE,
            "mean": [0.0, 0.0, 0.0],
            "std": [255.0, 255.0, 255.0],
        },
        "outputs": [{"name": task.output, "role": "curves" if kind == "lowlight" else "image"}],
        "labels": [],
        "threshold": 0.0,
        "license": "Apache-2.0",
        "training_data": [f"{len(read_photos(settings.data)['train'])} photos of {settings.data.name}"],
        "keras_modules": ["vedette_train.models.ranged"],
        "evaluation": {
            "command": ["-m", "vedette_train.judge_enhance", "{model}", *words],
            "limits": {"psnr": 0.1},
        },
    }


def _head(settings: Settings) -> dict[str, Any]:
    kind = settings.kind
    if kind == "lowlight":
        return {"type": "curves", "iterations": settings.iterations}
    places = {"reach_px": REACH_PX[kind], "step_px": STEP_PX[kind]}
    invents = {} if settings.vivid is None else {"invents": True}
    return {"type": "image-to-image", "scale": settings.task.scale, "range": "unit", **places, **invents}


def _calibration(photos: Sequence[Photo], settings: Settings) -> Image:
    """Return (N, H, W, 3) uint8: black and white, so that the input's range is all of 0..255, and spoiled parts."""
    rng, (width, height) = np.random.default_rng(1), settings.input
    square = Task(settings.kind, settings.task.scale, (max(width, height),) * 2)

    def picture(rng: np.random.Generator) -> Image:
        photo = photos[int(rng.integers(len(photos)))]
        return drawn_pair(read_rgb(photo.path), square, rng)[0][:height, :width]

    draw = leave_out_broken(picture, pictures=len(photos), max_broken=settings.max_broken)
    flat = [np.full((height, width, 3), level, np.uint8) for level in (0, 255)]
    return np.stack([*flat, *(draw(rng) for _ in range(CALIBRATION_PICTURES))])
