"""Drawn photos: slow light, edges, fine lines and texture, for what needs pictures and no labels."""

import cv2
import numpy as np


def draw_photo(rng, size_wh=(160, 128)):
    """Return (h, w, 3) uint8 RGB."""
    width, height = size_wh
    ramp = np.linspace(0, 1, width)[None, :, None] * rng.uniform(-80, 80, 3) + rng.uniform(60, 190, 3)
    image = np.repeat(ramp, height, axis=0)
    image += np.linspace(0, 1, height)[:, None, None] * rng.uniform(-60, 60, 3)
    image = np.clip(image, 0, 255).astype(np.uint8)
    for _ in range(12):
        colour = rng.integers(0, 256, 3).tolist()
        points = (rng.uniform(0, 1, 2) * size_wh + rng.normal(0, 20, (4, 2))).astype(np.int32)
        cv2.fillPoly(image, [points], colour, cv2.LINE_AA)
        ends = [tuple(int(v) for v in rng.uniform(0, 1, 2) * size_wh) for _ in range(2)]
        cv2.line(image, *ends, colour, int(rng.integers(1, 4)), cv2.LINE_AA)
    return image


def make_photos(root, *, train=12, val=4, seed=0):
    """Write ``train/`` and ``val/`` under `root` and return it."""
    rng = np.random.default_rng(seed)
    for split, count in (("train", train), ("val", val)):
        (root / split).mkdir(parents=True)
        for i in range(count):
            cv2.imwrite(str(root / split / f"{i:02d}.png"), draw_photo(rng)[..., ::-1])
    return root
