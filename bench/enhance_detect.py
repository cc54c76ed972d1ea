"""What enhancing dark pictures does for who looks at them: recall of faces and people, with and without it.

    python bench/enhance_detect.py lowlight denoise,lowlight --data ../shared/data [--json]
    python bench/enhance_detect.py --data ../shared/data            # the classical ways alone

- faces: `faces/crowd` (WIDER FACE validation), faces at least 32 px high as labelled in the stored file; smaller ones
  are ignored. The bundled detector, see bench/face_ap.py.
- people: the class person in `objects/coco`, test; a crowd labelled as one is ignored. The bundled detector.

Each picture as it is ("light 1"), and in a fifth, a tenth and a twentieth of the light with a sensor's noise
(`vedette_train.data.face_views.faint`), drawn by the picture's number, so that every way sees the same pixels. Each
chain of models by name or path, as `vedette enhance --with` takes them; beside it one gamma for all and OpenCV's CLAHE,
see bench/enhance.py. Boxes in an enlarged picture are brought back to the pixels of the given one.

Recall and precision are those at a fixed score, the one that the detector was tuned for unless `--score` gives another,
at an overlap of .5; AP50 is the area under precision over recall, precision made monotonic, of both sets (so that of
people is not COCO's mean of 101 points, which bench/object_ap.py gives).
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from enhance import clahe, gamma
from face_ap import crowd
from numpy.typing import NDArray
from object_ap import finder

import vedette
from vedette_train.data.face_views import faint
from vedette_train.data.splits import open_split
from vedette_train.evaluate import Judged, average_precision, judge
from vedette_train.evaluate_detect import truth_of

GAINS = (1.0, 0.2, 0.1, 0.05)
FACE_PX = 32
LOWEST_SCORE = 0.02
Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
Way = Callable[[Image], Image]
Detect = Callable[[Image], tuple[Floats, Floats, Floats | None]]
"""Boxes (n, 4) px, scores (n,), best first, and landmarks (n, 5, 2) if there are any."""

Look = Callable[[Detect], Iterator[Judged]]


def people(data: Path, detect: Detect) -> Iterator[Judged]:
    """Yield the judgement of each photo."""
    photos = open_split(data / "objects", "test", classes="person", partial="people=person,streets=")[1]
    for photo in photos:
        if photo.origin == "coco":
            truth = truth_of(photo)
            found = detect(vedette.read_image(photo.path))
            yield judge(*found, wanted=truth.xyxy[~truth.ignored], ignored=truth.xyxy[truth.ignored])


def through(way: Way, gain: float, detect: Detect) -> Detect:
    """Return `detect` on pictures in `gain` of the light after `way`; boxes in the pixels of the given picture."""
    count = itertools.count()

    def look(image: Image) -> tuple[Floats, Floats, Floats | None]:
        number = next(count)
        dark = image if gain == 1 else faint(image, gain, np.random.default_rng(number))
        made = way(dark)
        xyxy, score, points = detect(made)
        scale = np.float32(image.shape[1] / made.shape[1])
        return xyxy * scale, score, None if points is None else points * scale

    return look


def figures(pictures: Sequence[Judged], score: float) -> dict[str, float]:
    """Return recall and precision of what has `score` or more, and AP50, rounded to four digits."""
    hits = sum(int(one.hit[one.score >= score].sum()) for one in pictures)
    found = sum(int((one.score >= score).sum()) for one in pictures)
    told = {
        "recall": hits / max(1, sum(one.wanted for one in pictures)),
        "precision": hits / max(1, found),
        "ap50": average_precision(pictures),
    }
    return {name: round(value, 4) for name, value in told.items()}


def measure(look: Look, detect: Detect, ways: Mapping[str, Way], score: float) -> dict[str, Any]:
    """Return for each light and way its `figures`, and how much there was to be found."""
    told: dict[str, Any] = {"score": round(score, 4)}
    for gain in GAINS:
        rows = told[f"light {gain:g}"] = {}
        for name, way in ways.items():
            judged = list(look(through(way, gain, detect)))
            rows[name] = figures(judged, score)
            told |= {"pictures": len(judged), "wanted": sum(one.wanted for one in judged)}
    return told


def all_ways(chains: Sequence[str], stack: ExitStack) -> dict[str, Way]:
    """Return what is done to a picture, by name: nothing, the classical ways, and `chains` of models."""
    ways: dict[str, Way] = {
        "as it is": lambda image: image,
        "gamma": lambda image: gamma(image, 0),
        "clahe": lambda image: clahe(image, 0),
    }
    for chain in chains:
        enhancer = stack.enter_context(vedette.load_enhancer(chain))
        ways[",".join(Path(name).stem for name in chain.split(","))] = enhancer.enhance
    return ways


def all_detects(
    data: Path, pictures: int | None, stack: ExitStack
) -> Iterator[tuple[str, Look, Detect, float]]:
    """Yield for each set its name, who judges its pictures, what finds, and the score that that was tuned for."""
    faces = stack.enter_context(
        vedette.load_as(vedette.FaceDetector, "face-detector", min_score=LOWEST_SCORE)
    )
    objects = stack.enter_context(vedette.load_as(vedette.Detector, "objects", min_score=LOWEST_SCORE))
    of_people = finder(objects, ["person"])

    def find_faces(image: Image) -> tuple[Floats, Floats, Floats]:
        found = faces.detect(image)
        return found.xyxy, found.score, found.landmarks

    def find_people(image: Image) -> tuple[Floats, Floats, None]:
        found = of_people(image)
        return found.xyxy, found.score, None

    yield "faces", lambda d: itertools.islice(crowd(data, d, FACE_PX), pictures), find_faces, threshold(faces)
    yield "people", lambda d: itertools.islice(people(data, d), pictures), find_people, threshold(objects)


def threshold(detector: Any) -> float:
    """Return the score that a detector was tuned for."""
    return float(detector.model.contract.threshold)


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("chains", nargs="*", metavar="MODEL[,MODEL...]", help="names, or .tflite files")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--score", type=float, help="at which recall and precision are told; each detector's own"
    )
    parser.add_argument("--pictures", type=int, metavar="N", help="only the first N of each set")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    missing = [
        name for name in ("faces/crowd.csv", "objects/boxes.csv") if not (options.data / name).exists()
    ]
    if missing:
        print(f"there is no {missing[0]} in {options.data}; give --data", file=sys.stderr)
        return 2
    results = {}
    with ExitStack() as stack:
        ways = all_ways(options.chains, stack)
        for name, look, detect, tuned in all_detects(options.data, options.pictures, stack):
            score = tuned if options.score is None else options.score
            results[name] = measure(look, detect, ways, score)
            if not options.json:
                show(name, results[name])
    if options.json:
        print(json.dumps(results))
    return 0


def show(name: str, told: Mapping[str, Any]) -> None:
    """Print the figures of one set as a table."""
    print(f"{name}: {told['wanted']} in {told['pictures']} pictures, score {told['score']:g}")
    print(f"{'':34s}{'recall':>10s}{'precision':>11s}{'AP50':>9s}")
    for light, rows in told.items():
        for way, row in rows.items() if isinstance(rows, dict) else ():
            print(f"  {light:12s}{way:20s}{row['recall']:10.4f}{row['precision']:11.4f}{row['ap50']:9.4f}")


if __name__ == "__main__":
    sys.exit(main())
