"""Judge a converted detector on the val split: ``python -m vedette_train.judge_detect MODEL.tflite --data DIR``.

The model runs in `vedette detect`, a process of its own, as on a device. The last line printed is a JSON object of
figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from vedette_train.data.splits import open_split
from vedette_train.device import ask, boxes_of
from vedette_train.evaluate_detect import Found, coco_figures, judge, truth_of

__all__ = ["main"]

LEAST_SCORE = 0.02


def main(argv: Sequence[str] | None = None) -> int:
    """Judge the model that the command line names and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--classes", default="")
    parser.add_argument("--partial", default="")
    parser.add_argument("--format", default="")
    options = parser.parse_args(argv)
    labels, photos = open_split(
        options.data, options.split, classes=options.classes, partial=options.partial, format=options.format
    )
    said = ask("detect", options.model, [photo.path for photo in photos], min_score=LEAST_SCORE)
    judged = [photo for photo in photos if photo.path in said]
    found = [Found(*boxes_of(said[photo.path])) for photo in judged]
    figures = coco_figures(judge([truth_of(p) for p in judged], found, classes=len(labels)), labels)
    sys.stdout.write(json.dumps({"ap50": figures["ap50"], "ap50_95": figures["ap50_95"]}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
