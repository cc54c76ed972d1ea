"""Drawn people for recognition: real measuring, aligning and matching, with a detector and a network that are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.contract import Contract, InputContract, ModelFile, OutputContract
from vedette.gallery.gallery import Gallery
from vedette.gallery.seal import UNENCRYPTED
from vedette.models.face_embed import FaceEmbedder
from vedette.models.recognize import FaceRecognizer, embedding_model
from vedette.ops.faces import ALIGNED_POINTS, ALIGNED_SIZE
from vedette.testing import FakeEngine
from vedette.types import Faces, IdentifiedFaces, Image, ModelInfo, TensorSpec

SIDE = ALIGNED_SIZE
CELLS = 4
PICTURE = TensorSpec("image", (1, SIDE, SIDE, 3), np.dtype("uint8"), 1 / 128, 128)
VECTOR = TensorSpec("embedding", (1, CELLS * CELLS * 3), np.dtype("float32"), 0.0, 0)
CONTRACT = Contract(
    name="toy",
    version="1",
    task="embedding",
    head={"type": "embed", "normalize": True},
    input=InputContract("image", (SIDE, SIDE), "rgb", "letterbox", 0, (128.0,) * 3, (128.0,) * 3),
    outputs=(OutputContract("embedding", "embedding", 0),),
    labels=(),
    threshold=0.8,
    license="CC0",
    training_data=(),
    metrics={},
    golden=None,
)


def person(who: int, *, noise: int = 0) -> Image:
    """Return (112, 112, 3): cells whose colours are of the person `who`, with grain of its own."""
    colors = np.random.default_rng(who).integers(40, 215, (CELLS, CELLS, 3)).astype(np.uint8)
    flat = cv2.resize(colors, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST).astype(int)
    grain = np.random.default_rng(1000 * who + noise).integers(-25, 26, flat.shape)
    return np.clip(flat + grain, 0, 255).astype(np.uint8)


def scene(*people: int, noise: int = 0, size_wh: tuple[int, int] = (640, 240)) -> tuple[Image, Faces]:
    """Return a grey picture with `people` side by side, and where they are: an aligned face each, from (40, 40) on."""
    image = np.full((size_wh[1], size_wh[0], 3), 128, np.uint8)
    places = [(40 + 160 * k, 40) for k in range(len(people))]
    for (x, y), who in zip(places, people, strict=True):
        image[y : y + SIDE, x : x + SIDE] = person(who, noise=noise)
    return image, faces_at(*places)


def faces_at(*places: tuple[int, int], track_id: list[int] | None = None) -> Faces:
    """Return the faces whose aligned squares begin at `places`."""
    corners = np.array(places, np.float32).reshape(-1, 2)
    n = len(corners)
    return Faces(
        np.concatenate([corners, corners + SIDE], 1),
        np.full(n, 0.9, np.float32),
        np.zeros(n, np.int32),
        np.array(track_id if track_id is not None else [-1] * n, np.int32),
        ("face",),
        landmarks=corners[:, None] + ALIGNED_POINTS,
    )


def tracked(faces: Faces, *ids: int) -> Faces:
    """Return `faces` with numbers."""
    return replace(faces, track_id=np.array(ids, np.int32))


def identified(
    faces: Faces,
    *person_id: int,
    decided: bool = True,
    certainty: float = 1.0,
    name: str = "Ann",
    challenge: str = "",
) -> IdentifiedFaces:
    """Return `faces` with who they are; -1 for unknown."""
    n = len(faces)
    return IdentifiedFaces(
        faces.xyxy, faces.score, faces.class_id, faces.track_id, faces.labels, predicted=faces.predicted,
        landmarks=faces.landmarks, person=np.array([name if i >= 0 else "" for i in person_id], np.str_),
        person_id=np.array(person_id, np.int64), certainty=np.full(n, certainty, np.float32),
        similarity=np.ones(n, np.float32), decided=np.full(n, decided), challenge=np.array(challenge),
    )  # fmt: skip


class ToldFaces:
    """A detector that finds what it was told."""

    info = ModelInfo("told", "1", "0" * 64, "fake")

    def __init__(self, faces: Faces | None = None) -> None:
        self.faces = faces_at() if faces is None else faces
        self.closed = 0

    def detect(self, image: Image) -> Faces:
        return self.faces

    def close(self) -> None:
        self.closed += 1


def toy_embedder(*, data: bytes = b"", sha256: str = "a" * 64) -> FaceEmbedder:
    """Return an embedder whose network tells the mean colours of the cells, about their mean."""
    file = ModelFile(Path("toy.tflite"), data, sha256, CONTRACT)
    return FaceEmbedder(FakeEngine([PICTURE], [VECTOR], _means), file)


def _means(buffers: list[NDArray[np.generic]]) -> list[NDArray[np.float32]]:
    cells = cv2.resize(np.asarray(buffers[0][0]), (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    row = cells.astype(np.float32).reshape(1, -1)
    return [row - row.mean()]


def toy_recognizer(folder: Path, faces: Faces | None = None, **options: object) -> FaceRecognizer:
    """Return a recognizer with an empty gallery in `folder`."""
    embedder = toy_embedder()
    gallery = Gallery(folder / "people.db", key=UNENCRYPTED, model=embedding_model(embedder))
    return FaceRecognizer(ToldFaces(faces), embedder, gallery, **options)  # type: ignore[arg-type]


def enrolled(recognizer: FaceRecognizer, **people: int) -> None:
    """Enrol each of `people` by name from one picture."""
    for name, who in people.items():
        image, faces = scene(who)
        recognizer.gallery.enrol(name, [recognizer.sample(image, source=f"{name}.png", faces=faces)])
