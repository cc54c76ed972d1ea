"""What looking at every k-th frame costs and gains, with the tracker carrying boxes over the frames between.

Cost: carried boxes against what detector and tracker find in those very frames when they look at all: how many of those
boxes have a carried one over them (recall) and the other way round (precision), at an overlap of 0.5, and the mean
overlap of such pairs. "still" is what it would cost to show the last look's boxes where they were. Gain: frames a
second of the whole loop on pictures in memory, against the same loop with the detector in every frame and against a
bare invoke; all take turns. "tracks" counts the numbers that were given out.

    python bench/tracking.py "demo://?pace=none&seconds=30&size=640x360"
    python bench/tracking.py ../shared/data/video/one-by-one-person-detection.mp4 \
        --peer ../shared/data/models/yolo11n_full_integer_quant_224.tflite
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

import numpy as np

import vedette
from vedette.app import make_sink, stage_name
from vedette.ops.assign import assign
from vedette.ops.boxes import iou_matrix
from vedette.pipeline import run
from vedette.settings import TrackSettings
from vedette.sources.uri import open_source
from vedette.stages.detect import Detect
from vedette.stages.every import Every
from vedette.stages.track import Track, Tracker
from vedette.testing import FakeSource
from vedette.types import Closing, Detections, Image

LEAST_IOU = 0.5
TURNS = 15
IN_CACHE = 10


class People(Closing):
    """The people among what another detector finds."""

    def __init__(self, model: str) -> None:
        self._detector = vedette.load_as(vedette.Detector, model, min_score=0.1, threads=1)
        self.engine, self.min_score = self._detector.engine, 0.5
        self.info = self._detector.info

    def detect(self, image: Image) -> Detections:
        found = self._detector.detect(image)
        return found.take((np.array(found.names, object) == "person") & (found.score >= self.min_score))

    def close(self) -> None:
        self._detector.close()


@dataclass(frozen=True)
class Look:
    time_ns: int
    size_wh: tuple[int, int]
    found: Detections


def look_at(source: str, detector: object, most: int) -> tuple[list[Look], list[Image]]:
    """Return what the detector finds in each frame, weak ones too, and the first few pictures."""
    looks, images = [], []
    with open_source(source) as opened:
        while len(looks) < most and (frame := opened.read()) is not None:
            looks.append(Look(frame.time_ns, frame.size_wh, detector.detect(frame.image)))
            if len(images) < IN_CACHE:
                images.append(frame.image)
    return looks, images


def agreement(shown: Sequence[Detections], wanted: Sequence[Detections]) -> dict[str, float]:
    """Return recall, precision and mean overlap of `shown` boxes with the `wanted` ones of the same frames."""
    overlaps: list[float] = []
    for one, other in zip(shown, wanted, strict=True):
        iou = iou_matrix(one.xyxy, other.xyxy).astype(float)
        rows, columns = assign(1 - iou, limit=1 - LEAST_IOU)
        overlaps += iou[rows, columns].tolist()
    had, should = sum(map(len, shown)), sum(map(len, wanted))
    return {
        "recall": round(len(overlaps) / max(should, 1), 3),
        "precision": round(len(overlaps) / max(had, 1), 3),
        "iou": round(statistics.fmean(overlaps or [0.0]), 3),
        "boxes": should,
    }


def cost(looks: Sequence[Look], every: int, start_score: float) -> dict[str, object]:
    """Return how well the boxes of the frames between looks agree with those of a look at every frame."""
    tracker, always = (Tracker(TrackSettings(), start_score=start_score) for _ in range(2))
    carried, still, wanted = [], [], []
    numbers: set[int] = set()
    for k, look in enumerate(looks):
        here = always.look(look.found, look.time_ns)
        if k % every == 0:
            last = tracker.look(look.found, look.time_ns)
            numbers |= set(last.track_id.tolist())
            continue
        moved = tracker.carry(look.time_ns, look.size_wh)
        carried.append(Detections.empty() if moved is None else moved)
        still.append(last)
        wanted.append(here)
    return {
        "tracks": len(numbers - {-1}),
        "carried": agreement(carried, wanted),
        "still": agreement(still, wanted),
    }


def gain(
    images: Sequence[Image], detector: object, ks: Sequence[int], seconds: float
) -> dict[str, list[float]]:
    """Return rates a second of each turn: of a bare invoke, of the loop in every frame, and of the loop for each k."""
    with ExitStack() as stack:
        steps: dict[str, Callable[[], object]] = {"invoke": detector.engine.invoke}
        name = stage_name(detector)
        stages = {"1": [Detect(name, detector)]} | {
            str(k): [Every(Detect(name, detector), k), Track()] for k in ks
        }
        for key, row in stages.items():
            sink = make_sink(f"jsonl:{os.devnull}?overwrite=1")
            results = run(FakeSource(list(images) * 100_000), row, [sink])
            stack.callback(results.close)
            steps[key] = lambda results=results: next(results)
        rates: dict[str, list[float]] = {key: [] for key in steps}
        for _ in range(TURNS):
            for key, step in steps.items():
                step()  # what was prepared during the others' turns does not count
                rates[key].append(rate(step, seconds))
    return rates


def ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the ratios within each turn: what disturbs a turn disturbs both."""
    return round(statistics.median(a / b for a, b in zip(ones, others, strict=True)), 2)


def rate(step: Callable[[], object], seconds: float) -> float:
    start, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < seconds or count % 30:  # whole rounds of every k
        step()
        count += 1
    return count / passed


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", nargs="?", default="demo://?pace=none&seconds=30&size=640x360")
    parser.add_argument("--model", default="face-detector")
    parser.add_argument("--peer", metavar="FILE", help="another model, for people")
    parser.add_argument("--every", type=int, action="append", metavar="K")
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each of 15 turns of each loop")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    ks = options.every or [2, 3, 5]
    loaded = People(options.peer) if options.peer else vedette.load(options.model, threads=options.threads)
    with closing(loaded) as detector:
        start_score = detector.min_score
        detector.min_score = start_score * TrackSettings().weak
        looks, images = look_at(options.source, detector, options.frames)
        span_s = (looks[-1].time_ns - looks[0].time_ns) / 1e9
        facts: dict[str, object] = {
            "source": options.source,
            "frames": len(looks),
            "fps": round((len(looks) - 1) / span_s, 2) if span_s else 0.0,
            "in_every_frame": cost(looks, 1, start_score)["tracks"],
            "cost": {k: cost(looks, k, start_score) for k in ks},
        }
        rates = gain(images, detector, ks, options.seconds)
    facts["rates"] = {key: round(statistics.median(values), 1) for key, values in rates.items()}
    facts["against_every_frame"] = {k: ratio(rates[str(k)], rates["1"]) for k in ks}
    facts["against_invoke"] = {k: ratio(rates[str(k)], rates["invoke"]) for k in [1, *ks]}
    print(json.dumps(facts, indent=1))
    return 0


if __name__ == "__main__":
    np.seterr(all="raise")
    sys.exit(main())
