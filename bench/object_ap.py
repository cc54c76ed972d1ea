"""How good an object detector is: COCO's AP through the SDK's own code, and the invoke time beside another model's.

Splits are named ``origin/split`` as in ``boxes.csv``: highway/val and coco/test when none is named. Classes are the
model's own, as far as the labels know them; those that `--partial` leaves out of an origin count neither way.
A model beside it (`--peer`) may be an Ultralytics export with one output (1, 4 + 80, n) of COCO's classes.

    python bench/object_ap.py objects.tflite --data ../shared/data/objects \
        --peer ../shared/data/models/yolo11n_full_integer_quant_224.tflite
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import vedette
from vedette.contract import InputContract
from vedette.engines.litert import LiteRTEngine
from vedette.models.detect import Detector
from vedette.ops.boxes import nms
from vedette.ops.quant import fill_input
from vedette_train.data.splits import open_split
from vedette_train.evaluate_detect import Found, best_threshold, coco_figures, judge, truth_of

LEAST_SCORE = 0.01
TURNS, INVOKES = 15, 5
PEER_NMS_IOU = 0.7
COCO_ID = {"person": 0, "bicycle": 1, "car": 2, "motorcycle": 3, "bus": 5, "train": 6, "truck": 7}
Detect = Callable[[NDArray[np.uint8]], Found]


class Peer:
    """An Ultralytics export with one output (1, 84, n): x, y, w, h of the middle, then 80 scores."""

    def __init__(self, path: Path, labels: Sequence[str]) -> None:
        self.engine = LiteRTEngine(path.read_bytes(), label=str(path), threads=1)
        (self._spec,) = self.engine.inputs
        side = self._spec.shape[1]
        self._contract = InputContract(
            "image", (side, side), "rgb", "letterbox", 114, (0.0,) * 3, (255.0,) * 3
        )
        self._ids = [COCO_ID[label] for label in labels]

    def detect(self, image: NDArray[np.uint8]) -> Found:
        """Return what is found; each place counts in each class that passes."""
        place = []
        (out,) = self.engine.run(lambda b: place.append(fill_input(image, b[0], self._spec, self._contract)))
        real = (out.data[0].astype(np.float32) - out.zero_point) * (out.scale or 1.0)
        places, class_id = np.nonzero(real[4:][self._ids].T >= LEAST_SCORE)
        score = real[4:][self._ids].T[places, class_id]
        box = real[:4].T[places]
        box = (
            box * self._spec.shape[1] if box.size and box.max() < 2 else box
        )  # in parts of the input, or pixels
        xyxy = np.concatenate([box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2], 1).astype(
            np.float32
        )
        kept = nms(xyxy + (class_id * 10_000)[:, None].astype(np.float32), score, iou=PEER_NMS_IOU)
        height, width = image.shape[:2]
        inside = np.clip(place[0].to_picture(xyxy[kept]), 0, np.float32([width, height, width, height]))
        return Found(inside, score[kept], class_id[kept].astype(np.int32))


def measure(data: Path, split: str, labels: Sequence[str], partial: str, detect: Detect) -> dict[str, Any]:
    """Return the figures of `detect` on the pictures of ``origin/split``."""
    origin, _, name = split.partition("/")
    found = open_split(data, name, classes=",".join(labels), partial=partial)[1]
    photos = [photo for photo in found if photo.origin == origin]
    if not photos:
        raise vedette.VedetteError(f"{data} holds no pictures of {split}.")
    found = [detect(vedette.read_image(photo.path)) for photo in photos]
    judged = judge([truth_of(photo) for photo in photos], found, classes=len(labels))
    return {"pictures": len(photos), **coco_figures(judged, labels), "best_threshold": best_threshold(judged)}


def invoke_ms(engines: dict[str, LiteRTEngine]) -> dict[str, dict[str, float]]:
    """Return median and least milliseconds of an invoke; the models take turns, so that noise meets all alike."""
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(TURNS):
        for name, engine in engines.items():
            for _ in range(INVOKES):
                start = time.perf_counter()
                engine.invoke()
                times[name].append((time.perf_counter() - start) * 1e3)
    return {
        n: {"median": round(statistics.median(t), 3), "least": round(min(t), 3)} for n, t in times.items()
    }


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="a bundled model's name or a .tflite file made by vedette")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/objects"))
    parser.add_argument("--split", action="append", metavar="ORIGIN/SPLIT")
    parser.add_argument("--partial", default="people=person,streets=")
    parser.add_argument("--peer", action="append", type=Path, default=[], help="an Ultralytics .tflite")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    splits = options.split or ["highway/val", "coco/test"]
    with vedette.load(options.model, min_score=LEAST_SCORE, threads=1) as detector:
        if not isinstance(detector, Detector):
            print(f"{options.model} does not find objects", file=sys.stderr)
            return 2
        labels = detector.model.contract.labels

        def mine(image: NDArray[np.uint8]) -> Found:
            found = detector.detect(image)
            return Found(found.xyxy, found.score, found.class_id)

        peers = {path.stem: Peer(path, labels) for path in options.peer}
        detects: dict[str, Detect] = {options.model: mine, **{n: p.detect for n, p in peers.items()}}
        results: dict[str, Any] = {
            split: {n: measure(options.data, split, labels, options.partial, d) for n, d in detects.items()}
            for split in splits
        }
        results["bytes"] = {options.model: len(detector.model.data)} | {
            p.stem: p.stat().st_size for p in options.peer
        }
        results["invoke_ms"] = invoke_ms(
            {options.model: detector.engine, **{n: p.engine for n, p in peers.items()}}
        )
    print(json.dumps(results, indent=None if options.json else 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
