"""Print what the detector's assignment and loss do in cases by hand, as JSON. A program: Keras loads in it alone."""

import json

import numpy as np
from keras import ops

from vedette_train.data.mosaic import MAX_OBJECTS
from vedette_train.data.targets import anchors
from vedette_train.losses.detect import assign, detect_loss, iou

STRIDES = (8, 16, 32)
PLACES = anchors((64, 64), STRIDES)
CLASSES = 2


def outputs(score=-4.0, size=1.0):
    made = {}
    for s in STRIDES:
        made[f"score_{s}"] = np.full((1, 64 // s, 64 // s, CLASSES), score, np.float32)
        made[f"box_{s}"] = np.tile(np.array([0, 0, size, size], np.float32), (1, 64 // s, 64 // s, 1))
    return made


def target(*objects):
    rows = np.full((1, MAX_OBJECTS, 5), -1, np.float32)
    rows[0, : len(objects)] = np.array(objects, np.float32).reshape(-1, 5)
    return {"objects": rows, "known": np.ones((1, len(PLACES), CLASSES), np.float32)}


def loss(wanted, raw):
    return float(detect_loss(wanted, raw, ops.convert_to_tensor(PLACES), STRIDES))


def assigned(rows, xyxy, score=0.1):
    scores = np.full((1, len(PLACES), CLASSES), score, np.float32)
    parts = assign(*(ops.convert_to_tensor(a) for a in (rows["objects"], scores, xyxy[None], PLACES)))
    return [np.array(part)[0] for part in parts]


def main():
    centers = np.concatenate([PLACES[:, :2] - PLACES[:, 2:] * 2, PLACES[:, :2] + PLACES[:, 2:] * 2], 1)
    one = target((7, 9, 39, 43, 1))  # best served by the place of stride 8 at (20, 28): 4..36, 12..44
    box, weight, quality = assigned(one, centers)
    far = assigned(one, centers + 1000)
    tiny = assigned(target((29, 29, 31, 31, 0)), centers)
    two = assigned(target((0, 0, 30, 30, 0), (2, 2, 64, 64, 1)), centers)
    unknown = target()
    unknown["known"][..., 0] = 0
    loud = outputs()
    for s in STRIDES:
        loud[f"score_{s}"][..., 0] = 5.0
    print(json.dumps({
        "box": box[weight > 0].tolist(), "most": float(weight.max()), "places": int((weight > 0).sum()),
        "quality": quality.max(0).tolist(), "far": [int((far[1] > 0).sum()), float(far[1].max()), float(far[2].max())],
        "tiny": int((tiny[1] > 0).sum()), "two": sorted({tuple(b) for b in two[0][two[1] > 0].tolist()}),
        "nothing": loss(target(), outputs()), "unknown loud": loss(unknown, loud), "unknown": loss(unknown, outputs()),
        "known loud": loss(target(), loud), "finite": loss(one, outputs(size=80.0)),
        "iou": [float(v[0]) for v in iou(np.float32([[0, 0, 2, 2]]), np.float32([[1, 1, 3, 3]]))],
    }))  # fmt: skip


if __name__ == "__main__":
    main()
