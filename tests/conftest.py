"""What several folders of tests share."""

import signal

import pytest

from face_run import FaceRun, run_program, train_small
from once import once


def pytest_configure() -> None:
    """Let Ctrl-C reach the commands that tests start: a shell's background job hands on that it is ignored."""
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
