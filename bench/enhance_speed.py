"""What enhancing costs: each model against its bare invoke, and against what OpenCV does without a network.

Each turn times, one after the other, the whole call and the bare invokes of the same tiles, and every classical
counterpart: medians and least times in ms, and ratios, the median of those within a turn and that of the least times,
so that what disturbs the machine disturbs all alike. Memory is the peak of a process that enhances one picture.

    python bench/enhance_speed.py ../shared/data/models/abpn_x3_qat.tflite --picture photo.png
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import vedette
from vedette.models.curves import CurveEnhancer
from vedette.models.enhance import TiledImage
from vedette.ops.curves import apply_curves
from vedette.types import Image

SIZES = ("640x360", "1280x720")
_CHILD = """
import pathlib, re, sys, vedette
model, picture, width, height, threads = sys.argv[1:]
import cv2
image = cv2.resize(vedette.read_image(picture), (int(width), int(height)))
with vedette.load_enhancer([model], threads=int(threads)) as enhancer:
    enhancer.enhance(image)
print(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
"""


def clahe(image: Image) -> Any:
    """Return `image` with the contrast of its lightness limited and levelled."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(2.0, (8, 8)).apply(lab[..., 0])
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)


def classical(scale: int, image: Image, *, curves: bool) -> dict[str, Callable[[], object]]:
    """Return what does the same without a network, by name."""
    if scale > 1:
        size_wh = image.shape[1] * scale, image.shape[0] * scale
        return {
            "cubic": lambda: cv2.resize(image, size_wh, interpolation=cv2.INTER_CUBIC),
            "lanczos": lambda: cv2.resize(image, size_wh, interpolation=cv2.INTER_LANCZOS4),
        }
    if curves:
        return {"clahe": lambda: clahe(image)}
    return {
        "fastNlMeansDenoisingColored": lambda: cv2.fastNlMeansDenoisingColored(image, None, 10, 10, 7, 21),
        "bilateral": lambda: cv2.bilateralFilter(image, 9, 50, 7),
    }


def bare(step: Any, image: Image) -> Callable[[], object]:
    """Return what invokes the network as often as `step` does for `image`, and nothing else."""
    if isinstance(step, CurveEnhancer):
        return step.engine.invoke
    windows = step.windows((image.shape[1], image.shape[0]))
    return lambda: [step.network.engine.invoke() for _ in windows]


def measure(step: Any, image: Image, turns: int) -> dict[str, Any]:
    """Return milliseconds of each way, and how they compare."""
    todo = {"enhance": lambda: step.enhance(image), "invoke": bare(step, image)}
    if isinstance(step, CurveEnhancer):
        maps = step.curves(image)
        todo |= {"estimate": lambda: step.curves(image), "apply": lambda: apply_curves(image, maps)}
    todo |= classical(step.scale, image, curves=isinstance(step, CurveEnhancer))
    todo["enhance"]()  # plans the interpreter's memory for this size, which the bare invoke needs too
    times: dict[str, list[float]] = {name: [] for name in todo}
    for _ in range(turns):
        for name, way in todo.items():
            start = time.perf_counter()
            way()
            times[name].append((time.perf_counter() - start) * 1e3)
    tiles = len(step.windows((image.shape[1], image.shape[0]))) if isinstance(step, TiledImage) else 1
    ms = {
        name: {"median": round(statistics.median(t), 2), "least": round(min(t), 2)}
        for name, t in times.items()
    }
    return {"tiles": tiles, "ms": ms, **_ratios(times)}


def _ratios(times: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return the invoke's share of the whole, and how many times longer each counterpart takes than the whole."""
    whole = times["enhance"]

    def ratio(above: Sequence[float], below: Sequence[float]) -> dict[str, float]:
        median = statistics.median(a / b for a, b in zip(above, below, strict=True))
        return {"median": round(median, 3), "least": round(min(above) / min(below), 3)}

    others = times.keys() - {"enhance", "invoke", "estimate", "apply"}
    return {
        "whole_over_invoke": ratio(whole, times["invoke"]),
        "counterpart_over_whole": {name: ratio(times[name], whole) for name in sorted(others)},
    }


def peak_mib(model: str, picture: Path, size: str, threads: int) -> float:
    """Return the peak memory of a process that enhances one picture."""
    command = [sys.executable, "-c", _CHILD, model, str(picture), *size.split("x"), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    return round(int(done.stdout.split()[-1]) / 1024, 1)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", metavar="NAME|PATH")
    parser.add_argument("--picture", type=Path, required=True, help="resized to each size")
    parser.add_argument("--size", action="append", help=f"WxH, repeatable ({', '.join(SIZES)})")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    for size in options.size or SIZES:
        if re.fullmatch(r"[1-9]\d*x[1-9]\d*", size) is None:
            parser.error(f"--size is {size}; give WxH, such as 640x360")
    picture = vedette.read_image(options.picture)
    cv2.setNumThreads(options.threads)
    for model in options.models:
        for size in options.size or SIZES:
            width, height = map(int, size.split("x"))
            image = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            with vedette.load_enhancer([model], threads=options.threads) as enhancer:
                (step,) = enhancer.steps
                facts = {"model": enhancer.names[0], "size": size, **measure(step, image, options.turns)}
            facts["peak_mib"] = peak_mib(model, options.picture, size, options.threads)
            print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
