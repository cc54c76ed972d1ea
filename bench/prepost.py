"""What a detector costs before and after its network, against the bare invoke, at the sizes of cameras.

"pre" fits a picture into the interpreter's own input, "post" makes values of the raw outputs; goal: both together at
most a quarter of the invoke. "detect" is the whole call. All take turns, so that what disturbs the machine disturbs
all; medians and least times in ms. "share" is the median over turns of (pre + post) / invoke within the turn.

    python bench/prepost.py ../shared/data/models/yolo11n_full_integer_quant_224.tflite \
        --picture ../shared/data/models/images/kite_and_cold.jpg
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import vedette
from vedette.models.maps import BoxDetector
from vedette.ops.images import letterbox_geometry
from vedette.ops.quant import fill_input

SIZES = ("1280x720", "640x480", "1920x1080")
CALLS = 5


def steps(detector: BoxDetector[Any], image: vedette.types.Image) -> dict[str, Callable[[], object]]:
    """Return what is timed, by name."""
    spec, contract = detector.engine.inputs[0], detector.model.contract.input
    shape_hw = (image.shape[0], image.shape[1])
    buffer = np.zeros(spec.shape, spec.dtype)
    box = letterbox_geometry(shape_hw, contract.size_wh, contract.resize)
    tensors, _ = detector.infer(image)
    return {
        "pre": lambda: fill_input(image, buffer, spec, contract),
        "invoke": detector.engine.invoke,
        "post": lambda: detector.decode(tensors, box, shape_hw),
        "detect": lambda: detector.detect(image),
    }


def measure(detector: BoxDetector[Any], image: vedette.types.Image, turns: int) -> dict[str, Any]:
    """Return milliseconds of each step, and the share of pre and post in the invoke."""
    todo = steps(detector, image)
    times: dict[str, list[float]] = {name: [] for name in todo}
    for _ in range(turns):
        for name, step in todo.items():
            step()  # its code and data are in the cache
            start = time.perf_counter()
            for _ in range(CALLS):
                step()
            times[name].append((time.perf_counter() - start) / CALLS * 1e3)
    rows = zip(times["pre"], times["post"], times["invoke"], strict=True)
    return {
        "found": len(detector.detect(image)),
        **{name: {"median": _ms(statistics.median(t)), "least": _ms(min(t))} for name, t in times.items()},
        "share": round(statistics.median((pre + post) / invoke for pre, post, invoke in rows), 3),
        "share_of_least": round((min(times["pre"]) + min(times["post"])) / min(times["invoke"]), 3),
    }


def _ms(value: float) -> float:
    return round(value, 3)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--picture", type=Path, required=True, help="resized to each size")
    parser.add_argument("--size", action="append", metavar="WxH")
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--min-score", type=float)
    options = parser.parse_args(argv)
    picture = vedette.read_image(options.picture)
    cv2.setNumThreads(1)
    facts: dict[str, Any] = {"load": os.getloadavg()[0], "cores": os.cpu_count()}
    with vedette.load(options.model, threads=1, min_score=options.min_score) as detector:
        for size in options.size or SIZES:
            width, height = (int(v) for v in size.split("x"))
            image = np.ascontiguousarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))
            facts[size] = measure(detector, image, options.turns)
    print(json.dumps(facts, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
