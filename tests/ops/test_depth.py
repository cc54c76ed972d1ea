"""Other depths and channels, there and back."""

from __future__ import annotations

import numpy as np
import pytest

from vedette.ops.depth import apart, refined, to_eight_bits, to_sixteen_bits, together


def test_sixteen_bits_are_rounded_to_eight() -> None:
    codes = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(to_eight_bits(codes), np.rint(codes / 257).astype(np.uint8))
    assert to_eight_bits(np.uint8([7])).tolist() == [7]


def test_what_changes_nothing_loses_nothing_of_sixteen_bits() -> None:
    given = np.random.default_rng(1).integers(0, 65536, (9, 11, 3)).astype(np.uint16)
    np.testing.assert_array_equal(refined(to_eight_bits(given), given), given)


def test_a_ramp_of_sixteen_bits_is_enlarged_without_steps() -> None:
    given = np.repeat(np.linspace(20_000, 21_000, 60)[None, :, None], 3, axis=2).astype(np.uint16)
    given = np.repeat(given, 8, axis=0)
    made = np.repeat(np.repeat(to_eight_bits(given), 2, 0), 2, 1)
    steps = np.diff(refined(made, given)[4, 4:-4, 0].astype(int))
    assert steps.max() < 140  # 8 bits alone would step by 257


def test_real_values_become_sixteen_bits_and_what_is_none_is_counted() -> None:
    codes, outside = to_sixteen_bits(np.float32([0, 0.5, 1, np.nan, np.inf, -np.inf, 1.5]))
    assert codes.tolist() == [0, 32768, 65535, 0, 65535, 0, 65535]
    assert outside == 4


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3), (6, 5, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_taken_apart_is_put_together(shape: tuple[int, ...], dtype: type) -> None:
    picture = np.random.default_rng(1).integers(0, 256, shape).astype(dtype)
    rgb, alpha = apart(picture)
    assert rgb.shape == (6, 5, 3)
    np.testing.assert_array_equal(together(rgb, alpha, grey=len(shape) == 2), picture)


def test_transparency_is_enlarged_with_the_colours() -> None:
    picture = np.zeros((4, 4, 4), np.uint8)
    picture[:2, :, 3] = 255
    rgb, alpha = apart(picture)
    made = together(np.repeat(np.repeat(rgb, 3, 0), 3, 1), alpha, grey=False)
    assert made.shape == (12, 12, 4)
    assert made[0, 0, 3] == 255
    assert made[11, 0, 3] == 0
