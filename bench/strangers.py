"""How good known public models are through the SDK's own code, as far as ../shared/data has labels for it.

DeepLab: the class person on segmentation/person; overlap of all pictures together (`person_iou`) and the mean over
pictures. MoveNet: how far its key points are from the table that google-coral/test_data gives for squat.png, in parts
of the picture's width and height; one picture, so that is agreement, not accuracy. Of the ImageNet classifiers nothing
is measured: no photos with ImageNet's labels are there. The figures stand in zoo/known.toml.

    python bench/strangers.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import vedette

DEEPLAB = "deeplabv3_mnv2_dm05_pascal_quant"
MOVENET = "movenet_single_pose_lightning_ptq"


def measure_deeplab(data: Path) -> dict[str, Any]:
    """Return the overlap of what is called person with the masks."""
    reading = vedette.Reading(labels=data / "models/pascal_voc_segmentation_labels.txt")
    both, either = [], []
    with vedette.load_as(vedette.Segmenter, data / f"models/{DEEPLAB}.tflite", reading=reading) as segmenter:
        for path in sorted((data / "segmentation/person/mask").iterdir()):
            mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 127
            image = vedette.read_image(data / f"segmentation/person/image/{path.stem}.webp")
            found = segmenter.segment(image).mask("person")
            both.append(int((found & mask).sum()))
            either.append(int((found | mask).sum()))
    mean = statistics.fmean(b / e for b, e in zip(both, either, strict=True) if e)
    return {
        "pictures": len(both),
        "person_iou": round(sum(both) / sum(either), 3),
        "mean_over_pictures": round(mean, 3),
    }


def measure_movenet(data: Path) -> dict[str, Any]:
    """Return how far the key points are from the reference."""
    rows = csv.DictReader((data / f"models/{MOVENET}_reference.csv").read_text().splitlines())
    known = np.float32([(row["keypoint_x"], row["keypoint_y"]) for row in rows])
    image = vedette.read_image(data / "models/images/squat.png")
    with vedette.load_as(vedette.PoseEstimator, data / f"models/{MOVENET}.tflite") as estimator:
        points = estimator.estimate(image).points[0] / np.float32([image.shape[1], image.shape[0]])
    off = np.abs(points - known)
    return {"pictures": 1, "mean_off": round(float(off.mean()), 4), "most_off": round(float(off.max()), 4)}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    print(json.dumps({DEEPLAB: measure_deeplab(data), MOVENET: measure_movenet(data)}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
