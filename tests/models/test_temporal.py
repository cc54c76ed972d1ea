"""Averaging along the camera's motion: less noise where nothing moves, no ghost where something does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import vedette
from drawn_enhancers import picture_model
from vedette.models.temporal import MOST, TemporalDenoise
from vedette.settings import EnhanceSettings
from vedette.stages.enhance import Enhance
from vedette.types import Frame, Results

SIZE_WH = (320, 240)
SIGMA = 12.0


def wall(seed: int = 3) -> np.ndarray[Any, Any]:
    """Return a large scene with corners to follow, (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(
        rng.integers(40, 216, (24, 32, 3), np.uint8), (640, 480), interpolation=cv2.INTER_NEAREST
    )
    return cv2.GaussianBlur(coarse, (0, 0), 1.5)


def view(k: float, scene: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return what a camera sees that pans, turns and zooms."""
    turn = cv2.getRotationMatrix2D((320, 240), 0.3 * k, 1 + 0.004 * k)
    turn[:, 2] -= (160 + 1.7 * k, 120 + 0.6 * k)
    return np.asarray(cv2.warpAffine(scene, turn, SIZE_WH, flags=cv2.INTER_CUBIC))


def noisy(image: np.ndarray[Any, Any], k: int) -> np.ndarray[Any, Any]:
    noise = np.random.default_rng(k).normal(0, SIGMA, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def off(made: Any, clean: Any) -> float:
    """Return the error's standard deviation inside, grey levels."""
    return float((made.astype(float) - clean)[16:-16, 16:-16].std())


@pytest.mark.parametrize(
    "moves", [pytest.param(0.0, id="at rest"), pytest.param(1.0, id="panning, turning, zooming")]
)
def test_noise_falls_to_what_the_average_leaves(moves: float) -> None:
    step, scene = TemporalDenoise(), wall()
    for k in range(8):
        clean = view(moves * k, scene)
        made = step.enhance(noisy(clean, k))
    left = SIGMA * ((1 - MOST) / (1 + MOST)) ** 0.5  # of a recursive average
    assert off(made, clean) < 1.3 * left


def test_sixteen_bits_alike() -> None:
    step, scene = TemporalDenoise(), wall()
    for k in range(8):
        made = step.enhance(noisy(view(k, scene), k).astype(np.uint16) * 257)
    assert made.dtype == np.uint16
    assert off(made / 257, view(7, scene)) < 0.8 * SIGMA


def test_what_moves_by_itself_leaves_no_ghost() -> None:
    step, scene = TemporalDenoise(), wall()
    for k in range(8):
        clean = view(0, scene)
        left = 40 + 24 * k
        clean[80:140, left : left + 60] = (250, 20, 20)
        given = noisy(clean, k)
        made = step.enhance(given)
    for place in (
        np.s_[85:135, left - 24 : left],
        np.s_[85:135, left + 5 : left + 55],
    ):  # where it was, and is
        assert np.abs((made.astype(float) - clean)[place].mean((0, 1))).max() < 4
        assert (made.astype(float) - clean)[place].std() < 1.1 * (given.astype(float) - clean)[place].std()


def test_another_scene_another_size_and_a_beginning_are_taken_as_they_are() -> None:
    step = TemporalDenoise()
    step.enhance(noisy(view(0, wall()), 0))
    cut = noisy(view(0, wall(seed=9)), 1)
    assert np.abs(step.enhance(cut).astype(int) - cut).mean() < 1
    small = np.ascontiguousarray(cut[:100, :120])
    assert (step.enhance(small) == small).all()
    step.begin()
    again = noisy(view(0, wall()), 5)
    assert (step.enhance(again) == again).all()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_and_tiny_pictures_pass(level: int) -> None:
    step = TemporalDenoise()
    for size in ((240, 320, 3), (240, 320, 3), (1, 1, 3), (1, 1, 3), (3, 500, 3), (3, 500, 3)):
        image = np.full(size, level, np.uint8)
        assert (step.enhance(image) == image).all()


def test_by_name_in_a_chain_and_live(tmp_path: Path) -> None:
    (tmp_path / "clean.tflite").write_bytes(picture_model(1))
    with vedette.load_enhancer(["temporal", tmp_path / "clean.tflite"]) as enhancer:
        assert enhancer.names[0] == "temporal"
        stage, scene = Enhance(enhancer, EnhanceSettings()), wall()
        for k in range(3):
            done = stage(Results(Frame(noisy(view(k, scene), k), k, k * 33_000_000, 0, "test")))
        assert done.enhanced["enhance"].models[0] == "temporal"
        assert done.models["enhance/temporal"].name == "temporal"


def test_pictures_of_a_folder_do_not_mix(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for k in range(3):
        cv2.imwrite(str(tmp_path / "in" / f"{k}.png"), noisy(view(0, wall()), k))
    from vedette.cli import main

    assert main(["enhance", str(tmp_path / "in"), str(tmp_path / "out"), "--with", "temporal"]) == 0
    for k in range(3):
        given, made = (cv2.imread(str(tmp_path / place / f"{k}.png")) for place in ("in", "out"))
        assert (given == made).all()
