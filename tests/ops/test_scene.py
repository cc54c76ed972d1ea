"""How bright and how noisy a picture is."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from vedette.ops.scene import luminance, noise


def scene(size: int = 400) -> np.ndarray[Any, Any]:
    """Return a drawn scene with flat, shaded and finely textured parts."""
    picture = np.repeat(np.linspace(60, 190, size)[None, :, None], size, axis=0).repeat(3, axis=2)
    fine = np.random.default_rng(5).random((size // 4, size // 4))
    picture[: size // 4, : size // 4] = 80 + 90 * fine[..., None]
    picture = picture.astype(np.uint8)
    cv2.rectangle(picture, (150, 150), (300, 320), (30, 200, 90), -1)
    return picture


@pytest.mark.parametrize("sigma", [0, 5, 10, 25])
def test_noise_is_told_within_a_quarter(sigma: int) -> None:
    noisy = np.clip(scene() + np.random.default_rng(1).normal(0, sigma, (400, 400, 3)), 0, 255)
    told = noise(np.rint(noisy).astype(np.uint8))
    assert told == pytest.approx(sigma, rel=0.25, abs=0.5)


@pytest.mark.parametrize("shape", [(1, 1), (3, 600), (17, 17)])
def test_a_small_picture_has_no_noise_to_tell(shape: tuple[int, int]) -> None:
    assert noise(np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)) == 0


@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white_tell_nothing(level: int) -> None:
    picture = np.full((100, 100, 3), level, np.uint8)
    assert noise(picture) == 0
    assert luminance(picture) == pytest.approx(level)


def test_luminance_weighs_colours() -> None:
    green = np.zeros((64, 64, 3), np.uint8)
    green[..., 1] = 100
    assert luminance(green) == pytest.approx(58.7)
