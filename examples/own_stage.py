"""A stage of one's own: blur every face, so that what is stored shows nobody.

``python own_stage.py 0 out.mp4 [FRAMES]``

A stage takes results and returns new ones. Whoever comes after it, sinks included, sees the picture it returns.
"""

import sys
from dataclasses import replace

import cv2

import vedette

SOURCE = sys.argv[1] if len(sys.argv) > 1 else "demo://?pace=none&seconds=1&size=640x360"
VIDEO = sys.argv[2] if len(sys.argv) > 2 else "blurred.mp4"
FRAMES = int(sys.argv[3]) if len(sys.argv) > 3 else None


class Blur:
    name = "blur"

    def __call__(self, results: vedette.Results) -> vedette.Results:
        image = results.frame.image.copy()  # frames are shared: never write to one
        for x1, y1, x2, y2 in results.found["faces"].xyxy.astype(int):
            face = image[y1 : y2 + 1, x1 : x2 + 1]
            face[:] = cv2.blur(face, (1 + (x2 - x1) // 3, 1 + (y2 - y1) // 3))
        return replace(results, frame=replace(results.frame, image=image))


if __name__ == "__main__":
    count = sum(1 for _ in vedette.run(SOURCE, ["faces", Blur()], [VIDEO], frames=FRAMES))
    print(f"{count} frames in {VIDEO}")
