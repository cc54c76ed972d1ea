"""Which range of real values int8 codes stand for, tensor by tensor, from what a float network does on pictures.

Rules: ``minmax``, all that was seen; ``percentile:P``, without the outermost (100 - P) %, shared by both ends; ``mse``,
the range with the least squared error of rounding and clipping together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vedette.contract import InputContract
from vedette.errors import SettingsError, unknown_name
from vedette.types import Image
from vedette_convert.graph import read_graph
from vedette_convert.probe import Probe

__all__ = ["RULES", "Range", "Seen", "check_rule", "choose", "observe", "saturated"]

Range = tuple[float, float]
RULES = ("minmax", "percentile", "mse")
DEFAULT_PERCENTILE = 99.99
BINS = 2048
LEVELS = 255
SHRINK = np.linspace(0.3, 1.0, 36)
SATURATED_SHARE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Values of one tensor over all pictures: least and largest, 0 included, and counts in `BINS` bins between."""

    name: str
    low: float
    high: float
    counts: NDArray[np.int64]

    @property
    def centers(self) -> NDArray[np.float64]:
        """The middle of each bin."""
        width = (self.high - self.low) / BINS
        return np.asarray(self.low + width * (np.arange(BINS) + 0.5), np.float64)


def check_rule(rule: str) -> tuple[str, float]:
    """Return a rule's name and, for ``percentile:P``, P in percent.

    Raises:
        SettingsError: no such rule, or P outside 50..100.
    """
    name, _, text = rule.partition(":")
    if name not in RULES:
        raise unknown_name("range rule", name, RULES)
    try:
        percent = float(text) if text else DEFAULT_PERCENTILE
    except ValueError:
        percent = 0.0
    if (text and name != "percentile") or not 50 < percent <= 100:
        raise SettingsError(
            f"the range rule is '{rule}'; give minmax, mse or percentile:P with P in 50..100."
        )
    return name, percent


def observe(network: bytes, images: Sequence[Image], contract: InputContract) -> dict[str, Seen]:
    """Run the float `network` on all `images` twice and return what each activation was, by its full name."""
    probe = Probe(network, contract)
    tensors = [t for t in read_graph(network).activations if t.dtype == "float32"]
    low, high = np.zeros(len(tensors)), np.zeros(len(tensors))
    for image in images:
        probe.run(image)
        for k, tensor in enumerate(tensors):
            values = probe.real(tensor.index)
            low[k], high[k] = min(low[k], values.min()), max(high[k], values.max())
    counts = np.zeros((len(tensors), BINS), np.int64)
    for image in images:
        probe.run(image)
        for k, tensor in enumerate(tensors):
            counts[k] += _count(probe.real(tensor.index), low[k], high[k])
    return {
        t.full_name: Seen(t.name, float(low[k]), float(high[k]), counts[k]) for k, t in enumerate(tensors)
    }


def _count(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.int64]:
    """Return how many values fall into each bin; numpy's own histogram takes several times as long."""
    scale = np.float32(BINS / max(high - low, 1e-30))
    places = ((values.ravel() - np.float32(low)) * scale).astype(np.int32)
    return np.bincount(np.minimum(places, BINS - 1), minlength=BINS)


def choose(seen: Mapping[str, Seen], rule: str) -> dict[str, Range]:
    """Return the range of each tensor by `rule`; 0 always lies inside.

    Raises:
        SettingsError: no such rule.
    """
    name, percent = check_rule(rule)
    if name == "minmax":
        return {key: (s.low, s.high) for key, s in seen.items()}
    if name == "mse":
        return {key: _least_error(s) for key, s in seen.items()}
    return {key: _percentile(s, percent) for key, s in seen.items()}


def _percentile(seen: Seen, percent: float) -> Range:
    share = np.cumsum(seen.counts) / max(1, seen.counts.sum())
    outside = (1 - percent / 100) / 2
    width = (seen.high - seen.low) / BINS
    low = seen.low + width * int(np.searchsorted(share, outside, "right"))
    high = seen.low + width * (int(np.searchsorted(share, 1 - outside)) + 1)
    # a tensor that starts at 0 (after ReLU) holds its lowest bin; cutting there would be no gain
    return min(low, 0.0), max(min(high, seen.high), 0.0)


def _least_error(seen: Seen) -> Range:
    """Search over shrunk ends; the error of a value inside is step^2 / 12, of one outside its distance squared."""
    values, counts = seen.centers, seen.counts.astype(np.float64)
    best, best_error = (seen.low, seen.high), np.inf
    for low in seen.low * (SHRINK if seen.low < 0 else SHRINK[-1:]):
        for high in seen.high * (SHRINK if seen.high > 0 else SHRINK[-1:]):
            step = (high - low) / LEVELS
            beyond = np.maximum(np.maximum(low - values, values - high), 0)
            error = float(counts @ np.where(beyond > 0, beyond**2, step**2 / 12))
            if error < best_error:
                best, best_error = (float(low), float(high)), error
    return best


def saturated(seen: Mapping[str, Seen], ranges: Mapping[str, Range]) -> dict[str, float]:
    """Return the layers of whose values more than `SATURATED_SHARE` lie outside their range -> share, worst first."""
    found = {}
    for key, s in seen.items():
        low, high = ranges[key]
        outside = s.counts[(s.centers < low) | (s.centers > high)].sum() / max(1, s.counts.sum())
        if outside > SATURATED_SHARE:
            found[s.name] = float(outside)
    return dict(sorted(found.items(), key=lambda item: -item[1]))
