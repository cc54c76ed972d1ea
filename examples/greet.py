"""Greet the people whom the gallery knows, once each time that they come; name nobody else.

``vedette faces enroll NAME PICTURES``, then ``python greet.py 0 [FRAMES]``. A name is given after half a second of
evidence, never on one frame.
"""

import sys
from collections import deque

import vedette

SOURCE = sys.argv[1] if len(sys.argv) > 1 else "demo://?size=640x360&seconds=2"
FRAMES = int(sys.argv[2]) if len(sys.argv) > 2 else None  # None: for ever


def main() -> None:
    greeted: deque[int] = deque(maxlen=100)  # tracks; bounded, as everything in a device
    for results in vedette.run(SOURCE, ["faces", "track", "recognize"], frames=FRAMES):
        faces = results.found["faces"]
        for track_id, name, identity in zip(
            faces.track_id.tolist(), faces.person, faces.identity, strict=True
        ):
            if identity == "known" and track_id not in greeted:
                greeted.append(track_id)
                print(f"hello {name}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except vedette.VedetteError as error:
        sys.exit(f"greet: {error}")
