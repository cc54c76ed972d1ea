"""How well the people of a gallery are named, and strangers not: photos in, names out, as `vedette faces` does it.

    python bench/face_search.py --data ../shared/data [--galleries 20] [--people 10] [--far 0.01] [--json]

People of `faces/people`, split val, whom the embedder never saw. Each gallery, drawn by a seed, enrols the first four
photos of some people who have eight or more, is calibrated for one search among them, and is asked for their other
photos and for a photo of everybody else. Of several faces in a photo the largest counts. "refused": the quality gate
did not let it be compared; "right" of a stranger: no name. The scores that calibration uses are of the same 320 people,
in other pairs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

import vedette
from vedette.errors import FaceRefused
from vedette.galleries import GalleryPlace
from vedette.models.recognize import FaceRecognizer, Recognition
from vedette_train.data.embed import read_labelled

ENROLLED, LEAST = 4, 8


def main() -> int:
    """Print the counts of all galleries together."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--galleries", type=int, default=20)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--far", type=float, default=0.01)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    photos: dict[str, list[Path]] = defaultdict(list)
    for face in read_labelled(options.data, "people", split="val"):
        photos[face.person].append(face.path)
    rng, many = np.random.default_rng(0), sorted(name for name in photos if len(photos[name]) >= LEAST)
    total: dict[str, Counter[str]] = {"enrolled": Counter(), "strangers": Counter()}
    for _ in range(options.galleries):
        chosen = rng.permutation(many)[: options.people].tolist()
        for kind, counts in _try(photos, chosen, options.far).items():
            total[kind] += counts
    for kind, counts in total.items():
        shares = {what: round(n / counts.total(), 4) for what, n in counts.most_common()}
        told = {"asked": counts.total(), **shares}
        sys.stdout.write((json.dumps({kind: told}) if options.json else f"{kind:10s} {told}") + "\n")
    return 0


def _try(photos: dict[str, list[Path]], chosen: list[str], far: float) -> dict[str, Counter[str]]:
    with tempfile.TemporaryDirectory() as folder:
        place = GalleryPlace(Path(folder) / "people.db", Path(folder) / "gallery.key")
        with vedette.load_recognizer(place, create=True) as recognizer:
            for name in chosen:
                for path in photos[name][:ENROLLED]:
                    _enroll(recognizer, name, path)
            recognizer.calibrate(far=far)
            mine = ((name, path) for name in chosen for path in photos[name][ENROLLED:])
            others = (("", photos[name][0]) for name in photos if name not in chosen)
            return {
                "enrolled": Counter(_verdict(recognizer, *one) for one in mine),
                "strangers": Counter(_verdict(recognizer, *one) for one in others),
            }


def _enroll(recognizer: FaceRecognizer, name: str, path: Path) -> None:
    try:
        recognizer.enroll(name, vedette.read_image(path), source=path.name)
    except FaceRefused:
        return  # as a person would: the picture is left out


def _verdict(recognizer: FaceRecognizer, name: str, path: Path) -> str:
    found = recognizer.identify(vedette.read_image(path))
    if not found:
        return "no face"
    best = max(found, key=_area)
    if best.decision is None:
        return "refused"
    return "right" if best.name == name else "wrong" if best.name else "unknown"


def _area(one: Recognition) -> float:
    x1, y1, x2, y2 = one.look.xyxy.tolist()
    return float((x2 - x1) * (y2 - y1))


if __name__ == "__main__":
    sys.exit(main())
