"""What several folders of tests share."""

import os
import shutil
import signal
import subprocess

import pytest

from face_run import FaceRun, run_program, train_small
from once import once


def pytest_configure() -> None:
    """Keep tests from the gallery of whoever runs them, and let Ctrl-C reach the commands that they start.

    `vedette live` tells of a gallery in the usual place, and names people by it; a shell's background job hands on that
    Ctrl-C is ignored.
    """
    os.environ["XDG_DATA_HOME"] = "/dev/null/nowhere"  # which nobody can make
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def face_run(tmp_path_factory):
    """A small training run of the real network on drawn faces."""
    folder = once(tmp_path_factory, "face", train_small)
    return FaceRun(folder / "data", folder / "run")


@pytest.fixture(scope="session")
def face_model(face_run, tmp_path_factory):
    """The model that `vedette convert` made of it."""

    def convert(folder):
        run_program("-m", "vedette", "convert", face_run.run, "-o", folder / "face-detector.tflite")

    return once(tmp_path_factory, "face_model", convert) / "face-detector.tflite"


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MB, and what changes how it is mounted."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        if done.returncode:
            pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")

    mount("size=1m")
    yield disk, mount
    subprocess.run(["umount", "-l", disk], timeout=20, check=False)
