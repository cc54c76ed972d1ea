"""Watch a camera for as long as the device runs, and print a line of JSON whenever faces are seen.

``python live_faces.py '0?give_up=3600' [FRAMES]``. Memory is bounded: of a camera the newest frame alone is kept. With
``give_up`` a camera that falls silent is opened again for so many seconds; after that the error ends the program, and
whatever supervises it (systemd) starts it anew.
"""

import json
import sys

import vedette

SOURCE = sys.argv[1] if len(sys.argv) > 1 else "demo://?size=640x360&seconds=1"
FRAMES = int(sys.argv[2]) if len(sys.argv) > 2 else None  # None: for ever


def main() -> None:
    for results in vedette.run(SOURCE, ["faces?min_score=0.6"], frames=FRAMES):
        faces = results.found["faces"]
        if len(faces):
            boxes = faces.xyxy.round(1).tolist()
            print(
                json.dumps({"frame": results.frame.index, "age_ms": results.age_ms, "faces": boxes}),
                flush=True,
            )


if __name__ == "__main__":
    try:
        main()
    except vedette.VedetteError as error:
        sys.exit(f"live_faces: {error}")
