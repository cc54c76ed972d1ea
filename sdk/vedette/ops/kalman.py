"""How boxes move: a Kalman filter over any number of boxes at once, for steps of any length in seconds.

Each of a box's four coordinates (middle x and y in pixels, logarithms of width and height) moves by itself, with a
velocity that is an Ornstein-Uhlenbeck process: it wanders with a typical speed and forgets itself over a keeping time
(Johnson et al., "Continuous-time correlated random walk model for animal telemetry data", Ecology 89(5), 2008). Its
transition is known in closed form for every length of step: two steps of 50 ms come to the same as one of 100 ms, and
after a long pause the uncertainty is that of a thing which may be anywhere within its speed's reach.

Speeds and noise are counted in sizes of the box, ``sqrt(width * height)``: what is near moves more pixels than what is
far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["DOF", "Motion", "begin", "boxes", "join", "measured", "predict", "surprise", "take", "update"]

Floats = NDArray[np.float64]

SPEED = np.array([3.0, 3.0, 0.7, 0.7])
"""Standard deviation of the velocity: sizes a second; for width and height, natural logarithm a second."""

KEEP_S = np.array([2.0, 2.0, 0.5, 0.5])
"""Seconds over which a velocity is forgotten to 1/e."""

NOISE = np.array([0.05, 0.05, 0.10, 0.10])
"""Standard deviation of a detector's boxes: sizes; natural logarithm."""

DOF = 4.0
"""Degrees of freedom of Student's t: a box that jumps, as when a person is half hidden, is unlikely, not impossible."""

_LEAST_PX = 1.0  # a box without width has no logarithm


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """What is believed of n boxes.

    Attributes:
        place: (n, 4) middle x, middle y in pixels, log width, log height.
        speed: (n, 4) the same a second.
        variance: (n, 3, 4) of the place, of place with speed, of the speed.
    """

    place: Floats
    speed: Floats
    variance: Floats

    def __len__(self) -> int:
        return len(self.place)


def measured(xyxy: NDArray[np.float32]) -> Floats:
    """Return boxes (n, 4) in pixels as places (n, 4)."""
    wide = xyxy.astype(np.float64)
    size = np.maximum(wide[:, 2:] - wide[:, :2], _LEAST_PX)
    return np.concatenate([(wide[:, :2] + wide[:, 2:]) / 2, np.log(size)], 1)


def boxes(place: Floats) -> NDArray[np.float32]:
    """Return places (n, 4) as boxes (n, 4) xyxy in pixels, perhaps outside the picture."""
    half = np.exp(place[:, 2:]) / 2
    middle = place[:, :2]
    return np.concatenate([middle - half, middle + half], 1).astype(np.float32)


def begin(place: Floats) -> Motion:
    """Return the belief after one look at n boxes at `place` (n, 4): any usual speed is possible."""
    unit = _unit(place)
    variance = np.stack([(NOISE * unit) ** 2, np.zeros_like(place), (SPEED * unit) ** 2], 1)
    return Motion(place, np.zeros_like(place), variance)


def predict(motion: Motion, step_s: float) -> Motion:
    """Return the belief `step_s` >= 0 seconds later."""
    kept = np.exp(-step_s / KEEP_S)
    reach = KEEP_S * (1 - kept)
    there, both, moving = motion.variance[:, 0], motion.variance[:, 1], motion.variance[:, 2]
    unrest = (SPEED * _unit(motion.place)) ** 2
    # With the speed's variance s^2 at rest, its noise is 2 s^2 / KEEP_S a second.
    drift = 2 * KEEP_S * (step_s - reach) - reach**2
    variance = np.stack(
        [
            there + 2 * reach * both + reach**2 * moving + unrest * drift,
            kept * (both + reach * moving) + unrest * reach**2 / KEEP_S,
            kept**2 * moving + unrest * (1 - kept**2),
        ],
        1,
    )
    return Motion(motion.place + reach * motion.speed, kept * motion.speed, variance)


def surprise(motion: Motion, place: Floats) -> Floats:
    """Return (n, m) how unlikely it is that box n is seen at `place` m (m, 4): 0 or a little more when just there.

    It is minus twice the logarithm of Student's t density with `DOF` degrees of freedom, less that of a box whose
    place is known exactly. A track that may be anywhere is thereby no good match for everything.
    """
    if not len(motion) or not len(place):
        return np.zeros((len(motion), len(place)))
    noise = (NOISE * _unit(motion.place)) ** 2
    spread = motion.variance[:, 0] + noise
    off = ((place[None] - motion.place[:, None]) ** 2 / spread[:, None]).sum(2)
    width: Floats = np.log(spread / noise).sum(1)
    cost: Floats = (DOF + 4) * np.log1p(off / DOF) + width[:, None]
    return cost


def update(motion: Motion, rows: NDArray[np.intp], place: Floats) -> Motion:
    """Return the belief after boxes `rows` (m,) were seen at `place` (m, 4); the others stay as they are.

    A look that is far off counts less, as Student's t weighs it.
    """
    old = take(motion, rows)
    noise = (NOISE * _unit(old.place)) ** 2
    there, both, moving = old.variance[:, 0], old.variance[:, 1], old.variance[:, 2]
    off = place - old.place
    far = (off**2 / (there + noise)).sum(1, keepdims=True)
    spread = there + noise * np.maximum(1.0, (DOF + far) / (DOF + 4))
    gain, push = there / spread, both / spread
    new = Motion(motion.place.copy(), motion.speed.copy(), motion.variance.copy())
    new.place[rows] = old.place + gain * off
    new.speed[rows] = old.speed + push * off
    new.variance[rows] = np.stack([there - gain * there, both - gain * both, moving - push * both], 1)
    return new


def take(motion: Motion, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Motion:
    """Return the belief of some of the boxes, by index or mask."""
    return Motion(motion.place[rows], motion.speed[rows], motion.variance[rows])


def join(one: Motion, other: Motion) -> Motion:
    """Return the belief of all boxes of both."""
    return Motion(
        np.concatenate([one.place, other.place]),
        np.concatenate([one.speed, other.speed]),
        np.concatenate([one.variance, other.variance]),
    )


def _unit(place: Floats) -> Floats:
    """Return (n, 4) what speed and noise are counted in: the box's size in pixels, and 1 for the logarithms."""
    size = np.exp(place[:, 2:].mean(1, keepdims=True))
    return np.concatenate([np.repeat(size, 2, 1), np.ones((len(place), 2))], 1)
