"""An embedder's examples and figures, and what the converter needs from its run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from vedette.errors import VedetteError
from vedette.ops.faces import ALIGNED_SIZE, align
from vedette.types import Image
from vedette_train.artefacts import write_golden, write_references
from vedette_train.data.embed import LabelledFace, read_labelled
from vedette_train.data.face_views import MEAN, STD, hardened, normalized
from vedette_train.data.lessons import Lessons, read_lessons
from vedette_train.data.pictures import leave_out_broken, read_rgb
from vedette_train.evaluate_embed import accept_above, cosines, draw_pairs, verification
from vedette_train.folder import kept_network
from vedette_train.models.embed import embed_network

if TYPE_CHECKING:
    from vedette_train.recipes.embed import Settings

__all__ = ["FloatEmbedder", "Measure", "export_embedder"]

Floats = NDArray[np.float32]

AT_ONCE = 32
CALIBRATION_FACES = 200
REFERENCES = 4
THRESHOLD_RATE = 1e-3
PAD_VALUE = 0  # never seen: the input is an aligned face, black where the picture ends
TRAINING_DATA = (
    "faces/web: web photos of Sun, Wang, Tang (CVPR 2013); research",
    "faces/people: LFW, University of Massachusetts, people of the train split; research",
    "faces/teacher: descriptors of dlib's face recognition ResNet; CC0",
)


def _aligned_faces(faces: Sequence[LabelledFace]) -> Image:
    """Return (n, 112, 112, 3) uint8, aligned by the labelled landmarks.

    Raises:
        SourceError: a photo cannot be read.
    """
    return np.concatenate([align(read_rgb(face.path), face.points[None]) for face in faces])


class FloatEmbedder:
    """The network before quantization; its answers are not of unit length."""

    def __init__(self, network: keras.Model) -> None:
        self._network = network

    def embed_aligned(self, faces: Image) -> Floats:
        """Return (n, d) for (n, 112, 112, 3) uint8; always asked in full batches, so that no other size is compiled."""
        rows = []
        for start in range(0, len(faces), AT_ONCE):
            part = faces[start : start + AT_ONCE]
            full = np.concatenate([part, np.zeros((AT_ONCE - len(part), *part.shape[1:]), np.uint8)])
            answer = self._network.predict_on_batch(normalized(full))["embedding"]
            rows.append(np.asarray(answer, np.float32)[: len(part)])
        return np.concatenate(rows)


class Measure:
    """Figures of a network on people of the val split, whose faces are aligned once.

    Args:
        data: the folder that holds ``faces/``.
        people: how many of them, 2 or more; all when not given.
    """

    def __init__(self, data: Path, people: int | None = None) -> None:
        val = read_labelled(data, "people", split="val")
        asked = sorted({face.person for face in val})[:people]
        self._faces = [face for face in val if face.person in asked]
        self._pairs = draw_pairs([face.person for face in self._faces])
        if not len(self._pairs.genuine) or not len(self._pairs.impostor):
            raise VedetteError(
                f"{data}: faces/people.csv needs two people of the split 'val', one with two photos."
            )
        self._aligned: Image | None = None

    def __call__(self, network: keras.Model) -> Mapping[str, float]:
        """Return `verification` of the network."""
        return verification(*self.scores(network))

    def scores(self, network: keras.Model) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the cosines of genuine and of impostor pairs."""
        if self._aligned is None:
            self._aligned = _aligned_faces(self._faces)
        embeddings = FloatEmbedder(network).embed_aligned(self._aligned)
        return cosines(embeddings, self._pairs.genuine), cosines(embeddings, self._pairs.impostor)


def export_embedder(settings: Settings, run: Path) -> dict[str, Any]:
    """Write the network, contract, calibration, preprocessing and golden samples, and figures into `run`.

    Returns:
        The contract; its threshold is the cosine at a false-accept rate of `THRESHOLD_RATE` on the val people.
    """
    lessons = read_lessons(settings.data, found=settings.found, together=settings.together)
    space = lessons.space
    network = embed_network(
        size=len(space.mean), width=settings.width, backbone=settings.backbone, start=space.constant
    )[1]
    network = kept_network(network, run)
    network.save(run / "model.keras")
    genuine, impostor = Measure(settings.data).scores(network)
    threshold = float(np.clip(accept_above(impostor, THRESHOLD_RATE), 0, 1))
    contract = _contract(settings, round(threshold, 3))
    (run / "contract.json").write_text(json.dumps(contract, indent=2))
    (run / "metrics.json").write_text(json.dumps({"float": verification(genuine, impostor)}, indent=1))
    calibration = _calibration(lessons)
    np.savez_compressed(run / "calibration.npz", images=calibration)
    write_references(run, calibration[2 : 2 + REFERENCES], normalized)
    write_golden(run)
    return contract


def _contract(settings: Settings, threshold: float) -> dict[str, Any]:
    data = str(settings.data.resolve())
    return {
        "schema": 1,
        "name": settings.name,
        "version": "1.0.0",
        "task": "embedding",
        "head": {"type": "embed"},
        "input": {
            "name": "image",
            "size_wh": [ALIGNED_SIZE, ALIGNED_SIZE],
            "color": "rgb",
            "resize": "letterbox",
            "pad_value": PAD_VALUE,
            "mean": [MEAN] * 3,
            "std": [STD] * 3,
        },
        "outputs": [{"name": "embedding", "role": "embedding"}],
        "labels": [],
        "threshold": threshold,
        "license": "Apache-2.0",
        "training_data": list(TRAINING_DATA),
        "evaluation": {
            "command": ["-m", "vedette_train.judge_embed", "{model}", "--data", data],
            "limits": {"accuracy": 0.005, "tar_1e2": 0.01},
        },
    }


def _calibration(lessons: Lessons) -> Image:
    """Return (N, 112, 112, 3) uint8: black and white, so that the input's range is all of 0..255, and faces."""
    rng = np.random.default_rng(1)

    def face(rng: np.random.Generator) -> Image:
        i = int(rng.integers(len(lessons.faces)))
        return np.asarray(align(read_rgb(lessons.faces[i].path), lessons.points[i][-1:])[0], np.uint8)

    draw = leave_out_broken(face, pictures=len(lessons.faces))
    pictures = [np.full((ALIGNED_SIZE, ALIGNED_SIZE, 3), level, np.uint8) for level in (0, 255)]
    while len(pictures) < CALIBRATION_FACES:
        plain = len(pictures) % 4 < 2
        pictures.append(draw(rng) if plain else hardened(draw(rng), rng))
    return np.stack(pictures)
