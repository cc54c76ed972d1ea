"""What all recipes share, on a toy task: it learns, distils, prunes, freezes, computes in halves, stops, refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from face_run import ENVIRONMENT, needs_tensorflow

pytestmark = [needs_tensorflow, pytest.mark.timeout(300)]
TRIALS = Path(__file__).with_name("trials.py")
NAMES = [
    "learning", "pruning", "pruned_run", "distillation", "backbones", "refusals", "precision", "patience", "freezing",
    "torn", "full_disk", "real_networks", "muon",
]  # fmt: skip
CHANCE = 0.25


def try_out(folder, *names, **environment):
    done = subprocess.run(
        [sys.executable, TRIALS, folder, *names],
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Return what the trials found; one process, for TensorFlow takes long to come."""
    return try_out(tmp_path_factory.mktemp("trials"), *NAMES)


def test_it_learns_and_says_so(found):
    assert found["learning"]["top1"] > 0.9
    first, *epochs = found["learning"]["said"]
    assert "GPU" in first or first.startswith("epoch 1")  # with a GPU nothing is said of it
    assert [line.partition(":")[0] for line in epochs[-3:]] == ["epoch 1", "epoch 2", "epoch 3"]
    assert "top1" in epochs[-1]


def test_muon_learns_and_turns_kernels_of_convolutions_alone(found):
    told = found["muon"]
    assert told["top1"] > 0.9
    assert 0.6 < min(told["singular"]) <= max(told["singular"]) < 1.3  # Newton-Schulz: nearly a rotation
    np.testing.assert_allclose(told["depthwise"], 1, atol=1e-2)  # AdamW's first step is the rate


def test_channels_that_say_nothing_can_be_cut_without_a_trace(found):
    told = found["pruning"]
    assert told["widths"] == {"stem": 8, "project": 8, "down": 8, "last": 8}
    assert told["spread"] > 0.01
    assert told["off"] < 1e-5 * max(1.0, told["spread"])
    assert told["weights"][1] < 0.5 * told["weights"][0]


def test_channels_that_meet_are_cut_together(found):
    one, other = found["pruning"]["together"]
    assert len(one) == 8
    assert one == other


def test_pruning_nothing_changes_nothing(found):
    none, off = found["pruning"]["whole"]
    assert none == {}
    assert off == 0


def test_a_pruned_networks_weights_fit_one_that_is_built_anew(found):
    assert found["pruning"]["reloaded"] == 0


def test_a_pruned_run_is_fine_tuned_exported_and_begun_from(found):
    whole, pruned = found["pruned_run"]["weights"]
    assert pruned < 0.5 * whole
    assert found["pruned_run"]["top1"] > 0.8
    assert found["pruned_run"]["third"] == pruned


@pytest.mark.parametrize("recipe", ["classify", "detect", "faces"])
def test_every_recipes_network_can_be_pruned_and_taught(found, recipe):
    told = found["real_networks"][recipe]
    whole, small, again = told["weights"]
    assert 0.3 * whole < small < 0.85 * whole
    assert again == small
    for shapes in told["shapes"].values():
        assert shapes[0] == shapes[1]
    assert told["itself"] == 0
    assert 0 < told["distance"] < np.inf


def test_a_pupil_learns_from_its_teacher_alone(found):
    told = found["distillation"]
    assert told["teacher"] > 0.9
    assert told["top1"] > 0.8  # labels said nothing
    assert told["stored"] > 0.8


@pytest.mark.parametrize(
    ("file", "words"),
    [
        pytest.param("wrong.keras", "both must be the same", id="another shape"),
        pytest.param("wrong.keras", "--input 32x32", id="another shape, the way out"),
        pytest.param("broken.keras", "cannot read the teacher", id="damaged"),
        pytest.param("stored.npz", "single pictures", id="stored, for a recipe that composes"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(found, file, words):
    assert words in found["distillation"]["told"][file]


def test_a_backbone_keeps_its_weights_at_another_size(found):
    told = found["backbones"]
    assert told["maps"] == {"8": [8, 8, 8], "16": [4, 4, 8], "32": [2, 2, 8]}
    assert told["layers"] == [f"c{i}" for i in range(5)]
    assert told["off"] == 0


def test_a_backbone_that_does_not_fit_is_refused(found):
    assert "no map of stride 8" in found["backbones"]["no_maps"]
    assert "takes (pixel - 0.0) / 255.0" in found["backbones"]["other_input"]
    assert "holds no exported model" in found["backbones"]["no_run"]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        pytest.param("memory", "batches of 24; try --batch 12 --accumulate 2", id="out of memory"),
        pytest.param("endless", "not finite", id="loss"),
        pytest.param("cut", "is damaged or of another network", id="weights cut off"),
        pytest.param("other", "other settings (rate)", id="other settings"),
        pytest.param("older", "nothing", id="a run from before a setting was known goes on"),
    ],
)
def test_what_cannot_be_is_told(found, what, words):
    assert words in found["refusals"][what]


def test_a_backup_that_was_cut_off_gives_way_to_the_one_before(found):
    told = found["torn"]
    assert told["told"][0] == "nothing"
    epochs, losses = zip(*told["torn"], strict=True)
    assert epochs == (0, 1, 1, 2)  # the second is done again
    np.testing.assert_allclose([losses[i] for i in (0, 2, 3)], [loss for _, loss in told["whole"]], rtol=1e-5)


def test_the_only_backup_cut_off_is_told_with_the_way_out(found):
    told = found["torn"]["told"][1]
    assert "cannot be read or written" in told
    assert "delete that folder" in told
    assert "\n" not in told


def test_a_full_disk_leaves_the_old_weights(found):
    told = found["full_disk"]
    assert told["same"]
    assert told["left"] == ["kept.weights.h5"]
    for line in told["told"]:
        assert "Make room" in line
        assert "\n" not in line


def test_halves_accumulation_and_tensorboard(found):
    told = found["precision"]
    assert told["computed"] == "bfloat16"
    assert told["policy"] == "float32"  # put back afterwards
    assert told["top1"] > 0.6
    assert any("tfevents" in name for name in told["files"])


def test_training_ends_where_it_grows_no_better(found):
    assert found["patience"]["epochs"] == 3


def test_a_bar_shows_the_loss_as_it_changes(found):
    told = found["patience"]
    assert told["shown"].count("loss: ") >= 3
    assert "10/10" in told["shown"]
    assert not [line for line in told["said"] if line.startswith("epoch")]  # the bar says it


def test_the_body_learns_as_slowly_as_asked(found):
    told = {name: np.array(values) for name, values in found["freezing"].items()}
    assert (told["slow"] < 0.2 * told["whole"]).all()
    assert told["steep"][0] < 0.2 * told["whole"][0]  # near the picture
    assert told["steep"][-1] > 0.5 * told["whole"][-1]  # near the answer
    assert (told["frozen"] == 0).all()


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_it_learns_on_other_backends_too(tmp_path, backend):
    pytest.importorskip(backend)
    told = try_out(tmp_path, "learning", KERAS_BACKEND=backend, JAX_PLATFORMS="cpu")["learning"]
    assert told["top1"] > 0.9


def test_two_devices_share_each_batch_and_learn_the_same(tmp_path):
    pytest.importorskip("jax")
    jax = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = try_out(tmp_path / "one", "devices", **jax)["devices"]
    two = try_out(tmp_path / "two", "devices", **jax, XLA_FLAGS=flags)["devices"]
    assert (one["devices"], two["devices"]) == (1, 2)
    # sums of float32 in another order; Adam's first steps enlarge that
    np.testing.assert_allclose(two["weights"], one["weights"], atol=2e-3)
