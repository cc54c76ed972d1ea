"""Judge a converted classifier on the val split: ``python -m vedette_train.judge_classify MODEL.tflite --data DIR``.

The model runs in `vedette classify`, a process of its own, as on a device. The last line printed is a JSON object of
figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vedette_train.data.readers import open_classification
from vedette_train.device import ask
from vedette_train.evaluate_classify import classify_figures

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Judge the model that the command line names and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    options = parser.parse_args(argv)
    found = open_classification(options.data)
    photos = list(found.splits[options.split])
    said = ask("classify", options.model, [photo.path for photo in photos], min_score=0.0)
    judged = [photo for photo in photos if photo.path in said]
    figures = classify_figures(
        np.array([said[photo.path]["classes"][0]["class_id"] for photo in judged], np.int32),
        np.array([photo.class_id for photo in judged], np.int32),
        found.classes,
    )
    sys.stdout.write(json.dumps({"top1": figures["top1"], "balanced": figures["balanced"]}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
