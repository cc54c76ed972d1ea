"""A data folder of drawn shapes with boxes: discs and bars on a restless ground."""

import csv

import cv2
import numpy as np

from drawn import background

SIDE = 96
LABELS = ("disc", "bar")


def draw(rng):
    """Return a picture (SIDE, SIDE, 3) and its rows of label and box; shapes may overlap."""
    image, rows = background(rng, SIDE), []
    for _ in range(int(rng.integers(1, 4))):
        label, size = LABELS[int(rng.integers(2))], int(rng.integers(16, 40))
        width, height = (size, size) if label == "disc" else (size // 2, size)
        x, y = int(rng.integers(0, SIDE - width)), int(rng.integers(0, SIDE - height))
        if label == "disc":
            cv2.circle(image, (x + size // 2, y + size // 2), size // 2, (235, 60, 60), -1)
        else:
            cv2.rectangle(image, (x, y), (x + width, y + height), (60, 90, 235), -1)
        rows.append((label, x, y, x + width, y + height))
    return image, rows


def make_shapes(folder, *, train=48, val=16):
    """Write pictures and boxes.csv; in every third train picture, of origin "half", only the discs are labelled."""
    rng = np.random.default_rng(5)
    folder.mkdir(parents=True)
    with (folder / "boxes.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "split", "origin", "label", "x1", "y1", "x2", "y2"])
        for i in range(train + val):
            image, rows = draw(rng)
            name, split = f"{i}.png", "train" if i < train else "val"
            origin = "half" if split == "train" and i % 3 == 0 else "whole"
            cv2.imwrite(str(folder / name), image)
            rows = [row for row in rows if origin == "whole" or row[0] == "disc"] or [("", "", "", "", "")]
            table.writerows([name, split, origin, *row] for row in rows)
    return folder
