"""Accuracy of a face detector on four sets of real photos, through the SDK's own path, int8 and float.

    python bench/face_ap.py face-detector --data ../shared/data [--run RUN] [--json]

AP is the area under precision over recall at IoU .5 (precision made monotonic), detections matched greedily, best
first, each to the free face that it overlaps most. What meets a face to be ignored neither counts nor costs.

- crowd >= 32 px, crowd >= 16 px: `faces/crowd` (WIDER FACE validation, longer side 512 px), faces at least so high as
  labelled in the stored file; smaller ones are ignored. Not trained on;
  its errors were looked at when the recipe was changed (see the model card).
- people val: `faces/people`, people that the train split does not have; web val: `faces/web`. The labelled face is
  wanted, those that another detector found beside it (`faces/others.csv`) are ignored.

NME is the mean distance of the five landmarks over the distance between the eyes, of the faces found on web val (and
on people val, whose labels are coarser). ``--run`` adds the float network of a run folder and writes both results to
its ``metrics.json``, which `vedette convert` puts into the model.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import vedette
from vedette_train.data.faces import read_faces
from vedette_train.evaluate import Judged, average_precision, judge, landmark_error

LOWEST_SCORE = 0.02
Floats = NDArray[np.float32]
Detect = Callable[[NDArray[np.uint8]], tuple[Floats, Floats, Floats]]
NONE = np.zeros((0, 4), np.float32)


def crowd(data: Path, detect: Detect, min_px: int) -> Iterator[Judged]:
    """Yield the judgement of each crowd photo."""
    boxes = defaultdict(list)
    with (data / "faces/crowd.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            boxes[row["file"]].append([float(row[k]) for k in ("x1", "y1", "x2", "y2")])
    for file, rows in sorted(boxes.items()):
        faces = np.float32(rows)
        large = faces[:, 3] - faces[:, 1] >= min_px
        found = detect(vedette.read_image(data / "faces" / file))
        yield judge(*found, wanted=faces[large], ignored=faces[~large])


def single(data: Path, detect: Detect, folder: str) -> Iterator[Judged]:
    """Yield the judgement of each val photo of `folder`."""
    for photo in read_faces(data, split="val"):
        if folder in photo.path.parts:
            mine = photo.by_hand
            found = detect(vedette.read_image(photo.path))
            yield judge(
                *found, wanted=photo.given[mine], ignored=photo.given[~mine], wanted_points=photo.points[mine]
            )


def measure(data: Path, detect: Detect) -> dict[str, float]:
    """Return the figures of merit, rounded to four digits."""
    web, people = list(single(data, detect, "web")), list(single(data, detect, "people"))
    figures = {
        "crowd_32px_ap50": average_precision(list(crowd(data, detect, 32))),
        "crowd_16px_ap50": average_precision(list(crowd(data, detect, 16))),
        "people_val_ap50": average_precision(people),
        "web_val_ap50": average_precision(web),
        "web_val_nme": landmark_error(web),
        "people_val_nme": landmark_error(people),
    }
    return {name: round(value, 4) for name, value in figures.items()}


def float_detect(run: Path) -> Detect:
    """Return the detect function of the float network in a run folder."""
    import keras

    from vedette_train.export import FloatDetector

    network = keras.saving.load_model(run / "model.keras", compile=False)
    _, height, width, _ = network.inputs[0].shape
    detector = FloatDetector(network, (width, height))
    return lambda image: detector.detect(image, min_score=LOWEST_SCORE)


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="a bundled model's name or a .tflite file")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--run", type=Path, help="also measure this run's float network; writes its metrics.json"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not (options.data / "faces").is_dir():
        print(f"no faces/ in {options.data}; give --data", file=sys.stderr)
        return 2
    with vedette.load(options.model, min_score=LOWEST_SCORE) as detector:

        def detect(image: NDArray[np.uint8]) -> tuple[Floats, Floats, Floats]:
            found = detector.detect(image)
            return found.xyxy, found.score, found.landmarks

        results = {"int8": measure(options.data, detect)}
    if options.run:
        results["float"] = measure(options.data, float_detect(options.run))
        (options.run / "metrics.json").write_text(json.dumps(results, indent=1, sort_keys=True))
    if options.json:
        print(json.dumps(results))
    else:
        for name in results["int8"]:
            print(f"{name:16s}", *(f"{form} {figures[name]:.4f}" for form, figures in results.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
