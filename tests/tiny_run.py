"""A run folder of a small network, and pictures for it, for the tests of conversion."""

import json

import cv2
import numpy as np

SIDE = 32
CONTRACT = {
    "schema": 1,
    "name": "tiny",
    "version": "1.0.0",
    "task": "tests",
    "head": {"type": "raw"},
    "input": {
        "name": "image",
        "size_wh": [SIDE, SIDE],
        "color": "rgb",
        "resize": "letterbox",
        "pad_value": 114,
        "mean": [127.5, 127.5, 127.5],
        "std": [127.5, 127.5, 127.5],
    },
    "outputs": [{"name": "mask", "role": "raw"}, {"name": "label", "role": "raw"}],
    "labels": ["a", "b", "c", "d"],
    "threshold": 0.5,
    "license": "Apache-2.0",
}


def draw_pictures(count, seed=0):
    """Return smooth random pictures, (count, SIDE, SIDE, 3) uint8, black and white first."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)
    drawn = np.stack([cv2.resize(s, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for s in small])
    drawn[0], drawn[1] = 0, 255
    return drawn


def write_run(folder, network, *, count=24, **contract):
    """Write a run folder around the file `network` and return it."""
    folder.mkdir(parents=True)
    (folder / "model.keras").write_bytes(network.read_bytes())
    (folder / "contract.json").write_text(json.dumps({**CONTRACT, **contract}))
    np.savez_compressed(folder / "calibration.npz", images=draw_pictures(count))
    cv2.imwrite(str(folder / "golden.png"), draw_pictures(3, seed=9)[2])
    return folder
