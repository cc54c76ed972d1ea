"""The motion model: the same at any frame rate, and as sure of itself as it may be."""

import numpy as np
import pytest

from vedette.ops import kalman

BOXES = np.float32([[100, 100, 160, 250], [400, 300, 460, 330]])


def seen():
    return kalman.measured(BOXES)


def moving(rate_hz, seconds, speed=(120.0, -30.0)):
    """Return the belief after looks, `rate_hz` a second, at two boxes that move at `speed` px a second."""
    motion = kalman.begin(seen())
    for k in range(1, round(seconds * rate_hz) + 1):
        place = seen()
        place[:, :2] += np.multiply(speed, k / rate_hz)
        motion = kalman.update(kalman.predict(motion, 1 / rate_hz), np.arange(2), place)
    return motion


@pytest.mark.parametrize("n", [0, 1, 5])
def test_any_number_of_boxes(n):
    boxes = np.tile(BOXES[:1], (n, 1))
    motion = kalman.predict(kalman.begin(kalman.measured(boxes)), 0.1)
    assert kalman.boxes(motion.place).shape == (n, 4)
    assert kalman.boxes(motion.place).dtype == np.float32
    assert kalman.surprise(motion, seen()).shape == (n, 2)
    assert kalman.surprise(motion, np.zeros((0, 4))).shape == (n, 0)
    assert len(kalman.update(motion, np.arange(n), kalman.measured(boxes))) == n
    assert len(kalman.join(motion, kalman.take(motion, np.zeros(n, bool)))) == n


def test_boxes_go_in_and_out_unchanged():
    np.testing.assert_allclose(kalman.boxes(kalman.begin(seen()).place), BOXES, rtol=1e-6)


def test_a_box_without_width_is_survived():
    motion = kalman.begin(kalman.measured(np.float32([[5, 5, 5, 5]])))
    assert np.isfinite(kalman.boxes(kalman.predict(motion, 1.0).place)).all()


@pytest.mark.parametrize("pieces", [2, 7, 30])
def test_many_small_steps_are_one_long_one(pieces):
    motion = moving(10, 1.0)
    whole, parts = kalman.predict(motion, 1.5), motion
    for _ in range(pieces):
        parts = kalman.predict(parts, 1.5 / pieces)
    np.testing.assert_allclose(parts.place, whole.place, rtol=1e-9)
    np.testing.assert_allclose(parts.speed, whole.speed, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(parts.variance, whole.variance, rtol=1e-6, atol=1e-9)


def test_the_spread_is_that_of_the_process_it_claims_to_be():
    """Walk the Ornstein-Uhlenbeck process itself in small steps; 4000 walks give a spread to some 3 %."""
    rng, step_s, walks = np.random.default_rng(0), 0.005, 4000
    motion = kalman.predict(kalman.begin(seen()), 1.0)
    size = np.sqrt(60 * 150)
    noise, speed = kalman.NOISE[0] * size, kalman.SPEED[0] * size
    x, v = rng.normal(0, noise, walks), rng.normal(0, speed, walks)
    for _ in range(200):
        x += v * step_s
        v += -v * step_s / kalman.KEEP_S[0] + rng.normal(
            0, speed * np.sqrt(2 * step_s / kalman.KEEP_S[0]), walks
        )
    np.testing.assert_allclose(motion.variance[0, 0, 0], x.var(), rtol=0.1)
    np.testing.assert_allclose(motion.variance[0, 1, 0], (x * v).mean(), rtol=0.1)
    np.testing.assert_allclose(motion.variance[0, 2, 0], v.var(), rtol=0.1)


@pytest.mark.parametrize("rate_hz", [2, 5, 10, 30])
def test_a_speed_is_learnt_at_any_rate(rate_hz):
    motion = moving(rate_hz, 3.0)
    np.testing.assert_allclose(motion.speed[0, :2], (120, -30), atol=12)
    np.testing.assert_allclose(motion.speed[:, 2:], 0, atol=0.02)


def test_after_a_long_time_it_may_be_anywhere_but_not_faster_than_usual():
    later = kalman.predict(moving(10, 2.0), 60.0)
    size = np.sqrt(60 * 150)
    np.testing.assert_allclose(np.sqrt(later.variance[0, 2, 0]), kalman.SPEED[0] * size, rtol=0.01)
    assert np.sqrt(later.variance[0, 0, 0]) > 20 * size
    np.testing.assert_allclose(later.speed, 0, atol=1e-6)


def test_who_is_less_sure_is_more_surprising_where_he_is_but_less_elsewhere():
    sure, unsure = moving(30, 2.0), kalman.predict(moving(30, 2.0), 0.0)
    unsure = kalman.Motion(unsure.place, unsure.speed, unsure.variance * 50)
    here, there = sure.place[:1].copy(), sure.place[:1].copy()
    there[:, 0] += 120
    assert kalman.surprise(sure, here)[0, 0] < kalman.surprise(unsure, here)[0, 0]
    assert kalman.surprise(sure, there)[0, 0] > kalman.surprise(unsure, there)[0, 0]


def test_one_wild_look_hardly_moves_a_track():
    motion, wild = kalman.predict(moving(30, 2.0, (0, 0)), 1 / 30), seen()
    wild[:, 0] += 500
    moved = kalman.update(motion, np.arange(2), wild).place[:, 0] - seen()[:, 0]
    assert (moved < 25).all()


def test_only_the_rows_that_were_seen_change_and_nothing_in_place():
    motion = kalman.predict(kalman.begin(seen()), 0.5)
    before = motion.place.copy(), motion.variance.copy()
    there = np.add(seen()[1:], [30, 0, 0, 0])
    after = kalman.update(motion, np.array([1]), there)
    np.testing.assert_array_equal(motion.place, before[0])
    np.testing.assert_array_equal(motion.variance, before[1])
    np.testing.assert_array_equal(after.place[0], motion.place[0])
    assert after.place[1, 0] > motion.place[1, 0] + 20
