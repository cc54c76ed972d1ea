"""The wheel on an emulated Raspberry Pi: the same faces as here, computed by real aarch64 wheels.

Says nothing about speed. VEDETTE_ARM64=required (`make test-arm64`) turns a skip into a failure.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from arm64.emulated import Machine, NotPossibleHereError, make_machine
from packed import copy_astronaut, read_records, run

CPUS = ["cortex-a72", "cortex-a53"]  # Pi 4; Pi 3 and Zero 2
# The kernels differ from one processor to the next by a few steps of int8 (at most 3 of 255 seen), and so do resized
# pixels: that moves a box by less than a pixel or two of a 512-pixel picture, a score by 3/255 of its slope.
MAX_PX = 2.0
MAX_SCORE = 0.02

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def machine() -> Machine:
    try:
        return make_machine()
    except NotPossibleHereError as error:
        if os.environ.get("VEDETTE_ARM64") == "required":
            pytest.fail(f"no arm64 machine: {error}")
        pytest.skip(f"no arm64 machine: {error}")


@pytest.fixture(scope="module")
def picture(tmp_path_factory) -> Path:
    return copy_astronaut(tmp_path_factory.mktemp("pictures"))


def test_it_is_another_processor(machine, tmp_path):
    code = "import platform, sys; print(platform.machine(), sys.executable)"
    said = run([machine.python, "-c", code], timeout_s=60, cwd=tmp_path).stdout.split()

    assert said == ["aarch64", str(machine.python)]


def test_doctor_replays_the_golden_samples(machine, tmp_path):
    """On one processor: networks that make pictures take half a minute each when emulated."""
    said = machine.vedette("doctor", "--json", cpu=CPUS[0], cwd=tmp_path, timeout_s=500)
    checks = {c["name"]: c for c in read_records(said)}

    assert [c for c in checks.values() if c["status"] == "fail"] == []
    assert checks["model face-detector"]["status"] == "ok"


def test_inspect_tells_the_same_as_here(machine, tmp_path):
    words = ("inspect", "face-detector", "--json")
    there, here = read_records(machine.vedette(*words, cpu=CPUS[0], cwd=tmp_path)), _here(tmp_path, *words)

    assert _plain(there) == _plain(here)


@pytest.mark.parametrize("cpu", CPUS)
def test_detect_finds_the_same_faces_as_here(machine, cpu, picture, tmp_path):
    words = ("detect", picture, "--threads", "1", "--json")
    there = read_records(machine.vedette(*words, cpu=cpu, cwd=tmp_path))[0]["detections"]
    here = _here(tmp_path, *words)[0]["detections"]

    assert len(here) > 0
    assert len(there) == len(here)
    for a, b in zip(there, here, strict=True):
        assert a["score"] == pytest.approx(b["score"], abs=MAX_SCORE)
        assert a["box"] == pytest.approx(b["box"], abs=MAX_PX)
        np.testing.assert_allclose(a["landmarks"], b["landmarks"], atol=MAX_PX, rtol=0)
    print(f"\n{cpu}: {len(there)} faces, {'identical' if there == here else _furthest(there, here)}")


def _here(cwd: Path, *words: str | Path) -> list[dict]:
    return read_records(run([sys.executable, "-m", "vedette", *words], timeout_s=60, cwd=cwd).stdout)


def _plain(facts: list[dict]) -> list[dict]:
    """Return `facts` without what names the place of the file and the runtime's build."""
    return [{k: v for k, v in fact.items() if k not in {"path", "file", "engine"}} for fact in facts]


def _furthest(there: list[dict], here: list[dict]) -> str:
    pairs = list(zip(there, here, strict=True))
    px = max(abs(p - q) for a, b in pairs for p, q in zip(a["box"], b["box"], strict=True))
    score = max(abs(a["score"] - b["score"]) for a, b in pairs)
    return f"boxes differ by up to {px:.3f} px, scores by up to {score:.4f}"
