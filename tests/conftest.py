"""What several folders of tests share."""

import signal

import pytest

from face_run import run_program, train_small


def pytest_configure() -> None:
    """Let Ctrl-C reach the commands that tests start: a shell's background job hands on that it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def face_run(tmp_path_factory):
    """A small training run of the real network on drawn faces."""
    return train_small(tmp_path_factory.mktemp("face"))


@pytest.fixture(scope="session")
def face_model(face_run):
    """The model that `vedette convert` made of it."""
    out = face_run.run.parent / "face-detector.tflite"
    run_program("-m", "vedette", "convert", str(face_run.run), "-o", str(out))
    return out
