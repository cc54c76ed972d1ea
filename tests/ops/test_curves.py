"""Curves applied to each pixel, against the formula written plainly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vedette.ops.curves import apply_curves


def plainly(image: np.ndarray[Any, Any], curves: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return what Guo et al. write, in double precision, pixel by pixel."""
    most = np.iinfo(image.dtype).max
    height, width = image.shape[:2]
    rows, columns = curves.shape[:2]
    made = np.empty(image.shape)
    for y in range(height):
        for x in range(width):
            v, u = (y + 0.5) * rows / height - 0.5, (x + 0.5) * columns / width - 0.5
            v, u = min(max(v, 0), rows - 1), min(max(u, 0), columns - 1)
            t, l = int(v), int(u)  # noqa: E741
            b, r = min(t + 1, rows - 1), min(l + 1, columns - 1)
            fy, fx = v - t, u - l
            a = (curves[t, l] * (1 - fx) + curves[t, r] * fx) * (1 - fy)
            a += (curves[b, l] * (1 - fx) + curves[b, r] * fx) * fy
            value = image[y, x] / most
            for k in a.reshape(-1, 3):
                value = value + k * value * (1 - value)
            made[y, x] = value * most
    return made


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (37, 29)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_as_the_formula_says(shape: tuple[int, int], dtype: str) -> None:
    rng = np.random.default_rng(3)
    image = rng.integers(0, np.iinfo(dtype).max + 1, (*shape, 3)).astype(dtype)
    curves = rng.uniform(-1, 1, (5, 7, 12)).astype(np.float32)
    made = apply_curves(image, curves)
    assert made.dtype == dtype
    allowed = 0.502 if dtype == "uint8" else 1.0  # half a step; at 16 bits single precision adds as much
    assert np.abs(made - plainly(image, curves)).max() <= allowed


def test_blocks_leave_no_seam_and_extremes_stay() -> None:
    image = np.full((70, 2100, 3), 40, np.uint8)
    image[:, :700], image[:, 1400:] = 0, 255
    made = apply_curves(image, np.full((4, 4, 6), 0.9, np.float32))
    assert (made[:, :700] == 0).all()
    assert (made[:, 1400:] == 255).all()
    assert len(np.unique(made[:, 700:1400])) == 1
    assert made[0, 800, 0] > 100


def test_no_curve_changes_nothing() -> None:
    image = np.random.default_rng(2).integers(0, 65536, (20, 30, 3)).astype(np.uint16)
    np.testing.assert_array_equal(apply_curves(image, np.zeros((2, 2, 24), np.float32)), image)
