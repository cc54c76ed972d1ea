"""One small training run of the real network, and its converted model, shared by the tests that need them."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from drawn import make_data

ENVIRONMENT = {
    **os.environ,
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONUNBUFFERED": "1",
}
OPTIONS = ["--epochs=4", "--steps=60", "--batch=8", "--size=64", "--rate=0.004", "--input=64x64"]
MISSING = [name for name in ("keras", "tensorflow") if importlib.util.find_spec(name) is None]
needs_tensorflow = pytest.mark.skipif(
    bool(MISSING), reason=f"{' and '.join(MISSING)} missing: pip install 'vedette[train,convert]'"
)


@dataclass(frozen=True)
class FaceRun:
    """The drawn data and the run folder."""

    data: Path
    run: Path


def run_program(*command, timeout_s=280):
    """Run a Python program (-m and a module, or a file) to its good end and return what it printed."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def train_small(folder: Path) -> None:
    """Train the real network on drawn faces; see `FaceRun`."""
    data, run = make_data(folder / "data"), folder / "run"
    run_program("-m", "vedette", "train", "faces", f"--data={data}", f"--out={run}", *OPTIONS)
