"""Read the labelled faces, and bring the three ways of drawing a face's box to one.

Coordinates are pixels of the stored file; points are left eye, right eye, nose, left and right mouth corner as seen.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vedette.errors import VedetteError
from vedette_train.data.readers import open_detection

__all__ = [
    "BOX",
    "POINTS",
    "FacePhoto",
    "face_free_photos",
    "label_rows",
    "no_faces",
    "read_boxes",
    "read_faces",
]

Floats = NDArray[np.float32]
POINTS = [f"{p}_{a}" for p in ("leye", "reye", "nose", "lmouth", "rmouth") for a in "xy"]
BOX = ("x1", "y1", "x2", "y2")
CONVENTIONS = ("web", "people", "others")
TALL = 0.85  # how far the learned box lies towards the tall convention
OTHERS_MIN_SCORE = 0.7  # found by a model: surer ones teach, the rest are neither face nor background


@dataclass(frozen=True, slots=True, eq=False)
class FacePhoto:
    """A photo and all known faces in it.

    Attributes:
        path: the file.
        xyxy: (n, 4) float32 pixels, in the one convention that the model learns.
        points: (n, 5, 2) float32 pixels; NaN where they are not known.
        sure: (n,) bool; where False, whether it is a face is left open.
        given: (n, 4) float32, the boxes as labelled.
        by_hand: (n,) bool; where False, a model found the face.
    """

    path: Path
    xyxy: Floats
    points: Floats
    sure: NDArray[np.bool_]
    given: Floats
    by_hand: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    file: str
    source: str
    box: Floats
    points: Floats
    sure: bool


def read_faces(root: Path, *, split: str) -> list[FacePhoto]:
    """Return the photos of `split` ("train" or "val") under `root`, the folder that holds ``faces/``.

    Photos whose faces only a model has found (``faces/others.csv``) count as "train" when no label names them.

    Raises:
        VedetteError: a label file is missing or malformed.
    """
    web, people = _read(root, "web"), _read(root, "people")
    others = _read(root, "others")
    splits = {row["file"]: row["split"] for name in ("web", "people") for row in label_rows(root, name)}
    rows: dict[str, list[_Row]] = {"train": [], "val": []}
    for row in (*web, *people, *others):
        rows[splits.get(row.file.removeprefix("faces/"), "train")].append(row)
    convert = _Conventions(rows["train"])
    by_file: dict[str, list[_Row]] = defaultdict(list)
    for row in rows[split]:
        by_file[row.file].append(row)
    return [_photo(root / file, found, convert) for file, found in sorted(by_file.items())]


def face_free_photos(root: Path) -> list[Path]:
    """Return photos in which no face is known: backgrounds to paste faces on."""
    with_faces = {row.file for row in _read(root, "others")}
    found = [
        path
        for folder in ("photos/train", "objects/highway", "objects/streets", "objects/people")
        for path in sorted((root / folder).rglob("*.*"))
        if path.suffix in (".webp", ".jpg", ".png") and str(path.relative_to(root)) not in with_faces
    ]
    return found


def read_boxes(root: Path) -> list[FacePhoto]:
    """Return the train split of any detection data in `root` that labels "face": boxes without landmarks.

    Boxes are taken as they are; those of WIDER FACE lie near the convention that is learned.

    Raises:
        VedetteError: the labels cannot be read, or there is nothing to train on.
        SettingsError: nothing is called "face" there.
    """
    found = open_detection(root).only(["face"])
    return [
        FacePhoto(
            photo.path,
            photo.xyxy,
            np.full((len(photo.xyxy), 5, 2), np.nan, np.float32),
            ~photo.ignored,
            photo.xyxy,
            np.ones(len(photo.xyxy), bool),
        )
        for photo in found.splits["train"]
    ]


def no_faces(path: Path) -> FacePhoto:
    """Return the photo at `path` as one in which no face is known."""
    none = np.zeros((0, 4), np.float32)
    nothing = np.zeros(0, bool)
    return FacePhoto(path, none, np.zeros((0, 5, 2), np.float32), nothing, none, nothing)


def label_rows(root: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of ``faces/NAME.csv`` under `root`, as text.

    Raises:
        VedetteError: it cannot be read.
    """
    path = root / "faces" / f"{name}.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise VedetteError(
            f"cannot read the labels {path}: {error.strerror}. Give --data the right folder."
        ) from error


def _read(root: Path, name: str) -> list[_Row]:
    rows = []
    for number, raw in enumerate(label_rows(root, name), start=2):
        try:
            box = np.array([float(raw[k]) for k in BOX], np.float32)
            points = np.array([float(raw[k]) for k in POINTS], np.float32).reshape(5, 2)
        except (KeyError, TypeError, ValueError) as error:
            raise VedetteError(f"{root / 'faces' / name}.csv line {number} is malformed: {error}.") from error
        sure = name != "others" or float(raw["score"]) >= OTHERS_MIN_SCORE
        file = raw["file"] if name == "others" else f"faces/{raw['file']}"
        rows.append(_Row(file, name, box, points, sure))
    return rows


def _photo(path: Path, rows: list[_Row], convert: _Conventions) -> FacePhoto:
    return FacePhoto(
        path,
        np.stack([convert(row) for row in rows]),
        np.stack([row.points for row in rows]),
        np.array([row.sure for row in rows]),
        np.stack([row.box for row in rows]),
        np.array([row.source != "others" for row in rows]),
    )


class _Conventions:
    """Web and LFW boxes are square, YuNet's and WIDER FACE's are tall: IoU of about .6 for the same face.

    A least-squares fit a convention predicts its box from the landmarks. What is learned lies between, more tall than
    square, with the label's own box in place of its prediction: IoU >= .5 holds against nearly all of them.
    """

    def __init__(self, rows: list[_Row]) -> None:
        self._fits = {}
        for name in CONVENTIONS:
            chosen = [row for row in rows if row.source == name and row.sure]
            poses = [_pose(row.points) for row in chosen]
            wanted = np.stack([_to_pose(row.box, c, s) for row, (_, c, s) in zip(chosen, poses, strict=True)])
            self._fits[name] = np.linalg.lstsq(np.stack([f for f, _, _ in poses]), wanted, rcond=None)[0]

    def __call__(self, row: _Row) -> Floats:
        features, center, scale = _pose(row.points)
        boxes = {name: features @ fit for name, fit in self._fits.items()}
        boxes[row.source] = _to_pose(row.box, center, scale)
        square = (boxes["web"] + boxes["people"]) / 2
        return _from_pose((1 - TALL) * square + TALL * boxes["others"], center, scale)


def _pose(points: Floats) -> tuple[Floats, Floats, float]:
    """Return (11,) position- and size-free features, the (2,) centre and the size in pixels."""
    center = points.mean(0)
    scale = max(1e-3, float(np.sqrt(((points - center) ** 2).sum() / 5)))
    return np.append((points - center).ravel() / scale, 1.0).astype(np.float32), center, scale


def _to_pose(box: Floats, center: Floats, scale: float) -> Floats:
    size = np.maximum(box[2:] - box[:2], 1.0)
    return np.concatenate([((box[:2] + box[2:]) / 2 - center) / scale, np.log(size / scale)])


def _from_pose(pose: NDArray[np.floating], center: Floats, scale: float) -> Floats:
    middle, half = pose[:2] * scale + center, np.exp(pose[2:]) * scale / 2
    return np.concatenate([middle - half, middle + half]).astype(np.float32)
