"""A sink of one's own: count faces, and say how many there were. ``python own_sink.py 0 [FRAMES]``.

`write` and `close` are called from one thread that belongs to the sink: a slow one never slows the camera down.
"""

import sys

import vedette

SOURCE = sys.argv[1] if len(sys.argv) > 1 else "demo://?pace=none&seconds=1&size=640x360"
FRAMES = int(sys.argv[2]) if len(sys.argv) > 2 else None


class Counter:
    name = "counter"

    def __init__(self) -> None:
        self.frames = self.faces = 0

    def write(self, results: vedette.Results) -> None:
        self.frames += 1
        self.faces += len(results.found["faces"])

    def close(self) -> None:
        print(f"{self.faces} faces in {self.frames} frames")

    def __enter__(self) -> "Counter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


if __name__ == "__main__":
    for _ in vedette.run(SOURCE, ["faces"], [Counter()], frames=FRAMES):
        pass
