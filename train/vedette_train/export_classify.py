"""A classifier's examples and figures, and what the converter needs from its run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from vedette.errors import SettingsError, VedetteError
from vedette.heads import classify
from vedette.types import Image, Tensor
from vedette_train.artefacts import write_golden, write_references
from vedette_train.data.classes import PAD_VALUE, fitted, normalized, seen_anew
from vedette_train.data.leaks import without_copies
from vedette_train.data.pictures import leave_out_broken, read_rgb, readable
from vedette_train.data.samples import ClassificationSet, ClassPhoto, ClassPhotos
from vedette_train.data.splits import open_classes
from vedette_train.distill import read_stored
from vedette_train.evaluate_classify import classify_figures, confusion, surest_threshold
from vedette_train.folder import kept_network, save
from vedette_train.job import Example
from vedette_train.models.classify import classify_network
from vedette_train.plots import draw_confusion, draw_sheet
from vedette_train.transfer import MEAN, STD

if TYPE_CHECKING:
    from vedette_train.recipes.classify import Settings

__all__ = ["Measure", "examples", "export_classifier", "learned", "smoothed_loss"]

CALIBRATION_PICTURES = 200
REFERENCES = 4
WORST = 24
AT_ONCE = 32


def learned(settings: Settings, found: ClassificationSet) -> tuple[ClassPhotos, list[str]]:
    """Return the photos to learn from, and a line for each one that is left out.

    Raises:
        VedetteError: all of them are copies of other splits' pictures.
    """
    return (found.splits["train"], []) if settings.keep_leaks else without_copies(found.splits)


def examples(
    photos: ClassPhotos, size_wh: tuple[int, int], stored: Path | None, classes: int
) -> Callable[[np.random.Generator], Example]:
    """Return what draws an example: a photo seen anew and its class, and a teacher's `stored` outputs where given.

    Raises:
        SettingsError: the stored outputs are not those of these photos.
    """
    outputs = {} if stored is None else _stored(stored, photos, classes)

    def example(rng: np.random.Generator) -> Example:
        i = int(rng.integers(len(photos)))
        image = normalized(seen_anew(read_rgb(photos[i].path), size_wh, rng))
        target = {"class_id": photos.class_id[i]}
        if outputs:
            target["teacher"] = {"logits": outputs[photos.files[i]]}
        return image, target

    return example


def _stored(path: Path, photos: ClassPhotos, classes: int) -> dict[str, NDArray[np.float32]]:
    outputs = read_stored(path)
    missing = [file for file in photos.files if file not in outputs]
    shapes = {row.shape for row in outputs.values()}
    if missing or shapes != {(classes,)}:
        raise SettingsError(
            f"{path} holds outputs of {sorted(shapes)} and lacks {len(missing)} of {len(photos)} photos, such as "
            f"{next(iter(missing), 'none')}; wanted are {classes} logits for each."
        )
    return outputs


def smoothed_loss(smoothing: float, classes: int) -> Callable[[Any, Any], Any]:
    """Return the mean cross-entropy of logits with smoothed labels, as a function of (target, outputs)."""

    def loss(target: Any, outputs: Any) -> Any:
        wanted = ops.one_hot(target["class_id"], classes) * (1 - smoothing) + smoothing / classes
        return -ops.mean(ops.sum(wanted * ops.log_softmax(outputs["logits"]), -1))

    return loss


class Measure:
    """Figures of a network on photos, which are read once; those that cannot be read are left out.

    Args:
        photos: what is asked.
        labels: names of the classes.
        size_wh: of the network's input.
    """

    def __init__(self, photos: Sequence[ClassPhoto], labels: Sequence[str], size_wh: tuple[int, int]) -> None:
        self._labels, self._size_wh = labels, size_wh
        self._photos, self._fitted = list(photos), np.zeros((0, *size_wh[::-1], 3), np.uint8)

    def __call__(self, network: keras.Model) -> Mapping[str, float]:
        """Return the figures that are numbers."""
        answered, _ = self.answers(network)
        figures = classify_figures(answered, self.wanted, self._labels)
        return {name: value for name, value in figures.items() if isinstance(value, float)}

    def answers(self, network: keras.Model) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return each photo's best class (n,) and its score (n,), decoded as on the device."""
        self._read()
        rows = [
            classify.decode(Tensor("logits", row[None], 0.0, 0), min_score=0.0, top=1)
            for start in range(0, len(self._fitted), AT_ONCE)
            for row in _logits(network, self._fitted[start : start + AT_ONCE])
        ]
        return np.array([i[0] for i, _ in rows], np.int32), np.array([s[0] for _, s in rows], np.float32)

    @property
    def photos(self) -> list[ClassPhoto]:
        """The photos that `answers` tells of, in that order."""
        self._read()
        return self._photos

    @property
    def wanted(self) -> NDArray[np.int32]:
        """The class of each photo, (n,)."""
        return np.array([photo.class_id for photo in self.photos], np.int32)

    def _read(self) -> None:
        if len(self._fitted):
            return
        pictures = [(photo, fitted(image, self._size_wh)) for photo, image in readable(self._photos)]
        if not pictures:
            raise VedetteError("none of the val pictures can be read; `vedette data check` lists why.")
        self._photos, self._fitted = [p for p, _ in pictures], np.stack([image for _, image in pictures])


def _logits(network: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (n, classes); always asked in full batches, so that no other size is ever compiled."""
    full = np.concatenate([images, np.zeros((AT_ONCE - len(images), *images.shape[1:]), np.uint8)])
    return np.asarray(network.predict_on_batch(normalized(full))["logits"], np.float32)[: len(images)]


def export_classifier(settings: Settings, run: Path) -> dict[str, Any]:
    """Write the network, contract, calibration, preprocessing and golden samples, and figures into `run`.

    Returns:
        The contract; its threshold is tuned on the val split.
    """
    found = open_classes(settings.data)
    labels, train, val = found.classes, found.splits["train"], found.splits["val"]
    _, network = classify_network(settings.input, classes=len(labels), backbone=settings.backbone)
    network = kept_network(network, run)
    save(network, run / "model.keras")
    measure = Measure(val, labels, settings.input)
    (answered, score), wanted = measure.answers(network), measure.wanted
    contract = _contract(settings, labels, surest_threshold(score, answered == wanted))
    (run / "contract.json").write_text(json.dumps(contract, indent=2))
    figures = classify_figures(answered, wanted, labels)
    (run / "metrics.json").write_text(json.dumps({"float": figures}, indent=1))
    draw_confusion(run / "confusion.png", confusion(answered, wanted, len(labels)), labels)
    draw_sheet(run / "worst.png", _worst(measure.photos, answered, score, labels))
    np.savez_compressed(
        run / "calibration.npz", images=_calibration(train, settings.input, settings.max_broken)
    )
    pictures = [read_rgb(p.path) for p in measure.photos[:: max(1, len(wanted) // REFERENCES)][:REFERENCES]]
    write_references(run, pictures, lambda image: normalized(fitted(image, settings.input)))
    write_golden(run)
    return contract


def _worst(
    photos: Sequence[ClassPhoto],
    answered: NDArray[np.int32],
    score: NDArray[np.float32],
    labels: Sequence[str],
) -> list[tuple[Image, str]]:
    """Return wrongly answered photos, the surest first, with what was answered and what it is."""
    wrong = [i for i in np.argsort(-score) if photos[i].class_id != answered[i]][:WORST]
    return [
        (
            read_rgb(photos[i].path),
            f"{labels[answered[i]]} {score[i]:.2f}, is {labels[photos[i].class_id]}\n{photos[i].path.name[:24]}",
        )
        for i in wrong
    ]


def _contract(settings: Settings, labels: Sequence[str], threshold: float) -> dict[str, Any]:
    data = str(settings.data.resolve())
    return {
        "schema": 1,
        "name": settings.name,
        "version": "1.0.0",
        "task": "classification",
        "head": {"type": "classify"},
        "input": {
            "name": "image",
            "size_wh": list(settings.input),
            "color": "rgb",
            "resize": "letterbox",
            "pad_value": PAD_VALUE,
            "mean": [MEAN] * 3,
            "std": [STD] * 3,
        },
        "outputs": [{"name": "logits", "role": "logits"}],
        "labels": list(labels),
        "threshold": threshold,
        "license": "Apache-2.0",
        "training_data": [settings.data.name],
        "evaluation": {"command": ["-m", "vedette_train.judge_classify", "{model}", "--data", data]},
    }


def _calibration(photos: ClassPhotos, size_wh: tuple[int, int], max_broken: float) -> NDArray[np.uint8]:
    """Return (N, H, W, 3) uint8: black and white, so that the input's range is all of 0..255, and training pictures."""
    rng = np.random.default_rng(1)
    draw = leave_out_broken(
        lambda rng: read_rgb(photos[int(rng.integers(len(photos)))].path),
        pictures=len(photos),
        max_broken=max_broken,
    )
    pictures = [np.full((*size_wh[::-1], 3), level, np.uint8) for level in (0, 255)]
    while len(pictures) < CALIBRATION_PICTURES:
        image = draw(rng)
        pictures.append(fitted(image, size_wh) if len(pictures) % 2 else seen_anew(image, size_wh, rng))
    return np.stack(pictures)
