"""Faces to learn embeddings from: photos, landmarks, people, and what a teacher says of each face.

Read from the folder that holds ``faces/``: ``web.csv``, ``people.csv`` and, for the teacher, ``teacher/web.npz`` and
``teacher/people.npz`` with ``files``, ``descriptor`` and ``mirrored`` (n, d): what it says of the face and of its
mirror image.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vedette.errors import VedetteError
from vedette_train.data.faces import POINTS, label_rows

__all__ = [
    "LabelledFace",
    "TeacherSpace",
    "nearest",
    "read_descriptors",
    "read_found",
    "read_labelled",
    "teacher_space",
]

Floats = NDArray[np.float32]
Descriptors = Mapping[str, Floats]

SHRINK = 0.15  # each axis is divided by its variance to this power; at .5 noise would weigh as much as faces
CONSTANT = 1.0  # length of the constant part over the mean length of the rest
NEAR = 0.5  # of the distance between the eyes: how far found landmarks may lie, on average


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFace:
    """The labelled face of one photo.

    Attributes:
        file: its name in the labels, such as ``web/1.webp``.
        path: the photo.
        person: who it is; "" where nobody knows.
        points: (5, 2) float32 pixels, labelled by hand.
    """

    file: str
    path: Path
    person: str
    points: Floats


def read_labelled(root: Path, name: str, *, split: str) -> list[LabelledFace]:
    """Return the faces of `split` in ``faces/NAME.csv``, "web" or "people", under `root`.

    Raises:
        VedetteError: the file is missing or malformed, or has no such face.
    """
    faces = []
    for number, row in enumerate(label_rows(root, name), start=2):
        try:
            if row["split"] == split:
                points = np.array([float(row[k]) for k in POINTS], np.float32).reshape(5, 2)
                path = root / "faces" / row["file"]
                faces.append(LabelledFace(row["file"], path, row.get("person") or "", points))
        except (KeyError, TypeError, ValueError) as error:
            raise VedetteError(f"{root / 'faces' / name}.csv line {number} is malformed: {error}.") from error
    if not faces:
        raise VedetteError(f"{root / 'faces' / name}.csv holds no face of the split '{split}'.")
    return faces


def read_descriptors(root: Path, name: str) -> Descriptors:
    """Return the teacher's words on the faces of ``faces/NAME.csv``: file -> (2, d) float32, as it is and mirrored.

    Raises:
        VedetteError: the file is missing or damaged.
    """
    path = root / "faces" / "teacher" / f"{name}.npz"
    try:
        with np.load(path) as stored:
            pairs = np.stack([stored["descriptor"], stored["mirrored"]], 1).astype(np.float32)
            return dict(zip(map(str, stored["files"]), pairs, strict=True))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise VedetteError(
            f"{path} is no .npz with 'files', 'descriptor' and 'mirrored': {error}. Store a teacher's words there."
        ) from error


@dataclass(frozen=True, slots=True, eq=False)
class TeacherSpace:
    """Where embeddings are to lie: the teacher's space about its mean, its axes evened out, and a constant part.

    Cosines about the mean forget how far a face is from it, and with that how sure the teacher is; the constant part
    keeps it, as Euclidean distances do. It lies along an axis that the teacher hardly uses.

    Attributes:
        mean: (d,) the mean descriptor.
        axes: (d, d), what differences from the mean are multiplied with.
        constant: (d,) what is added.
    """

    mean: Floats
    axes: Floats
    constant: Floats

    def place(self, descriptors: Floats) -> Floats:
        """Return (n, d) unit length for descriptors (n, 2, d), plain and mirrored, which are averaged."""
        placed = (descriptors.mean(1) - self.mean) @ self.axes + self.constant
        found: Floats = (placed / np.linalg.norm(placed, axis=1, keepdims=True)).astype(np.float32)
        return found


def teacher_space(descriptors: Floats) -> TeacherSpace:
    """Return the space that fits the `descriptors`, (n, 2, d), of the faces to learn from."""
    one = descriptors.mean(1).astype(np.float64)
    mean = one.mean(0)
    variance, axes = np.linalg.eigh(np.cov((one - mean).T))  # ascending
    # a teacher may leave axes unused; what is no variance must not be enlarged
    even = np.maximum(variance, variance[-1] * 1e-4) ** -SHRINK
    matrix = (axes * even) @ axes.T
    length = float(np.sqrt((((one - mean) @ matrix) ** 2).sum(1).mean()))
    constant = axes[:, 0] * CONSTANT
    return TeacherSpace(
        mean.astype(np.float32), (matrix / length).astype(np.float32), constant.astype(np.float32)
    )


def read_found(path: Path, faces: Sequence[LabelledFace]) -> dict[str, Floats]:
    """Return landmarks (5, 2) that a detector found, by the file of the labelled face that they belong to.

    Args:
        path: what ``vedette detect --json`` printed for the photos, one JSON object a line.
        faces: the labelled ones; of several faces in a photo the nearest counts, none beyond `NEAR`.

    Raises:
        VedetteError: it cannot be read or holds something else.
    """
    known = {str(face.path.resolve()): face for face in faces}
    found: dict[str, Floats] = {}
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                face = known.get(str(Path(record["source"]).resolve()))
                marks = [d["landmarks"] for d in record["detections"] if "landmarks" in d]
                if face is not None and marks:
                    best = nearest(np.array(marks, np.float32), face.points)
                    found |= {} if best is None else {face.file: best}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VedetteError(f"{path} does not hold what `vedette detect --json` prints: {error}.") from error
    return found


def nearest(marks: Floats, points: Floats) -> Floats | None:
    """Return the one of (n, 5, 2) `marks`, n >= 1, nearest to (5, 2) labelled `points`; None beyond `NEAR`."""
    off = np.linalg.norm(marks - points, axis=2).mean(1)
    best = int(np.argmin(off))
    return marks[best] if off[best] <= NEAR * np.linalg.norm(points[1] - points[0]) else None
