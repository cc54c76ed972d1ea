"""Judge a converted face detector: ``python -m vedette_train.judge_faces MODEL.tflite --data DIR``.

On val photos and on scenes composed of them, the same ones that the run's own figure is of. The model runs in
`vedette detect`, a process of its own, as on a device. The last line printed is a JSON object of figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2

from vedette_train.data.judged_faces import LEAST_SCORE, judged_faces
from vedette_train.data.pictures import MAX_BROKEN
from vedette_train.device import ask, boxes_of
from vedette_train.evaluate import average_precision, judge

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Judge the model that the command line names and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--max-broken", type=float, default=MAX_BROKEN)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        wanted = {}
        for i, (image, faces) in enumerate(judged_faces(options.data, max_broken=options.max_broken)):
            path = Path(folder) / f"{i}.png"
            cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
            wanted[path] = faces
        said = ask("detect", options.model, list(wanted), min_score=LEAST_SCORE)
    judged = []
    for path, faces in wanted.items():
        xyxy, score, _ = boxes_of(said[path])
        judged.append(judge(xyxy, score, wanted=faces.xyxy[faces.sure], ignored=faces.xyxy[~faces.sure]))
    sys.stdout.write(json.dumps({"ap50": round(average_precision(judged), 4)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
