"""Windows cover a picture once, and are mirrored beyond its edges."""

from __future__ import annotations

import numpy as np
import pytest

from vedette.ops.windows import cut, plan


@pytest.mark.parametrize("size_wh", [(1, 1), (3, 100), (64, 64), (65, 130), (200, 7)])
@pytest.mark.parametrize(("step", "fixed"), [(1, False), (4, False), (4, True)])
def test_each_pixel_is_kept_once(size_wh: tuple[int, int], step: int, fixed: bool) -> None:
    seen = np.zeros(size_wh[::-1], int)
    windows = plan(size_wh, core_wh=(64, 32), margin=8, step=step, fixed=fixed)
    for window in windows:
        seen[window.top : window.top + window.height, window.left : window.left + window.width] += 1
        assert window.seen_left % step == window.seen_top % step == 0
        assert not fixed or window.seen_wh == (64 + 16, 32 + 16)
        for kept, length, first, shown, size in (
            (window.left, window.width, window.seen_left, window.seen_wh[0], size_wh[0]),
            (window.top, window.height, window.seen_top, window.seen_wh[1], size_wh[1]),
        ):
            assert first == 0 or first <= kept - 8
            assert first + shown >= min(kept + length + 8, size)
            assert fixed or first + shown < size + step  # it ends where the picture does
    assert (seen == 1).all()
    assert len({window.seen_wh for window in windows}) == 1  # an interpreter plans its memory once


@pytest.mark.parametrize("shape", [(40, 50, 3), (3, 50, 3), (1, 1, 3), (9, 9)])
def test_windows_look_beyond_the_edge_as_into_a_mirror(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    beyond = [(0, 40), (0, 40), *[(0, 0)] * (len(shape) - 2)]
    padded = np.pad(image, beyond, mode="reflect")
    for window in plan((shape[1], shape[0]), core_wh=(16, 16), margin=12, step=4, fixed=True):
        seen = cut(image, window)
        assert (seen.shape[1], seen.shape[0]) == window.seen_wh == (40, 40)
        wanted = padded[window.seen_top :, window.seen_left :][:40, :40]
        np.testing.assert_array_equal(seen, wanted)
