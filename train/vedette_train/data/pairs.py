"""A spoiled picture and what it was: what enhancement learns from, and what it is measured on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from vedette.errors import VedetteError
from vedette.ops.images import letterbox
from vedette.types import Image
from vedette_train.data.degrade import compressed, gaussian, mended, sensor_noise, shrunk
from vedette_train.data.face_views import faint
from vedette_train.data.photos import Photo, middle, seen_anew
from vedette_train.data.pictures import readable

__all__ = ["KINDS", "PAD_VALUE", "Pair", "Task", "check_pair", "check_pairs", "drawn_pair", "fitted"]

Pair: TypeAlias = tuple[Image, Image]
"""What is given, and what is wanted."""

KINDS = ("sr", "denoise", "lowlight", "restore")
PAD_VALUE = 0  # never seen: inputs are filled
MARGIN_PX = 6  # of the small picture: there its bicubic filter ran over the part's edge
MOST_SIGMA = 50.0
DARKEST = 0.02  # share of the light
CHECKED_SIGMAS, CHECKED_GAINS, CHECKED_QUALITIES = (15.0, 25.0, 50.0), (0.2, 0.1, 0.05), (10, 30)
MOST_CHECKED = 60
TRUTH_TIMES = 2  # the curves are judged on pictures larger than what the network sees


@dataclass(frozen=True, slots=True)
class Task:
    """What a network is for.

    Attributes:
        kind: one of `KINDS`.
        scale: how many times larger the answer is; 1 of all kinds but "sr".
        size_wh: of the input.
    """

    kind: str
    scale: int
    size_wh: tuple[int, int]

    @property
    def output(self) -> str:
        """Name of the network's output."""
        return "curves" if self.kind == "lowlight" else "enhanced"


def fitted(image: Image, task: Task) -> Image:
    """Return `image` as the network of `task` gets it, which is stretched of low light alone."""
    return letterbox(image, task.size_wh, pad_value=PAD_VALUE, resize="stretch")[0]


def drawn_pair(image: Image, task: Task, rng: np.random.Generator) -> Pair:
    """Return a pair of the input's size (what is wanted is `task.scale` times larger) from a photo of any size."""
    return _DRAWN[task.kind](image, task, rng)


def _sr(image: Image, task: Task, rng: np.random.Generator) -> Pair:
    whole = seen_anew(image, (task.size_wh[0] + 2 * MARGIN_PX) * task.scale, rng)
    small = shrunk(whole, task.scale)
    return _inside(small, 1), _inside(whole, task.scale)


def _inside(image: Image, times: int) -> Image:
    m = MARGIN_PX * times
    return np.ascontiguousarray(image[m:-m, m:-m])


def _denoise(image: Image, task: Task, rng: np.random.Generator) -> Pair:
    wanted, how = seen_anew(image, task.size_wh[0], rng), rng.random()
    if how < 0.1:  # what has no noise is to stay as it is
        return wanted, wanted
    return (
        gaussian(wanted, rng.uniform(0, MOST_SIGMA), rng) if how < 0.6 else sensor_noise(wanted, rng)
    ), wanted


def _lowlight(image: Image, task: Task, rng: np.random.Generator) -> Pair:
    # the loss asks for a grey mean: colours are to be those of real light
    wanted = seen_anew(image, min(image.shape[:2]), rng, recolour=False)
    dark = wanted if rng.random() < 0.2 else faint(wanted, np.exp(rng.uniform(np.log(DARKEST), 0)), rng)
    return fitted(dark, task), fitted(wanted, task)


def _restore(image: Image, task: Task, rng: np.random.Generator) -> Pair:
    wanted, how = seen_anew(image, task.size_wh[0], rng), rng.random()
    given = mended(wanted, rng) if how < 0.5 else wanted
    return (compressed(given, int(rng.integers(5, 96))) if how > 0.3 else given), wanted


_DRAWN: Mapping[str, Callable[[Image, Task, np.random.Generator], Pair]] = {
    "sr": _sr,
    "denoise": _denoise,
    "lowlight": _lowlight,
    "restore": _restore,
}


def check_pair(image: Image, task: Task, number: int) -> Pair:
    """Return the pair number `number` of those that a network is measured on: the middle of a photo, always the same.

    By turns noise of sigma 15, 25 and 50; a fifth, a tenth and a twentieth of the light; JPEG at quality 10 and 30,
    and twice damage that was filled by OpenCV.
    """
    rng = np.random.default_rng([number, 6])
    times = TRUTH_TIMES if task.kind == "lowlight" else task.scale
    wanted = np.ascontiguousarray(middle(image, (task.size_wh[0] * times, task.size_wh[1] * times)))
    if task.kind == "sr":
        return shrunk(wanted, task.scale), wanted
    if task.kind == "denoise":
        return gaussian(wanted, CHECKED_SIGMAS[number % 3], rng), wanted
    if task.kind == "lowlight":
        return faint(wanted, CHECKED_GAINS[number % 3], rng), wanted
    if number % 4 < 2:
        return compressed(wanted, CHECKED_QUALITIES[number % 4]), wanted
    return mended(wanted, rng), wanted


def check_pairs(photos: Sequence[Photo], task: Task) -> list[Pair]:
    """Return a pair for each photo that can be read, `MOST_CHECKED` at most.

    Raises:
        VedetteError: none can be read.
    """
    spread = photos[:: -(-len(photos) // MOST_CHECKED)]
    found = [check_pair(image, task, i) for i, (_, image) in enumerate(readable(spread))]
    if not found:
        raise VedetteError("none of the val photos can be read; give others.")
    return found
