"""`kill -9` in the middle of an epoch, then the same command again: every recipe comes to the same end."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import drawn
import drawn_objects
import drawn_photos
import shapes
from face_run import ENVIRONMENT, needs_tensorflow

pytestmark = [needs_tensorflow, pytest.mark.timeout(1500)]
TRIAL = Path(__file__).with_name("resume_trial.py")
TASKS = ("classify", "detect", "enhance", "faces")


def fit(folder, kill, *tasks):
    """Run the trial and return its exit code; the last thing it said where that is not 0."""
    places = [str(Path(__file__).resolve().parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, TRIAL, folder, str(kill), *tasks],
        env={**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr[-2000:]
    return done.returncode


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of runs that went through, and of ones that were killed in their second epoch and begun again."""
    folder = tmp_path_factory.mktemp("resume")
    data = {
        "classify": shapes.make_shapes(folder / "shapes", train=6, val=4),
        "detect": drawn_objects.make_shapes(folder / "objects", train=12, val=6),
        "enhance": drawn_photos.make_photos(folder / "photos", train=6, val=2),
        "faces": drawn.make_data(folder / "faces", train=12, val=4),
    }
    words = [f"{task}={data[task]}" for task in TASKS]
    assert fit(folder / "whole", 0, *words) == 0
    for word in words:
        assert fit(folder / "killed", 3, word) == -signal.SIGKILL
    unfinished = {task: len(log(folder / "killed" / task)) for task in TASKS}
    assert fit(folder / "killed", 0, *words) == 0
    return folder, unfinished


def log(run):
    with (run / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("task", TASKS)
def test_it_was_killed_in_its_second_epoch(runs, task):
    assert runs[1][task] == 1


@pytest.mark.parametrize("task", TASKS)
def test_it_comes_to_the_same_figures(runs, task):
    whole, killed = (log(runs[0] / kind / task) for kind in ("whole", "killed"))
    assert [row.keys() for row in whole] == [row.keys() for row in killed]
    assert len(whole) == 2
    for wanted, found in zip(whole, killed, strict=True):
        assert {k: float(v) for k, v in found.items()} == pytest.approx(
            {k: float(v) for k, v in wanted.items()}, rel=1e-5
        )


@pytest.mark.parametrize("task", TASKS)
def test_it_comes_to_the_same_weights(runs, task):
    wanted, found = (weights(runs[0] / kind / task / "ema.weights.h5") for kind in ("whole", "killed"))
    assert wanted
    assert wanted.keys() == found.keys()
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-7, err_msg=name)


def weights(path):
    import h5py

    arrays = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: arrays.update({name: item[()]}) if hasattr(item, "dtype") else None
        )
    return arrays


@pytest.mark.parametrize("task", TASKS)
def test_the_log_has_a_value_in_every_column(runs, task):
    for row in log(runs[0] / "whole" / task):
        assert {"epoch", "loss"} <= row.keys()
        assert not [name for name in row if name.startswith("val_")]
        assert all(np.isfinite(float(value)) for value in row.values())


def test_a_log_with_columns_that_nobody_filled_goes_on(tmp_path):
    """Of a run that an earlier version began."""
    pytest.importorskip("keras")
    from vedette_train.callbacks import Log
    from vedette_train.folder import figures

    path = tmp_path / "log.csv"
    path.write_text("epoch,ap50,loss,val_ap50,val_loss\n0,0.1,3.0,NA,NA\n")
    logger = Log(str(path), append=True)
    logger.on_train_begin()
    logger.on_epoch_end(1, {"loss": 2.0, "ap50": 0.2})
    logger.on_train_end()
    assert figures(path, "ap50") == {0: 0.1, 1: 0.2}
    assert figures(path, "loss") == {0: 3.0, 1: 2.0}
