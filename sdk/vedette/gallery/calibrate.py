"""From scores of strangers to a threshold with a stated rate of false accepts. Pure functions and values.

A search compares a face with every template. With T templates, each accepting a stranger at a rate p, the search
accepts one at no more than T p, whatever the templates have in common (Boole's inequality). To promise a rate `far`
for the search, p must be at most far / T. p is known from n impostor scores alone, so what counts is not the share of
them above the threshold but the upper end of its interval (Clopper and Pearson, Biometrika 1934): the threshold is the
lowest at which, with 95 % confidence, p <= far / T. With no score at all above it that end is 3 / n (the rule of
three), so n scores cannot support less than far = 3 T / n, and less is refused.

The scores of pairs that share a person are not independent, which the interval does not know; Boole's bound errs the
other way. tests/gallery/test_calibrate.py measures both together on real descriptors.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.errors import GalleryError
from vedette.gallery.values import Floats

__all__ = [
    "Calibration",
    "ImpostorScores",
    "OwnScores",
    "calibrate",
    "inputs_of",
    "pack",
    "rate_interval",
    "unpack",
]

CONFIDENCE = 0.95
"""Of each end of an interval by itself; both together hold with 90 %."""

MAX_FAR = 0.1
_FORMAT = 1
_DAMAGED = "the impostor scores are damaged or of another format; take those of the model"
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    TypeError,
    OverflowError,
    RuntimeError,  # of zipfile: encryption and compression that it does not know
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy and zipfile raise for damaged files; their words advise to trust them, so they are not repeated."""


def _are_cosines(scores: NDArray[np.floating[Any]]) -> bool:
    return bool((np.abs(scores) <= 1.001).all())  # rounded products of unit vectors exceed 1 a little


@dataclass(frozen=True, slots=True, eq=False)
class ImpostorScores:
    """How alike strangers look to one model: the highest of many cosines between different people, no embedding.

    Attributes:
        highest: (k,) float32, descending: the highest tenth.
        total: how many scores they are the highest of.
        people: how many people the scores are of.
        model_sha256: the model.
    """

    highest: Floats
    total: int
    people: int
    model_sha256: str

    @classmethod
    def of(cls, scores: NDArray[np.floating[Any]], *, people: int, model_sha256: str) -> ImpostorScores:
        """Return the distribution of (n,) cosines, each between pictures of two different people.

        Raises:
            GalleryError: there is none, or one is not a cosine.
        """
        flat = np.asarray(scores, np.float32).ravel()
        if not len(flat) or not _are_cosines(flat):
            raise GalleryError("impostor scores must be cosines, -1..1, at least one")
        kept = np.sort(flat)[::-1][: math.ceil(len(flat) * MAX_FAR)]
        return cls(kept.copy(), len(flat), people, model_sha256)

    def to_bytes(self) -> bytes:
        """Return it as an `.npz` file, as models carry it."""
        file = io.BytesIO()
        numbers = np.array([_FORMAT, self.total, self.people], np.int64)
        np.savez_compressed(
            file, highest=self.highest, numbers=numbers, model=np.array(self.model_sha256, "S64")
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> ImpostorScores:
        """Return what `to_bytes` wrote.

        Raises:
            GalleryError: it is damaged or something else.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                highest, model = file["highest"].astype(np.float32), bytes(file["model"][()]).decode("ascii")
                form, total, people = (int(number) for number in file["numbers"])
        except _UNREADABLE as error:
            raise GalleryError(_DAMAGED) from error
        sorted_down = highest.ndim == 1 and len(highest) > 0 and bool((np.diff(highest) <= 0).all())
        if form != _FORMAT or not sorted_down or not _are_cosines(highest) or len(highest) > total:
            raise GalleryError(_DAMAGED)
        return cls(highest, total, people, model)


@dataclass(frozen=True, slots=True)
class OwnScores:
    """The gallery searched with its own people, each hidden from the search in turn.

    Attributes:
        searches: how many people were searched for.
        accepts: how many of them would have been taken for somebody else.
        highest: the highest cosine among them; -1 with fewer than two people.
    """

    searches: int
    accepts: int
    highest: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A threshold and what it stands for.

    Attributes:
        threshold: the least cosine that names somebody.
        far: asked for: the rate at which a search may take a stranger for somebody enrolled.
        far_estimate: the rate that the scores show at the threshold (an upper bound: Boole's).
        far_interval: between which rates it lies, each end with 95 % confidence; the upper one is at most `far`.
        people, templates: how large the gallery was.
        scores, strangers: how many impostor scores, of how many people, it rests on.
        own: the gallery's own people against each other.
        revision: which state of the gallery it was made for.
        stale: True when people or templates came or went since.
    """

    threshold: float
    far: float
    far_estimate: float
    far_interval: tuple[float, float]
    people: int
    templates: int
    scores: int
    strangers: int
    own: OwnScores
    revision: int
    stale: bool = False

    @property
    def fits(self) -> bool:
        """False when the enrolled people are taken for each other more often than strangers may be.

        Then either somebody is enrolled under two names, or relatives are, or this camera's pictures make people look
        more alike than those behind the impostor scores did.
        """
        if not self.own.searches:
            return True
        return rate_interval(self.own.accepts, self.own.searches)[0] <= self.far


def calibrate(
    impostors: ImpostorScores, *, far: float, people: int, templates: int
) -> tuple[float, float, tuple[float, float]]:
    """Return the threshold for a search among `templates`, the estimated rate at it, and that rate's interval.

    Raises:
        GalleryError: `far` is not a rate that can be asked for, or the scores are too few to promise it; the lowest
            rate that they support is named.
    """
    if not 0 < far <= MAX_FAR:
        raise GalleryError(f"far is {far}: give a rate above 0 and at most {MAX_FAR}, such as 1e-3")
    count = max(1, templates)
    allowed = far / count
    lowest = rate_interval(0, impostors.total)[1]
    if lowest > allowed:
        raise GalleryError(
            f"{impostors.total:,} impostor scores cannot promise a rate of {far:g} in a search among {people:,} people "
            f"({templates:,} templates). The lowest they support here is {_rounded_up(lowest * count):g}; ask for "
            f"that, enrol fewer templates, or give at least {math.ceil(impostors.total * lowest / allowed):,} scores."
        )
    hits = _most_hits(impostors.total, allowed, len(impostors.highest) - 1)
    threshold = float(np.nextafter(impostors.highest[hits], np.float32(2)))
    above = int(np.count_nonzero(impostors.highest >= np.float32(threshold)))
    low, high = rate_interval(above, impostors.total)
    return (
        threshold,
        min(1.0, above / impostors.total * count),
        (min(1.0, low * count), min(1.0, high * count)),
    )


def pack(made: Calibration, impostors: ImpostorScores) -> bytes:
    """Return a calibration with the scores behind it, so that it can be made again when the gallery has changed."""
    text = json.dumps(asdict(made)).encode()
    return len(text).to_bytes(4, "little") + text + impostors.to_bytes()


def unpack(data: bytes) -> tuple[Calibration, ImpostorScores]:
    """Return what `pack` packed."""
    end = 4 + int.from_bytes(data[:4], "little")
    told = json.loads(data[4:end])
    told["own"], told["far_interval"] = OwnScores(**told["own"]), tuple(told["far_interval"])
    return Calibration(**told), ImpostorScores.from_bytes(data[end:])


def inputs_of(
    packed: bytes, impostors: ImpostorScores | None, far: float | None, model_sha256: str
) -> tuple[ImpostorScores, float]:
    """Return the scores and the rate to calibrate by: those given, else those of the last calibration, `packed`.

    Raises:
        GalleryError: nothing was given and there is no last one, or the scores are of another model.
    """
    if not packed and (impostors is None or far is None):
        raise GalleryError("the first calibration needs impostor scores and the rate far, such as 1e-3")
    last, scores = unpack(packed) if packed else (None, impostors)
    scores = impostors if impostors is not None else scores
    rate = far if far is not None or last is None else last.far
    assert scores is not None
    assert rate is not None
    if scores.model_sha256 != model_sha256:
        raise GalleryError(
            f"these impostor scores are of model {scores.model_sha256[:12]}, the gallery is of "
            f"{model_sha256[:12]}: give those that came with its model"
        )
    return scores, rate


def rate_interval(hits: int, trials: int) -> tuple[float, float]:
    """Return between which rates `hits` of `trials` lie (Clopper and Pearson 1934), each end with 95 % confidence."""
    low = 0.0 if hits == 0 else _solve(lambda rate: 1 - _at_most(hits - 1, trials, rate) >= 1 - CONFIDENCE)
    high = 1.0 if hits >= trials else _solve(lambda rate: _at_most(hits, trials, rate) <= 1 - CONFIDENCE)
    return low, high


def _most_hits(trials: int, allowed: float, most: int) -> int:
    """Return the largest number of hits, at most `most`, whose interval ends at or below `allowed`."""
    low, high = 0, most  # `low` is known to do
    while low < high:
        middle = (low + high + 1) // 2
        if _at_most(middle, trials, allowed) <= 1 - CONFIDENCE:
            low = middle
        else:
            high = middle - 1
    return low


def _at_most(hits: int, trials: int, rate: float) -> float:
    """Return the probability of at most `hits` of `trials` at `rate`, 0 < rate < 1 (binomial distribution)."""
    k = np.arange(1, hits + 1, dtype=np.float64)
    chosen = np.concatenate(
        [[0.0], np.cumsum(np.log((trials - k + 1) / k))]
    )  # log of the binomial coefficients
    k = np.concatenate([[0.0], k])
    logs = chosen + k * math.log(rate) + (trials - k) * math.log1p(-rate)
    return float(min(1.0, np.exp(logs).sum()))


def _solve(reached: Callable[[float], bool]) -> float:
    """Return the lowest rate at which `reached` turns true, by bisection on a logarithmic scale."""
    low, high = 1e-15, 1 - 1e-12
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def _rounded_up(rate: float) -> float:
    scale = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return math.ceil(rate / scale) * scale
