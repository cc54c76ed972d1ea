"""Judge a converted enhancer on photos of val.

    python -m vedette_train.judge_enhance MODEL.tflite --data DIR --kind sr --scale 3

The model runs in the SDK, as on a device. The last line printed is a JSON object of figures, larger is better.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import vedette
from vedette.contract import open_model_file
from vedette_train.data.pairs import KINDS, Task, check_pairs
from vedette_train.data.photos import read_photos
from vedette_train.evaluate_enhance import figures

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Judge the model that the command line names and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--split", default="val", choices=("train", "val"))
    options = parser.parse_args(argv)
    size_wh = open_model_file(options.model).contract.input.size_wh
    with vedette.load_enhancer([options.model]) as enhancer:
        task = Task(options.kind, options.scale, size_wh)
        pairs = check_pairs(read_photos(options.data)[options.split], task)
        told = figures(((wanted, enhancer.enhance(given)) for given, wanted in pairs), task)
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
