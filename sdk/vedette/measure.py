"""Measure a model and the loop around it: ratios within one run, on the machine at hand.

The floor is a bare `invoke()` of the same model with the same threads. Floor and loop take turns, so that a noisy
machine disturbs both alike; the median of the turns counts.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vedette.app import load, make_sink, stage_name
from vedette.app import open as open_live
from vedette.engines.litert import LiteRTEngine
from vedette.errors import VedetteError
from vedette.models.detect import Detector
from vedette.models.face import FaceDetector
from vedette.pipeline import run
from vedette.sources.uri import open_source
from vedette.stages.detect import Detect
from vedette.types import Closing, Frame, Results, Source

__all__ = ["Report", "measure"]

COLD_TIMEOUT_S = 120
PRELOADED = 90
IN_CACHE = (
    10  # a camera reuses its few buffers, so a new frame lies in the cache; a long row of frames would not
)
TURNS = 5
# What `vedette` does, and then its own peak in KiB: getrusage would tell that of whoever started the process.
_COLD = """
import pathlib, re, sys
from vedette.cli import main
code = main()
print(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1], file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured. Rates are per second, times in milliseconds, memory in MiB."""

    model: str
    engine: str
    source: str
    frame_wh: tuple[int, int]
    invoke_per_s: float
    loop_per_s: float
    loop_ratio: float
    decode_per_s: float
    decode_ratio: float
    paced_fps: float
    paced_age_p50_ms: float
    paced_age_p99_ms: float
    paced_dropped: int
    cold_start_ms: float
    peak_rss_mib: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


class _Preloaded(Closing):
    """A file-like source that hands out pictures already in memory, over and over."""

    live = False

    def __init__(self, name: str, frames: Sequence[Frame]) -> None:
        self.name, self._frames, self._index = name, frames, 0

    def read(self) -> Frame | None:
        old = self._frames[self._index % len(self._frames)]
        now = time.monotonic_ns()
        self._index += 1
        return Frame(old.image, self._index - 1, self._index * 33_000_000, now, self.name)

    def close(self) -> None:
        """Nothing to close."""


def measure(
    model: str = "face-detector",
    source: str = "demo://?pace=none",
    *,
    seconds: float = 10.0,
    threads: int | None = None,
    progress: Callable[[str], None] = lambda _step: None,
) -> Report:
    """Return figures for `model` on the pictures of `source`, a video file, pictures, or ``demo://?pace=none``.

    Args:
        model: a bundled model's name or a file.
        source: where its pictures come from; not live.
        seconds: time given to each of the three loops (preloaded, decoding, paced).
        threads: 1..usable cores; the free cores when not given.
        progress: told what is being measured.

    Raises:
        VedetteError: the model or the source cannot be opened; the source is empty.
    """
    frames = _preload(source)
    with load(model, threads=threads) as detector, tempfile.TemporaryDirectory() as folder:
        video = _video(frames, Path(folder))
        progress("whole loop against bare invoke")
        floor, loop = _take_turns(detector, lambda: _Preloaded(source, frames[:IN_CACHE]), seconds)
        progress("the same with decoding")
        decode_floor, decode = _take_turns(detector, lambda: open_source(f"{video}?loop=1"), seconds)
        progress("paced at 30 fps")
        paced = _paced(detector, f"{video}?loop=1&pace=real", seconds)
        progress("cold start")
        cold_ms, rss_mib = _cold(model, frames[0], Path(folder))
        info = detector.info
    return Report(
        model=info.name,
        engine=info.engine,
        source=source,
        frame_wh=frames[0].size_wh,
        invoke_per_s=floor,
        loop_per_s=loop,
        loop_ratio=loop / floor,
        decode_per_s=decode,
        decode_ratio=decode / decode_floor,
        paced_fps=paced[0],
        paced_age_p50_ms=float(np.percentile(paced[1], 50)),
        paced_age_p99_ms=float(np.percentile(paced[1], 99)),
        paced_dropped=paced[2],
        cold_start_ms=cold_ms,
        peak_rss_mib=rss_mib,
    )


def _preload(source: str) -> list[Frame]:
    with open_source(source) as opened:
        if opened.live:
            raise VedetteError(
                f"{source} is live; a benchmark needs the same pictures twice: give a file or demo://."
            )
        frames: list[Frame] = []
        while len(frames) < PRELOADED and (frame := opened.read()) is not None:
            frames.append(frame)
    if not frames:
        raise VedetteError(f"{source} holds no pictures.")
    return frames


def _video(frames: Sequence[Frame], folder: Path) -> Path:
    path = folder / "frames.mp4"
    with make_sink(f"video:{path}?fps=30") as sink:
        for frame in frames:
            sink.write(Results(frame))
    return path


def _take_turns(
    detector: FaceDetector | Detector, opened: Callable[[], Source], seconds: float
) -> tuple[float, float]:
    """Return invocations and loop passes per second, each the median of `TURNS` turns."""
    floors, loops = [], []
    with opened() as source, make_sink(f"jsonl:{os.devnull}?overwrite=1") as sink:
        results = run(source, [Detect(stage_name(detector), detector)], [sink])
        for _ in range(TURNS):
            floors.append(_rate(_invoke(detector), seconds / TURNS / 2))
            next(results)  # what was prepared during the other's turn does not count
            loops.append(_rate(lambda: next(results), seconds / TURNS / 2))
        results.close()
    return statistics.median(floors), statistics.median(loops)


def _invoke(detector: FaceDetector | Detector) -> Callable[[], object]:
    engine = detector.engine
    assert isinstance(engine, LiteRTEngine)
    return engine.invoke


def _rate(step: Callable[[], object], seconds: float) -> float:
    start, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < seconds:
        step()
        count += 1
    return count / passed


def _paced(detector: FaceDetector | Detector, uri: str, seconds: float) -> tuple[float, list[float], int]:
    ages: list[float] = []
    dropped = 0
    start = time.perf_counter()
    with open_live(uri) as source:
        for results in run(source, [Detect(stage_name(detector), detector)], seconds=seconds):
            ages.append(results.age_ms)
            dropped = sum(results.drops.values())
    if not ages:
        raise VedetteError(f"not one frame came through in {seconds:g} s; give --seconds more.")
    return len(ages) / (time.perf_counter() - start), ages, dropped


def _cold(model: str, frame: Frame, folder: Path) -> tuple[float, float]:
    """Return process start to first result in milliseconds, and the process's peak memory in MiB."""
    picture = folder / "first.png"
    cv2.imwrite(str(picture), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    command = [sys.executable, "-c", _COLD, "detect", str(picture), "--model", model, "--json"]
    start = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COLD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise VedetteError(f"`vedette detect` gave no answer within {COLD_TIMEOUT_S} s.") from error
    passed_ms = (time.perf_counter() - start) * 1e3
    if done.returncode != 0:
        raise VedetteError(f"`vedette detect` failed: {done.stderr.strip()}")
    return passed_ms, int(done.stderr.split()[-1]) / 1024
