"""What an embedder learns from: faces seen anew, and where a teacher's space has each of them and its person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vedette.errors import VedetteError
from vedette_train.data.embed import (
    LabelledFace,
    TeacherSpace,
    read_descriptors,
    read_found,
    read_labelled,
    teacher_space,
)
from vedette_train.data.face_views import normalized, seen_anew
from vedette_train.data.pictures import leave_out_broken, read_rgb

if TYPE_CHECKING:
    from vedette_train.job import Example

__all__ = ["Lessons", "examples", "read_lessons"]

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """All that is learned from.

    Attributes:
        faces: n of them.
        points: for each (k, 5, 2), the labelled landmarks and those that a detector found, where it did.
        wanted: (n, d) unit length, where the embeddings are to lie.
        identity: (n,) int32, row of `prototypes`; a face of somebody unknown is an identity of its own.
        prototypes: (k, d) unit length.
        space: what `wanted` was placed by.
    """

    faces: Sequence[LabelledFace]
    points: Sequence[Floats]
    wanted: Floats
    identity: NDArray[np.int32]
    prototypes: Floats
    space: TeacherSpace


def read_lessons(data: Path, *, found: Path | None, together: float) -> Lessons:
    """Return the faces of the train splits with what the teacher says of them.

    Args:
        data: the folder that holds ``faces/``.
        found: what ``vedette detect --json`` said of the photos, or None.
        together: share of the way that each photo's wanted place is moved to the mean of its person's, 0..1.

    Raises:
        VedetteError: a file is missing or malformed, or a face has no descriptor.
    """
    faces: list[LabelledFace] = []
    told: dict[str, Floats] = {}
    for name in ("people", "web"):
        faces += read_labelled(data, name, split="train")
        told |= read_descriptors(data, name)
    missing = [face.file for face in faces if face.file not in told]
    if missing:
        raise VedetteError(
            f"the teacher says nothing of {len(missing)} faces in {data}, such as {missing[0]}."
        )
    descriptors = np.stack([told[face.file] for face in faces])
    space = teacher_space(descriptors)
    placed = space.place(descriptors)
    _, identity = np.unique([face.person or f"/{face.file}" for face in faces], return_inverse=True)
    prototypes = np.zeros((identity.max() + 1, placed.shape[1]), np.float32)
    np.add.at(prototypes, identity, placed)
    prototypes = _unit(prototypes)
    wanted = _unit((1 - together) * placed + together * prototypes[identity])
    marks = {} if found is None else read_found(found, faces)
    points = [np.stack([face.points, *([marks[face.file]] if face.file in marks else [])]) for face in faces]
    return Lessons(faces, points, wanted, identity.astype(np.int32), prototypes, space)


def _unit(rows: Floats) -> Floats:
    found: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def examples(lessons: Lessons, *, hardness: float) -> Callable[[np.random.Generator], Example]:
    """Return what draws an example: a face seen anew, and where its embedding is to lie."""

    def example(rng: np.random.Generator) -> Example:
        i = int(rng.integers(len(lessons.faces)))
        points = lessons.points[i]
        image = read_rgb(lessons.faces[i].path)
        face = seen_anew(image, points[int(rng.integers(len(points)))], rng, hardness=hardness)
        return normalized(face), {"wanted": lessons.wanted[i], "identity": lessons.identity[i]}

    return leave_out_broken(example, pictures=len(lessons.faces))
