"""Write what the converter needs from a run: the network, its contract, pictures to calibrate on, a golden picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from vedette.heads import face
from vedette.ops.images import letterbox
from vedette.types import Image, Tensor
from vedette_train.artefacts import write_golden, write_references
from vedette_train.data.faces import face_free_photos, read_faces
from vedette_train.data.pictures import read_rgb
from vedette_train.data.scenes import Scenes
from vedette_train.evaluate import Judged, average_precision, best_threshold, judge, precision_recall
from vedette_train.folder import kept_network
from vedette_train.models.face import STRIDES, face_network
from vedette_train.plots import draw_precision

__all__ = ["NMS_IOU", "PAD_VALUE", "FloatDetector", "export_faces"]

NMS_IOU = 0.4
PAD_VALUE = 114
CALIBRATION_PICTURES = 200
THRESHOLD_PHOTOS = 400
SCENE_SIDE = 320
REFERENCES = 4
TRAINING_DATA = (
    "faces/web: web photos of Sun, Wang, Tang (CVPR 2013); research",
    "faces/people: LFW, University of Massachusetts, people of the train split; research",
    "faces/others: boxes found by OpenCV's YuNet (MIT) in the photos above and below",
    "photos/train: BSDS500 train and val; research",
    "objects/highway, objects/streets, objects/people: Roboflow Universe; CC BY 4.0",
)


class FloatDetector:
    """The network before quantization, decoded by the device's own code."""

    def __init__(self, network: keras.Model, size_wh: tuple[int, int]) -> None:
        self._network, self._size_wh = network, size_wh

    def detect(self, image: Image, *, min_score: float) -> tuple[NDArray[np.float32], ...]:
        """Return xyxy (n, 4), score (n,) and landmarks (n, 5, 2) in pixels of `image`, (H, W, 3) uint8 RGB."""
        fitted, box = letterbox(image, self._size_wh, pad_value=PAD_VALUE)
        raw = self._network.predict_on_batch(_real(fitted)[None])
        tensors = [Tensor(name, np.asarray(raw[name]), 0.0, 0) for name in _output_names()]
        xyxy, score, points = face.decode(tensors, STRIDES, min_score=min_score, nms_iou=NMS_IOU)
        return box.to_picture(xyxy), score, box.to_picture(points)


def _real(image: Image) -> NDArray[np.float32]:
    """Return the real values that the network takes for `image`, uint8."""
    return image.astype(np.float32) / np.float32(255)


def _output_names() -> list[str]:
    return [f"{role}_{stride}" for stride in STRIDES for role in ("score", "box", "points")]


def export_faces(run: Path, data: Path, size_wh: tuple[int, int]) -> dict[str, Any]:
    """Write ``model.keras``, ``contract.json``, ``calibration.npz``, ``golden.png`` and figures into `run`.

    Args:
        run: a folder that `vedette_train.fit` wrote.
        data: as given for training; the threshold is tuned on the val splits.
        size_wh: input size of the exported network, multiples of 32.

    Returns:
        The contract.
    """
    network = kept_network(face_network(size_wh), run)
    network.save(run / "model.keras")
    judged = _judged(FloatDetector(network, size_wh), data)
    threshold = round(best_threshold(judged)[0], 2)
    contract = _contract(size_wh, threshold)
    (run / "contract.json").write_text(json.dumps(contract, indent=2))
    (run / "metrics.json").write_text(json.dumps({"float": {"ap50": round(average_precision(judged), 4)}}))
    draw_precision(run / "pr_curves.png", {"face": precision_recall(judged)})
    np.savez_compressed(run / "calibration.npz", images=_calibration(data, size_wh))
    val = read_faces(data, split="val")
    pictures = [read_rgb(photo.path) for photo in val[:: max(1, len(val) // REFERENCES)][:REFERENCES]]
    write_references(run, pictures, lambda image: _real(letterbox(image, size_wh, pad_value=PAD_VALUE)[0]))
    write_golden(run)
    return contract


def _judged(detector: FloatDetector, data: Path) -> list[Judged]:
    """Return the detector's answers for val photos and for as many scenes made of them."""
    photos = read_faces(data, split="val")
    scenes = Scenes(photos, face_free_photos(data), SCENE_SIDE)
    rng = np.random.default_rng(2)
    judged = []
    for photo in photos[:: max(1, len(photos) // THRESHOLD_PHOTOS)]:
        scene = scenes.make(rng)
        for image, faces in ((read_rgb(photo.path), photo), (scene.image, scene)):
            found = detector.detect(image, min_score=0.1)
            sure = faces.sure
            judged.append(judge(*found, wanted=faces.xyxy[sure], ignored=faces.xyxy[~sure]))
    return judged


def _contract(size_wh: tuple[int, int], threshold: float) -> dict[str, Any]:
    return {
        "schema": 1,
        "name": "face-detector",
        "version": "1.0.0",
        "task": "face-detection",
        "head": {"type": "face", "strides": list(STRIDES), "nms_iou": NMS_IOU},
        "input": {
            "name": "image",
            "size_wh": list(size_wh),
            "color": "rgb",
            "resize": "letterbox",
            "pad_value": PAD_VALUE,
            "mean": [0.0, 0.0, 0.0],
            "std": [255.0, 255.0, 255.0],
        },
        "outputs": [
            {"name": name, "role": name.partition("_")[0], "stride": int(name.partition("_")[2])}
            for name in _output_names()
        ],
        "labels": ["face"],
        "threshold": threshold,
        "license": "Apache-2.0",
        "training_data": list(TRAINING_DATA),
    }


def _calibration(data: Path, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Return (N, H, W, 3) uint8: black and white, so that the input's range is all of 0..255, and training pictures."""
    photos = read_faces(data, split="train")
    scenes = Scenes(photos, face_free_photos(data), max(size_wh))
    rng = np.random.default_rng(1)
    pictures = [np.full((size_wh[1], size_wh[0], 3), level, np.uint8) for level in (0, 255)]
    while len(pictures) < CALIBRATION_PICTURES:
        plain = len(pictures) % 4 == 0
        image = read_rgb(photos[int(rng.integers(len(photos)))].path) if plain else scenes.make(rng).image
        pictures.append(letterbox(image, size_wh, pad_value=PAD_VALUE)[0])
    return np.stack(pictures)
