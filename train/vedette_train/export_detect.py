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

from vedette.heads import detect
from vedette.ops.images import letterbox
from vedette.types import Image, Tensor
from vedette_train.data.mosaic import PAD_VALUE, ObjectScenes
from vedette_train.data.objects import ObjectPhoto
from vedette_train.data.pictures import read_rgb
from vedette_train.data.samples import ObjectPhotos
from vedette_train.data.splits import open_split
from vedette_train.evaluate_detect import Found, Judged, best_threshold, coco_figures, judge, truth_of
from vedette_train.folder import kept_network
from vedette_train.models.detect import STRIDES, body_and_network
from vedette_train.plots import draw_precision
from vedette_train.transfer import MEAN, STD

if TYPE_CHECKING:
    from vedette_train.recipes.detect import Settings

__all__ = ["NMS_IOU", "detect_float", "export_detector", "figures", "normalized", "read_split"]

NMS_IOU = 0.55
LEAST_SCORE = 0.02
CALIBRATION_PICTURES = 200
REFERENCES = 4
GOLDEN_SIDE = 160


def normalized(image: Image) -> NDArray[np.float32]:
    """Return the real values that the network takes for `image`, uint8."""
    return (image.astype(np.float32) - np.float32(MEAN)) / np.float32(STD)


def read_split(settings: Settings, split: str) -> tuple[tuple[str, ...], ObjectPhotos]:
    """Return the class names and the photos of `split`."""
    s = settings
    return open_split(s.data, split, classes=s.classes, partial=s.partial, format=s.format)


def detect_float(network: keras.Model, size_wh: tuple[int, int], image: Image) -> Found:
    """Return what `network` finds in `image`, (H, W, 3) uint8 RGB, in its pixels, decoded as on the device."""
    fitted, box = letterbox(image, size_wh, pad_value=PAD_VALUE)
    raw = network.predict_on_batch(normalized(fitted)[None])
    tensors = [Tensor(name, np.asarray(raw[name], np.float32), 0.0, 0) for name in _output_names()]
    xyxy, score, class_id = detect.decode(tensors, STRIDES, min_score=LEAST_SCORE, nms_iou=NMS_IOU)
    height, width = image.shape[:2]
    limits = np.array((width, height, width, height), np.float32)
    return Found(np.clip(box.to_picture(xyxy), np.float32(0), limits), score, class_id)


def _judge(
    network: keras.Model, size_wh: tuple[int, int], photos: Sequence[ObjectPhoto], labels: Sequence[str]
) -> Judged:
    found = [detect_float(network, size_wh, read_rgb(photo.path)) for photo in photos]
    return judge([truth_of(photo) for photo in photos], found, classes=len(labels))


def figures(
    network: keras.Model, size_wh: tuple[int, int], photos: Sequence[ObjectPhoto], labels: Sequence[str]
) -> Mapping[str, Any]:
    """Return COCO's figures of the float network on `photos`, see `vedette_train.evaluate_detect.coco_figures`."""
    return coco_figures(_judge(network, size_wh, photos, labels), labels)


def _output_names() -> list[str]:
    return [f"{role}_{stride}" for stride in STRIDES for role in ("score", "box")]


def export_detector(settings: Settings, run: Path) -> dict[str, Any]:
    """Write the network, its contract, calibration, preprocessing and golden samples, and metrics into `run`.

    Returns:
        The contract; its threshold is tuned on the val split.
    """
    labels, train = read_split(settings, "train")
    val, size_wh = read_split(settings, "val")[1], settings.input
    network = body_and_network(size_wh, classes=len(labels), backbone=settings.backbone)[1]
    network = kept_network(network, run)
    network.save(run / "model.keras")
    judged = _judge(network, size_wh, val, labels)
    contract = _contract(settings, labels, sorted({photo.origin for photo in train}), best_threshold(judged))
    (run / "contract.json").write_text(json.dumps(contract, indent=2))
    (run / "metrics.json").write_text(json.dumps({"float": coco_figures(judged, labels)}, indent=1))
    recall, precision = (
        np.linspace(0, 1, judged.precision.shape[1]),
        np.maximum(judged.precision[0, :, :, 0], 0),
    )
    draw_precision(run / "pr_curves.png", {name: (recall, precision[:, k]) for k, name in enumerate(labels)})
    np.savez_compressed(run / "calibration.npz", images=_calibration(train, size_wh, len(labels)))
    np.savez_compressed(run / "preprocessing.npz", **_references(val, size_wh))
    cv2.imwrite(str(run / "golden.png"), _golden())
    return contract


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


def _calibration(photos: Sequence[ObjectPhoto], size_wh: tuple[int, int], classes: int) -> NDArray[np.uint8]:
    """Return (N, H, W, 3) uint8: black and white, so that the input's range is all of 0..255, and training pictures."""
    scenes = ObjectScenes(photos, size=max(size_wh), classes=classes)
    rng = np.random.default_rng(1)
    pictures = [np.full((size_wh[1], size_wh[0], 3), level, np.uint8) for level in (0, 255)]
    while len(pictures) < CALIBRATION_PICTURES:
        plain = len(pictures) % 4 != 0
        image = read_rgb(photos[int(rng.integers(len(photos)))].path) if plain else scenes.make(rng).image
        pictures.append(letterbox(image, size_wh, pad_value=PAD_VALUE)[0])
    return np.stack(pictures)


def _references(photos: Sequence[ObjectPhoto], size_wh: tuple[int, int]) -> dict[str, Any]:
    """Return pictures and what this network is fed of them, for the converter to compare with the device's way."""
    found: dict[str, Any] = {}
    for i, photo in enumerate(photos[:: max(1, len(photos) // REFERENCES)][:REFERENCES]):
        picture = read_rgb(photo.path)
        found[f"picture_{i}"] = picture
        found[f"input_{i}"] = normalized(letterbox(picture, size_wh, pad_value=PAD_VALUE)[0])
    return found


def _golden() -> Image:
    """Return a small BGR copy of scikit-image's astronaut, a public-domain photo by NASA of a person."""
    from skimage import data

    small = cv2.resize(data.astronaut(), (GOLDEN_SIDE, GOLDEN_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2BGR), np.uint8)
