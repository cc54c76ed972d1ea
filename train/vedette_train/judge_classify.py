"""Judge a converted classifier on the val split: ``python -m vedette_train.judge_classify MODEL.tflite --data DIR``.

The model runs in `vedette classify`, a process of its own, as on a device. The last line printed is a JSON object of
figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vedette.errors import VedetteError
from vedette_train.data.readers import open_classification
from vedette_train.evaluate_classify import classify_figures

__all__ = ["main"]

PICTURES_AT_ONCE = 500
TIMEOUT_S = 1800


def main(argv: Sequence[str] | None = None) -> int:
    """Judge the model that the command line names and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    options = parser.parse_args(argv)
    found = open_classification(options.data)
    photos = list(found.splits[options.split])
    answered: dict[str, int] = {}
    for i in range(0, len(photos), PICTURES_AT_ONCE):
        paths = [str(photo.path) for photo in photos[i : i + PICTURES_AT_ONCE]]
        answered |= _classify(options.model, paths)
    judged = [photo for photo in photos if str(photo.path) in answered]
    figures = classify_figures(
        np.array([answered[str(photo.path)] for photo in judged], np.int32),
        np.array([photo.class_id for photo in judged], np.int32),
        found.classes,
    )
    sys.stdout.write(json.dumps({"top1": figures["top1"], "balanced": figures["balanced"]}) + "\n")
    return 0


def _classify(model: Path, paths: Sequence[str]) -> dict[str, int]:
    """Return the best class of each picture; those that cannot be read are left out.

    Raises:
        VedetteError: the command fails for another reason, or answers for no picture.
    """
    words = ["classify", "--json", "--model", str(model), "--min-score", "0", *paths]
    command = [sys.executable, "-m", "vedette", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode not in (0, 3) or not done.stdout:
        raise VedetteError(f"`vedette classify --model {model}` failed: {done.stderr.strip()}")
    rows = (json.loads(line) for line in done.stdout.splitlines())
    return {row["source"]: row["classes"][0]["class_id"] for row in rows}


if __name__ == "__main__":
    sys.exit(main())
