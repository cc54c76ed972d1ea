"""What several folders of tests share."""

import pytest

from face_run import run_program, train_small


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
