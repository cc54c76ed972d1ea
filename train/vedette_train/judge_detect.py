"""Judge a converted detector on the val split: ``python -m vedette_train.judge_detect MODEL.tflite --data DIR``.

The model runs in `vedette detect`, a process of its own, as on a device. The last line printed is a JSON object of
figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from vedette.errors import VedetteError
from vedette_train.data.splits import open_split
from vedette_train.evaluate_detect import Found, coco_figures, judge, truth_of

__all__ = ["main"]

LEAST_SCORE = 0.02
PICTURES_AT_ONCE = 500
TIMEOUT_S = 1800


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
    paths = [photo.path for photo in photos]
    found = [
        one
        for i in range(0, len(paths), PICTURES_AT_ONCE)
        for one in _detect(options.model, paths[i : i + PICTURES_AT_ONCE])
    ]
    figures = coco_figures(judge([truth_of(p) for p in photos], found, classes=len(labels)), labels)
    sys.stdout.write(json.dumps({"ap50": figures["ap50"], "ap50_95": figures["ap50_95"]}) + "\n")
    return 0


def _detect(model: Path, paths: Sequence[Path]) -> Iterable[Found]:
    """Yield what `vedette detect` finds in each picture.

    Raises:
        VedetteError: the command fails, or leaves pictures out.
    """
    words = ["detect", "--json", "--model", str(model), "--min-score", str(LEAST_SCORE), *map(str, paths)]
    command = [sys.executable, "-m", "vedette", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) != len(paths):
        raise VedetteError(f"`vedette detect --model {model}` failed: {done.stderr.strip()}")
    for line in lines:
        rows = json.loads(line)["detections"]
        columns = ([row[key] for row in rows] for key in ("box", "score", "class_id"))
        xyxy, score, class_id = columns
        yield Found(
            np.array(xyxy, np.float32).reshape(-1, 4),
            np.array(score, np.float32),
            np.array(class_id, np.int32),
        )


if __name__ == "__main__":
    sys.exit(main())
