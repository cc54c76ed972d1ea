"""Drawn people, several pictures of each, and a teacher that knows who they are: laid out as the real data."""

import csv

import cv2
import numpy as np

from drawn import COLUMNS, SHAPE, background

SIZE = 16
LOOKS = 6


def draw_person(looks, rng, side=112):
    """Return a picture (side, side, 3) uint8 BGR, its square box and its points (5, 2); `looks` (LOOKS,) is 0..1."""
    image = background(rng, side)
    width, center = side * rng.uniform(0.45, 0.6), side / 2 + rng.normal(0, side * 0.03, 2)
    points = SHAPE * width + center
    low, eyes, mouth, nose, chin, hair = looks.tolist()
    at = (int(center[0]), int(center[1]))
    size = (int(width * 0.5), int(width * (0.55 + 0.2 * chin)))
    cv2.ellipse(image, at, size, 0, 0, 360, (120 + 60 * low, 150 + 60 * low, 190 + 60 * low), -1)
    cv2.ellipse(image, at, size, 0, 180, 360, (40, 40, 40), int(1 + hair * width * 0.2))
    for eye in points[:2]:
        cv2.circle(image, (int(eye[0]), int(eye[1])), int(2 + width * 0.12 * eyes), (20, 20, 20), -1)
    cv2.circle(image, (int(points[2][0]), int(points[2][1])), int(1 + width * 0.12 * nose), (60, 80, 160), -1)
    ends = [(int(x), int(y)) for x, y in points[3:]]
    cv2.line(image, *ends, (40, 30, 150), int(1 + width * 0.2 * mouth))
    return image, np.concatenate([center - width / 2, center + width / 2]), points


def make_people(root, *, train=40, val=16, photos=4, web=40):
    """Write ``faces/`` with people, web and teacher under `root` and return it."""
    rng = np.random.default_rng(3)
    spread, common = rng.normal(0, 0.3, (LOOKS, SIZE)), rng.normal(0, 0.4, SIZE)
    folder = root / "faces"
    (folder / "teacher").mkdir(parents=True)
    groups = {
        "people": [(f"P{i:02d}", "train" if i < train else "val", photos) for i in range(train + val)],
        "web": [("", "train", 1)] * web,
    }
    for name, people in groups.items():
        (folder / name).mkdir()
        rows, files, told = [], [], []
        for person, split, count in people:
            looks = rng.uniform(0, 1, LOOKS)
            for _ in range(count):
                image, box, points = draw_person(looks, rng)
                file = f"{name}/{len(rows)}.png"
                cv2.imwrite(str(folder / file), image)
                rows.append([file, *([person] if person else []), split, *box, *points.ravel()])
                files.append(file)
                told.append(common + (looks - 0.5) @ spread + rng.normal(0, 0.01, (2, SIZE)))
        with (folder / f"{name}.csv").open("w", newline="") as file:
            header = ["file", *(["person"] if name == "people" else []), "split", *COLUMNS]
            csv.writer(file).writerows([header, *rows])
        both = np.array(told, np.float16)
        np.savez(folder / "teacher" / f"{name}.npz", files=files, descriptor=both[:, 0], mirrored=both[:, 1])
    return root
