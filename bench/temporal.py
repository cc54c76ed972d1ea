"""What averaging along the camera's motion is worth on a panning clip with noise, alone and with a denoising model.

    python bench/temporal.py [MODEL.tflite] [--sigma 15] [--frames 60] [--size 640x360] [--json]

The clip is that of `demo://` without its own noise, the camera panning, zooming and turning before photographs that
scikit-image ships, and a checked square crosses it. White noise of `--sigma` grey levels is added, rounded and clipped,
so the truth is known. Printed are the mean PSNR of frames 10 on (of "square": where it is and was in the frame before,
where a ghost would be), the flicker (the standard deviation of the error's change from frame to frame, grey levels) and
milliseconds a frame.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import vedette
from vedette.models.enhance import Enhancer
from vedette.models.temporal import TemporalDenoise
from vedette.sources.demo import DemoSettings, DemoSource
from vedette.sources.demo_walls import find_photographs
from vedette_train.data.degrade import gaussian
from vedette_train.evaluate_enhance import psnr

Image = NDArray[np.uint8]
SQUARE_PX, STEP_PX, SETTLED = 48, 6, 10


def clip(size_wh: tuple[int, int], frames: int) -> Iterator[tuple[Image, NDArray[np.bool_]]]:
    """Yield clean frames, and where the square is or was."""
    folder = find_photographs()
    with DemoSource(DemoSettings(size_wh=size_wh, live=False), folder=folder) as source:
        nothing = np.zeros_like(source._noise[0])
        source._noise = nothing, nothing  # its own noise would be taken for the truth
        checks = (
            np.kron(np.indices((6, 6)).sum(0) % 2, np.ones((8, 8)))[..., None] * np.array([200, 90, 40]) + 30
        )
        for k in range(frames):
            frame = source.read()
            assert frame is not None
            image, place = frame.image.copy(), np.zeros(frame.image.shape[:2], bool)
            top, left = size_wh[1] // 3, k * STEP_PX % (size_wh[0] - SQUARE_PX)
            image[top : top + SQUARE_PX, left : left + SQUARE_PX] = checks
            place[top : top + SQUARE_PX, max(0, left - STEP_PX) : left + SQUARE_PX] = True
            yield image, place


def measure(
    ways: dict[str, Callable[[Image], Any]], *, sigma: float, size_wh: tuple[int, int], frames: int
) -> Any:
    """Return the figures of each way."""
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    errors: dict[str, NDArray[np.float32]] = {}
    changes: dict[str, list[float]] = {name: [] for name in ways}
    for k, (clean, square) in enumerate(clip(size_wh, frames)):
        noisy = gaussian(clean, sigma, np.random.default_rng(k))
        for name, way in ways.items():
            start = time.perf_counter()
            made = np.asarray(way(noisy), np.uint8)
            took_ms = (time.perf_counter() - start) * 1e3
            error = made.astype(np.float32) - clean
            if k >= SETTLED:
                rows[name].append((psnr(clean, made), psnr(clean[square], made[square]), took_ms))
                changes[name].append(float((error - errors[name]).std()))
            errors[name] = error
    return {
        name: {
            "psnr": round(float(np.mean([row[0] for row in rows[name]])), 2),
            "square": round(float(np.mean([row[1] for row in rows[name]])), 2),
            "flicker": round(float(np.mean(changes[name])), 2),
            "ms": round(float(np.median([row[2] for row in rows[name]])), 1),
        }
        for name in ways
    }


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--sigma", type=float, default=15.0)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    with ExitStack() as stack:
        ways: dict[str, Callable[[Image], Any]] = {
            "noisy": lambda image: image,
            "temporal": TemporalDenoise().enhance,
        }
        if options.model is not None:
            model = stack.enter_context(vedette.load_enhancer([options.model]))
            ways["model"] = model.enhance
            ways["temporal, model"] = Enhancer([TemporalDenoise(), *model.steps]).enhance
            ways["model, temporal"] = Enhancer([*model.steps, TemporalDenoise()]).enhance
        told = measure(ways, sigma=options.sigma, size_wh=(width, height), frames=options.frames)
    if options.json:
        print(json.dumps(told))
        return 0
    print(f"{'':20s}{'PSNR':>9s}{'square':>9s}{'flicker':>9s}{'ms':>9s}")
    for name, row in told.items():
        print(f"{name:20s}" + "".join(f"{value:9.2f}" for value in row.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
