"""Write what the converter needs from a detector's run, and measure its float network by the device's own code."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from vedette.errors import VedetteError
from vedette.heads import detect
from vedette.ops.images import letterbox
from vedette.types import Image, Tensor
from vedette_train.data.leaks import without_copies
from vedette_train.data.mosaic import PAD_VALUE, ObjectScenes
from vedette_train.data.objects import ObjectPhoto
from vedette_train.data.pictures import leave_out_broken, read_rgb, readable
from vedette_train.data.samples import DetectionSet, ObjectPhotos
from vedette_train.data.splits import open_set, split_of
from vedette_train.evaluate import covered
from vedette_train.evaluate_detect import Found, Judged, best_threshold, coco_figures, judge, truth_of
from vedette_train.folder import kept_network, save
from vedette_train.models.detect import STRIDES, body_and_network
from vedette_train.plots import draw_precision
from vedette_train.transfer import MEAN, STD
from vedette_train.worst import Answer, at_threshold, draw_worst

if TYPE_CHECKING:
    from vedette_train.recipes.detect import Settings

__all__ = ["NMS_IOU", "detect_float", "export_detector", "figures", "learned", "normalized", "read_set"]

NMS_IOU = 0.55
LEAST_SCORE = 0.02
CALIBRATION_PICTURES = 200
REFERENCES = 4
GOLDEN_SIDE = 160


def normalized(image: Image) -> NDArray[np.float32]:
    """Return the real values that the network takes for `image`, uint8."""
    return (image.astype(np.float32) - np.float32(MEAN)) / np.float32(STD)


def read_set(settings: Settings) -> DetectionSet:
    """Return the data, as `settings` say how to read it."""
    s = settings
    return open_set(s.data, classes=s.classes, partial=s.partial, format=s.format, max_broken=s.max_broken)


def learned(settings: Settings, found: DetectionSet) -> tuple[ObjectPhotos, list[str]]:
    """Return the photos to learn from, and a line for each picture or label that is left out.

    Raises:
        SettingsError: there is no split "train".
        VedetteError: all of it are copies of other splits' pictures.
    """
    train = split_of(found, "train")
    flaws = [f"{flaw.where}: {flaw.what}" for flaw in found.flaws]
    if settings.keep_leaks:
        return train, flaws
    kept, copies = without_copies(found.splits)
    return kept, [*flaws, *copies]


def detect_float(network: keras.Model, size_wh: tuple[int, int], image: Image) -> Found:
    """Return what `network` finds in `image`, (H, W, 3) uint8 RGB, in its pixels, decoded as on the device."""
    fitted, box = letterbox(image, size_wh, pad_value=PAD_VALUE)
    raw = network.predict_on_batch(normalized(fitted)[None])
    tensors = [Tensor(name, np.asarray(raw[name], np.float32), 0.0, 0) for name in _output_names()]
    xyxy, score, class_id = detect.decode(tensors, STRIDES, min_score=LEAST_SCORE, nms_iou=NMS_IOU)
    height, width = image.shape[:2]
    limits = np.array((width, height, width, height), np.float32)
    return Found(np.clip(box.to_picture(xyxy), np.float32(0), limits), score, class_id)


def _answers(
    network: keras.Model, size_wh: tuple[int, int], photos: Sequence[ObjectPhoto]
) -> list[tuple[ObjectPhoto, Found]]:
    """Return each photo that can be read, and what is found there."""
    answers = [(photo, detect_float(network, size_wh, image)) for photo, image in readable(photos)]
    if not answers:
        raise VedetteError("none of the val pictures can be read; `vedette data check` lists why.")
    return answers


def _judge(answers: Sequence[tuple[ObjectPhoto, Found]], labels: Sequence[str]) -> Judged:
    truths, found = [truth_of(photo) for photo, _ in answers], [one for _, one in answers]
    return judge(truths, found, classes=len(labels))


def figures(
    network: keras.Model, size_wh: tuple[int, int], photos: Sequence[ObjectPhoto], labels: Sequence[str]
) -> Mapping[str, Any]:
    """Return COCO's figures of the float network on `photos`, see `vedette_train.evaluate_detect.coco_figures`."""
    return coco_figures(_judge(_answers(network, size_wh, photos), labels), labels)


def _output_names() -> list[str]:
    return [f"{role}_{stride}" for stride in STRIDES for role in ("score", "box")]


def export_detector(settings: Settings, run: Path) -> dict[str, Any]:
    """Write the network, its contract, calibration, preprocessing and golden samples, and metrics into `run`.

    Returns:
        The contract; its threshold is tuned on the val split.
    """
    data = read_set(settings)
    labels, train, val = data.classes, split_of(data, "train"), split_of(data, "val")
    size_wh = settings.input
    network = body_and_network(size_wh, classes=len(labels), backbone=settings.backbone)[1]
    network = kept_network(network, run)
    save(network, run / "model.keras")
    answers = _answers(network, size_wh, val)
    judged = _judge(answers, labels)
    threshold = best_threshold(judged)
    contract = _contract(settings, labels, sorted({photo.origin for photo in train}), threshold)
    (run / "contract.json").write_text(json.dumps(contract, indent=2))
    (run / "metrics.json").write_text(json.dumps({"float": coco_figures(judged, labels)}, indent=1))
    recall, precision = (
        np.linspace(0, 1, judged.precision.shape[1]),
        np.maximum(judged.precision[0, :, :, 0], 0),
    )
    draw_precision(run / "pr_curves.png", {name: (recall, precision[:, k]) for k, name in enumerate(labels)})
    draw_worst(run / "worst.png", [at_threshold(_answer(*one), threshold) for one in answers])
    np.savez_compressed(run / "calibration.npz", images=_calibration(settings, train, len(labels)))
    np.savez_compressed(run / "preprocessing.npz", **_references(val, size_wh))
    cv2.imwrite(str(run / "golden.png"), _golden())
    return contract


def _answer(photo: ObjectPhoto, found: Found) -> Answer:
    truth = truth_of(photo)
    sure = ~truth.ignored
    excused = ~np.isin(found.class_id, list(truth.labelled)) | covered(found.xyxy, truth.xyxy[~sure])
    alike = found.class_id[:, None] == truth.class_id[sure]
    return Answer(photo.path, found.xyxy, found.score, excused, truth.xyxy[sure], alike)


def _contract(
    settings: Settings, labels: Sequence[str], origins: Sequence[str], threshold: float
) -> dict[str, Any]:
    data = str(settings.data.resolve())
    words = ["-m", "vedette_train.judge_detect", "{model}", "--data", data, "--classes", ",".join(labels)]
    return {
        "schema": 1,
        "name": settings.name,
        "version": "1.0.0",
        "task": "object-detection",
        "head": {"type": "detect", "strides": list(STRIDES), "nms_iou": NMS_IOU},
        "input": {
            "name": "image",
            "size_wh": list(settings.input),
            "color": "rgb",
            "resize": "letterbox",
            "pad_value": PAD_VALUE,
            "mean": [MEAN] * 3,
            "std": [STD] * 3,
        },
        "outputs": [
            {"name": name, "role": name.partition("_")[0], "stride": int(name.partition("_")[2])}
            for name in _output_names()
        ],
        "labels": list(labels),
        "threshold": threshold,
        "license": "Apache-2.0",
        "training_data": list(origins),
        "evaluation": {"command": [*words, "--partial", settings.partial, "--format", settings.format]},
    }


def _calibration(settings: Settings, photos: Sequence[ObjectPhoto], classes: int) -> NDArray[np.uint8]:
    """Return (N, H, W, 3) uint8: black and white, so that the input's range is all of 0..255, and training pictures."""
    size_wh = settings.input
    scenes = ObjectScenes(photos, size=max(size_wh), classes=classes)
    rng = np.random.default_rng(1)
    pictures = [np.full((size_wh[1], size_wh[0], 3), level, np.uint8) for level in (0, 255)]

    def picture(rng: np.random.Generator) -> Image:
        plain = len(pictures) % 4 != 0
        return read_rgb(photos[int(rng.integers(len(photos)))].path) if plain else scenes.make(rng).image

    draw = leave_out_broken(picture, pictures=len(photos), max_broken=settings.max_broken)
    while len(pictures) < CALIBRATION_PICTURES:
        pictures.append(letterbox(draw(rng), size_wh, pad_value=PAD_VALUE)[0])
    return np.stack(pictures)


def _references(photos: Sequence[ObjectPhoto], size_wh: tuple[int, int]) -> dict[str, Any]:
    """Return pictures and what this network is fed of them, for the converter to compare with the device's way."""
    found: dict[str, Any] = {}
    chosen = photos[:: max(1, len(photos) // REFERENCES)][:REFERENCES]
    for i, (_, picture) in enumerate(readable(chosen)):
        found[f"picture_{i}"] = picture
        found[f"input_{i}"] = normalized(letterbox(picture, size_wh, pad_value=PAD_VALUE)[0])
    return found


def _golden() -> Image:
    """Return a small BGR copy of scikit-image's astronaut, a public-domain photo by NASA of a person."""
    from skimage import data

    small = cv2.resize(data.astronaut(), (GOLDEN_SIDE, GOLDEN_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2BGR), np.uint8)
