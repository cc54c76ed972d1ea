"""Drawn pictures in folders, for the tests of classifiers: discs, bars and crosses on noise."""

import cv2
import numpy as np

CLASSES = ("bar", "cross", "disc")


def draw_shape(name, rng, side=64):
    """Return (side, side, 3) uint8 BGR with one shape of the class `name`."""
    image = rng.integers(60, 120, (side, side, 3), dtype=np.uint8)
    color = tuple(int(v) for v in rng.integers(180, 256, 3))
    x, y = (int(v) for v in rng.integers(side // 3, 2 * side // 3, 2))
    reach = int(rng.integers(side // 5, side // 3))
    thick = max(4, side // 9)
    if name == "disc":
        cv2.circle(image, (x, y), reach, color, -1)
    if name in ("bar", "cross"):
        cv2.line(image, (x - reach, y), (x + reach, y), color, thick)
    if name == "cross":
        cv2.line(image, (x, y - reach), (x, y + reach), color, thick)
    return image


def make_shapes(root, *, train=24, val=10, side=64):
    """Write ``<split>/<class>/N.png`` below `root`, so many a class, and return it."""
    rng = np.random.default_rng(7)
    for split, count in (("train", train), ("val", val)):
        for name in CLASSES:
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                cv2.imwrite(str(root / split / name / f"{i}.png"), draw_shape(name, rng, side))
    return root
