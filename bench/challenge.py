"""What turn of the head is read where there is none: from photos held still, and from photos turned in the hand.

    python bench/challenge.py --data ../shared/data [--photos 220] [--json]

Photos of `faces/people`, split val, in which the bundled detector finds one face that is turned by at most 20 degrees.
"shifted": the picture moved by 3 pixels, or enlarged by 2 %, and the face found again. "turned": the picture seen as a
flat print would be that is turned about the vertical, in natural size (6.3 cm between the eyes) 30 cm from the camera.
Told is the difference to the yaw of the photo itself; "counted": it reaches what a challenge takes for a turn.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

import cv2
import numpy as np

import vedette
from vedette.gallery.challenge import ChallengeRules
from vedette.ops.faces import face_pose
from vedette_train.data.embed import read_labelled

MOST_DEG, EYES_CM, AWAY_CM = 20.0, 6.3, 30.0
ANGLES_DEG = (30, 45, 60)


def main() -> int:
    """Print what each change of the picture does to the yaw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--photos", type=int, default=220)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    paths = sorted({face.path for face in read_labelled(options.data, "people", split="val")})
    random.Random(2).shuffle(paths)
    found: dict[str, list[float]] = {}
    with vedette.load("face-detector") as detector:
        for path in paths[: options.photos]:
            image = vedette.read_image(path)
            points = _points(detector, image)
            if points is None or abs(face_pose(points)[0]) > MOST_DEG:
                continue
            for kind, changed in _changes(image, points):
                again = _points(detector, changed)
                if again is not None:
                    found.setdefault(kind, []).append(abs(face_pose(again)[0] - face_pose(points)[0]))
    for kind, yaws in found.items():
        counted = sum(yaw >= ChallengeRules().turn_deg for yaw in yaws)
        told = {"found": len(yaws), "median": round(float(np.median(yaws)), 1),
                "p99": round(float(np.percentile(yaws, 99)), 1), "counted": counted}  # fmt: skip
        sys.stdout.write((json.dumps({kind: told}) if options.json else f"{kind:10s} {told}") + "\n")
    return 0


def _points(detector, image):
    faces = detector.detect(image)
    return faces.landmarks[0] if len(faces) == 1 else None


def _changes(image, points):
    """Yield what is done to the picture, and the picture then."""
    height, width = image.shape[:2]
    for move, scale in ((3, 1.0), (0, 1.02)):
        matrix = np.array([[scale, 0, move], [0, scale, move]], np.float32)
        yield "shifted", cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    away = AWAY_CM / EYES_CM * float(np.hypot(*(points[1] - points[0])))
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    for angle in (way * one for one in ANGLES_DEG for way in (-1, 1)):
        x, y = (corners - points.mean(0)).T
        near = np.minimum(x * np.sin(np.radians(angle)), 0.8 * away)
        scale = away / (away - near)
        seen = np.stack([x * np.cos(np.radians(angle)) * scale, y * scale], 1) + points.mean(0)
        matrix = cv2.getPerspectiveTransform(corners, seen.astype(np.float32))
        yield (
            f"turned {abs(angle)}",
            cv2.warpPerspective(image, matrix, (width, height), borderValue=(128,) * 3),
        )


if __name__ == "__main__":
    raise SystemExit(main())
