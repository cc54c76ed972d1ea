"""Check Vedette's adapter against the real picamera2 and libcamera. run.sh runs it in the system that it makes."""

# ruff: noqa: PT017 - there is no pytest where this runs
from __future__ import annotations

import inspect
import os
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

PICTURES = Path("/opt/check/pictures")
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "skin": (200, 160, 130)}
# JPEG and 8-bit YUV cost a few levels on a flat picture; a wrong matrix (BT.709 for BT.601) costs 10 and more,
# swapped channels 70 and more.
TOLERANCE = 5
URI = "picamera2://0?size=640x480"


def main() -> int:
    """Run every check; return 0 if all passed."""
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:WARN")
    _paint()
    failed = 0
    for check in (_signatures, _adopt, _colours_times_numbers, _open_again, _taken, _no_such_camera, _rate):
        began = time.monotonic()
        try:
            said = check()
            print(f"ok      {check.__name__[1:]:24} {time.monotonic() - began:5.2f} s  {said}")
        except Exception as error:
            failed += 1
            print(f"FAILED  {check.__name__[1:]:24} {type(error).__name__}: {error}")
    return min(failed, 1)


def _paint() -> None:
    PICTURES.mkdir(exist_ok=True)
    for number, colour in enumerate(COLOURS.values()):
        Image.new("RGB", (640, 480), colour).save(PICTURES / f"{number:03}.jpg", quality=95)


def _open(text: str = URI):  # type: ignore[no-untyped-def]
    from vedette.sources.picamera2 import open_picamera2
    from vedette.sources.uri import parse_source

    return open_picamera2(parse_source(text))


def _signatures() -> str:
    import fake_picamera2
    import picamera2

    for name in fake_picamera2.MIRRORED:
        real = inspect.signature(getattr(picamera2.Picamera2, name))
        fake = inspect.signature(getattr(fake_picamera2.Picamera2, name))
        assert list(real.parameters) == list(fake.parameters), f"{name}: {real} but the fake has {fake}"
    return f"the everyday tests' fake has picamera2's parameters in {len(fake_picamera2.MIRRORED)} methods"


def _adopt() -> str:
    import virtual_camera

    virtual_camera.adopt()
    return "picamera2 accepts the virtual camera"


def _wanted(colour: tuple[int, int, int]) -> np.ndarray:
    """Return `colour` as it must arrive: (3,) RGB.

    The virtual camera hands out a JPEG's full-range YUV as it is, but calls it limited range, as a sensor's would
    be. A reader that keeps to the standard (ITU-R BT.601) therefore sees contrast raised by 255/219 and saturation
    by 255/224.
    """
    luma = np.dot(colour, (0.299, 0.587, 0.114))
    wanted: np.ndarray = np.clip((luma - 16) * 255 / 219 + (np.array(colour) - luma) * 255 / 224, 0, 255)
    return wanted


def _colours_times_numbers() -> str:
    with _open() as camera:
        # It is not paced, so which pictures a reader catches is left to chance: missing one in 100 takes (3/4)^100.
        frames = [camera.read() for _ in range(100)]
    assert {f.image.shape for f in frames} == {(480, 640, 3)}, {f.image.shape for f in frames}
    assert all(f.image.dtype == np.uint8 for f in frames)
    seen = [f.image.reshape(-1, 3).mean(0) for f in frames]
    wanted = {name: _wanted(colour) for name, colour in COLOURS.items()}
    names = [min(wanted, key=lambda name: float(np.abs(mean - wanted[name]).max())) for mean in seen]
    worst = max(float(np.abs(mean - wanted[name]).max()) for mean, name in zip(seen, names, strict=True))
    assert worst <= TOLERANCE, f"colours are off by {worst:.0f}: {np.round(seen[:4]).tolist()}"
    assert set(names) == set(COLOURS), f"only {set(names)} were seen"
    times, indices = [f.time_ns for f in frames], [f.index for f in frames]
    assert all(a < b for a, b in pairwise(times)), times
    assert indices[0] == 0, indices
    assert all(a < b for a, b in pairwise(indices)), indices
    ages = [(f.captured_ns - f.time_ns) / 1e6 for f in frames]
    assert all(-1 < age < 1000 for age in ages), f"sensor time is not on the monotonic clock: ages {ages} ms"
    return f"{camera.format}, off by {worst:.1f}, indices to {indices[-1]}, ages {min(ages):.1f}..{max(ages):.1f} ms"


def _open_again() -> str:
    for _ in range(3):
        with _open() as camera:
            first = camera.read()
        assert first.index == 0
    return "three times"


def _taken() -> str:
    with (
        _open() as camera
    ):  # the virtual camera has no device file, so no lock that other processes would see
        camera.read()
        said = _refused(_open, "another program has it")
        camera.read()
    return said


def _no_such_camera() -> str:
    return _refused(lambda: _open("picamera2://7"), "libcamera finds 0 (")


def _rate() -> str:
    return _refused(lambda: _open(URI + "&fps=900"), "frames/s, not 900")


def _refused(act: Callable[[], object], wanted: str) -> str:
    from vedette.errors import SourceError

    try:
        act()
    except SourceError as error:
        assert wanted in str(error), error
        return str(error)
    raise AssertionError("it was not refused")


if __name__ == "__main__":
    sys.exit(main())
