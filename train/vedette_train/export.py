"""Write what the converter needs from a run: the network, its contract, pictures to calibrate on, a golden picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from vedette.heads import face
from vedette.ops.images import letterbox
from vedette.types import Image, Tensor
from vedette_train.artefacts import write_golden, write_references
from vedette_train.data.faces import FacePhoto, face_free_photos, read_faces
from vedette_train.data.judged_faces import LEAST_SCORE, judged_faces
from vedette_train.data.pictures import leave_out_broken, read_rgb, readable
from vedette_train.data.scenes import Scene, Scenes
from vedette_train.evaluate import (
    Judged,
    average_precision,
    best_threshold,
    covered,
    judge,
    precision_recall,
)
from vedette_train.folder import kept_network, save
from vedette_train.models.face import STRIDES, face_network
from vedette_train.plots import draw_precision
from vedette_train.worst import Answer, at_threshold, draw_worst

if TYPE_CHECKING:
    from vedette_train.recipes.faces import Settings

__all__ = ["NMS_IOU", "PAD_VALUE", "FloatDetector", "export_faces"]

NMS_IOU = 0.4
PAD_VALUE = 114
CALIBRATION_PICTURES = 200
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


def export_faces(settings: Settings, run: Path) -> dict[str, Any]:
    """Write the network, its contract, calibration, preprocessing and golden samples, and figures into `run`.

    Returns:
        The contract; its threshold is tuned on the val splits.
    """
    data, size_wh = settings.data, settings.input
    network = kept_network(face_network(size_wh), run)
    save(network, run / "model.keras")
    found = _answers(FloatDetector(network, size_wh), settings)
    judged = [_judged(faces, *answer) for faces, answer in found]
    threshold = round(best_threshold(judged)[0], 2)
    contract = _contract(settings, threshold)
    (run / "contract.json").write_text(json.dumps(contract, indent=2))
    (run / "metrics.json").write_text(json.dumps({"float": {"ap50": round(average_precision(judged), 4)}}))
    draw_precision(run / "pr_curves.png", {"face": precision_recall(judged)})
    shown = [_answer(photo, *answer) for photo, answer in found if isinstance(photo, FacePhoto)]
    draw_worst(run / "worst.png", [at_threshold(answer, threshold) for answer in shown])
    np.savez_compressed(run / "calibration.npz", images=_calibration(settings))
    val = read_faces(data, split="val")
    pictures = [image for _, image in readable(val[:: max(1, len(val) // REFERENCES)][:REFERENCES])]
    write_references(run, pictures, lambda image: _real(letterbox(image, size_wh, pad_value=PAD_VALUE)[0]))
    write_golden(run)
    return contract


def _answers(
    detector: FloatDetector, settings: Settings
) -> list[tuple[FacePhoto | Scene, tuple[NDArray[np.float32], ...]]]:
    """Return the faces in each picture that is judged, and what was found there: xyxy, score, points."""
    pictures = judged_faces(settings.data, max_broken=settings.max_broken)
    return [(faces, detector.detect(image, min_score=LEAST_SCORE)) for image, faces in pictures]


def _judged(faces: FacePhoto | Scene, *answer: NDArray[np.float32]) -> Judged:
    return judge(*answer, wanted=faces.xyxy[faces.sure], ignored=faces.xyxy[~faces.sure])


def _answer(
    photo: FacePhoto, xyxy: NDArray[np.float32], score: NDArray[np.float32], _: NDArray[np.float32]
) -> Answer:
    wanted = photo.xyxy[photo.sure]
    alike = np.ones((len(xyxy), len(wanted)), bool)
    return Answer(photo.path, xyxy, score, covered(xyxy, photo.xyxy[~photo.sure]), wanted, alike)


def _contract(settings: Settings, threshold: float) -> dict[str, Any]:
    words = ["-m", "vedette_train.judge_faces", "{model}", "--data", str(settings.data.resolve())]
    return {
        "schema": 1,
        "name": "face-detector",
        "version": "1.0.0",
        "task": "face-detection",
        "head": {"type": "face", "strides": list(STRIDES), "nms_iou": NMS_IOU},
        "input": {
            "name": "image",
            "size_wh": list(settings.input),
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
        "evaluation": {"command": [*words, "--max-broken", str(settings.max_broken)]},
    }


def _calibration(settings: Settings) -> NDArray[np.uint8]:
    """Return (N, H, W, 3) uint8: black and white, so that the input's range is all of 0..255, and training pictures."""
    size_wh, photos = settings.input, read_faces(settings.data, split="train")
    backgrounds = face_free_photos(settings.data)
    scenes = Scenes(photos, backgrounds, max(size_wh))
    rng = np.random.default_rng(1)
    pictures = [np.full((size_wh[1], size_wh[0], 3), level, np.uint8) for level in (0, 255)]

    def picture(rng: np.random.Generator) -> Image:
        plain = len(pictures) % 4 == 0
        return read_rgb(photos[int(rng.integers(len(photos)))].path) if plain else scenes.make(rng).image

    many = len(photos) + len(backgrounds)
    draw = leave_out_broken(picture, pictures=many, max_broken=settings.max_broken)
    while len(pictures) < CALIBRATION_PICTURES:
        pictures.append(letterbox(draw(rng), size_wh, pad_value=PAD_VALUE)[0])
    return np.stack(pictures)
