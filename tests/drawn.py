"""A data folder of drawn faces, laid out as the real one: enough to see training, conversion and measuring work."""

import csv
from pathlib import Path

import cv2
import numpy as np

POINTS = ["leye", "reye", "nose", "lmouth", "rmouth"]
SHAPE = np.array([[-0.22, -0.15], [0.22, -0.15], [0.0, 0.06], [-0.17, 0.26], [0.17, 0.26]])
COLUMNS = ["x1", "y1", "x2", "y2"] + [f"{p}_{a}" for p in POINTS for a in "xy"]


def background(rng, side):
    """Return (side, side, 3) uint8: colours that run into each other, and a few flat blocks."""
    image = cv2.resize(
        rng.integers(0, 256, (4, 4, 3), dtype=np.uint8), (side, side), interpolation=cv2.INTER_CUBIC
    )
    for _ in range(4):
        x, y, w, h = rng.integers(4, side // 2, 4)
        cv2.rectangle(image, (int(x), int(y)), (int(x + w), int(y + h)), rng.integers(0, 256, 3).tolist(), -1)
    return image


def draw_face(image, rng, center, width):
    """Draw a face `width` px wide on `image` and return its five points (5, 2)."""
    points = SHAPE * width + center
    skin = (rng.integers(90, 140), rng.integers(150, 190), rng.integers(210, 250))
    at = tuple(int(v) for v in center)
    cv2.ellipse(image, at, (int(width * 0.46), int(width * 0.6)), 0, 0, 360, [int(v) for v in skin], -1)
    for eye in points[:2]:
        cv2.circle(image, tuple(int(v) for v in eye), max(1, int(width * 0.08)), (20, 20, 20), -1)
    cv2.circle(image, tuple(int(v) for v in points[2]), max(1, int(width * 0.05)), (60, 80, 160), -1)
    mouth = [tuple(int(v) for v in p) for p in points[3:]]
    cv2.line(image, *mouth, (40, 30, 150), max(2, int(width * 0.08)))
    return points


def photo(rng, side=112):
    """Return a picture with one face, its square box and its points."""
    image = background(rng, side)
    width = side * rng.uniform(0.35, 0.6)
    center = side / 2 + rng.normal(0, side * 0.04, 2)
    points = draw_face(image, rng, center, width)
    return image, np.concatenate([center - width / 2, center + width / 2]), points


def make_data(root: Path, *, train=40, val=12) -> Path:
    """Write ``faces/`` and ``photos/train/`` under `root` and return it."""
    rng = np.random.default_rng(7)
    for folder in ("faces/web", "faces/people", "photos/train"):
        (root / folder).mkdir(parents=True)
    for name, columns in (("web", ["file", "split"]), ("people", ["file", "person", "split"])):
        rows = []
        for i in range(train + val):
            image, box, points = photo(rng)
            file = f"{name}/{i}.png"
            cv2.imwrite(str(root / "faces" / file), image)
            split = "train" if i < train else "val"
            rows.append([file, *([f"P{i}"] if name == "people" else []), split, *box, *points.ravel()])
        _write(root / f"faces/{name}.csv", columns + COLUMNS, rows)
    others = []
    for i in range(8):
        image, box, points = photo(rng)
        cv2.imwrite(str(root / f"photos/train/face{i}.png"), image)
        tall = box * 1.0
        tall[1] -= (box[3] - box[1]) * 0.15
        others.append([f"photos/train/face{i}.png", 0.9, *tall, *points.ravel()])
    for i in range(12):
        cv2.imwrite(str(root / f"photos/train/none{i}.png"), background(rng, 160))
    _write(root / "faces/others.csv", ["file", "score", *COLUMNS], others)
    return root


def _write(path, header, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([[round(v, 2) if isinstance(v, float) else v for v in row] for row in rows])
