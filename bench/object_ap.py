"""How good an object detector is: COCO's AP through the SDK's own code, and the invoke time beside another model's.

Splits are named ``origin/split`` as in ``boxes.csv``: highway/val and coco/test when none is named. Classes are the
model's own, or those of `--classes`, as far as the labels know them; those that `--partial` leaves out of an origin
count neither way. A model beside it (`--peer`) may be any that Vedette recognises.

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
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import vedette
from vedette.engines.litert import LiteRTEngine
from vedette.models.detect import Detector
from vedette_train.data.splits import open_split
from vedette_train.evaluate_detect import Found, best_threshold, coco_figures, judge, truth_of

LEAST_SCORE = 0.001
TURNS, INVOKES = 15, 5
Detect = Callable[[NDArray[np.uint8]], Found]


def finder(detector: Detector, labels: Sequence[str]) -> Detect:
    """Return what finds things of `labels` in a picture, numbered as they stand there; other classes are left out."""
    known = {label: i for i, label in enumerate(labels)}
    number = np.array([known.get(label, -1) for label in detector.model.contract.labels], np.int32)

    def detect(image: NDArray[np.uint8]) -> Found:
        found = detector.detect(image)
        class_id = number[found.class_id]
        wanted = class_id >= 0
        return Found(found.xyxy[wanted], found.score[wanted], class_id[wanted])

    return detect


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
    parser.add_argument("model", help="a bundled model's name, or a .tflite file")
    parser.add_argument("--classes", metavar="NAMES", help="with commas between; the model's own")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/objects"))
    parser.add_argument("--split", action="append", metavar="ORIGIN/SPLIT")
    parser.add_argument("--partial", default="people=person,streets=")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="MODEL", help="another one (repeatable)"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    splits = options.split or ["highway/val", "coco/test"]
    with ExitStack() as stack:
        models = {
            Path(name).stem: stack.enter_context(
                vedette.load_as(vedette.Detector, name, min_score=LEAST_SCORE, threads=1)
            )
            for name in (options.model, *options.peer)
        }
        first = next(iter(models.values()))
        labels = options.classes.split(",") if options.classes else first.model.contract.labels
        detects = {name: finder(one, labels) for name, one in models.items()}
        results: dict[str, Any] = {
            split: {n: measure(options.data, split, labels, options.partial, d) for n, d in detects.items()}
            for split in splits
        }
        results["bytes"] = {name: len(one.model.data) for name, one in models.items()}
        results["invoke_ms"] = invoke_ms({name: one.engine for name, one in models.items()})
    print(json.dumps(results, indent=None if options.json else 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
