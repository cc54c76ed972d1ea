"""What a gallery's threshold means, in words and figures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from vedette.gallery.calibrate import CONFIDENCE, Calibration

__all__ = ["describe_threshold"]


def describe_threshold(
    threshold: float, calibration: Calibration | None, *, people: int, templates: int
) -> dict[str, Any]:
    """Return the threshold, the rate that it stands for, and sentences that say so; ready for JSON.

    Args:
        threshold: the least cosine that names somebody.
        calibration: what it comes from; None where it is the model's own.
        people: how many are enrolled now.
        templates: how many they have.
    """
    made = calibration
    told = {"value": round(threshold, 4), "calibrated": made is not None}
    if made is None:
        return {**told, "meaning": list(_own(people)), "warnings": []}
    return {
        **told,
        "far": made.far,
        "far_estimate": made.far_estimate,
        "far_interval": made.far_interval,
        "people": made.people,
        "templates": made.templates,
        "stale": made.stale,
        "fits": made.fits,
        "meaning": list(_meaning(made)),
        "warnings": list(_warnings(made, templates)),
    }


def _own(people: int) -> Iterator[str]:
    yield "It is the model's own, tuned to tell whether two faces are one person's."
    if people:
        yield (
            f"A search among {_count(people, 'person', 'people')} makes more mistakes than that, at a rate that was "
            "not measured."
        )


def _meaning(made: Calibration) -> Iterator[str]:
    whom = _count(made.people, "person", "people") if made.people else "nobody yet"
    size = f"{whom} ({_count(made.templates, 'template', 'templates')})" if made.people else whom
    yield f"A stranger is taken for somebody enrolled in at most {_one_in(made.far)} searches among {size}."
    low, high = made.far_interval
    yield (
        f"{made.scores:,} scores of {made.strangers:,} strangers show {_percent(made.far_estimate)} there, "
        f"between {_percent(low)} and {_percent(high)} ({CONFIDENCE * 100:.0f} % confidence at each end)."
    )


def _warnings(made: Calibration, templates: int) -> Iterator[str]:
    if made.stale and templates > made.templates:
        yield "More templates were added since, so strangers are named more often than that: calibrate anew."
    elif made.stale:
        yield "People or templates have come or gone since: calibrate anew."
    if not made.fits:
        yield (
            f"{made.own.accepts} of {made.own.searches} enrolled people are taken for somebody else who is enrolled: "
            "they are relatives, or one person stands under two names, or this camera makes people look alike."
        )


def _one_in(rate: float) -> str:
    """Return a rate such as "1 in 100", or in percent where 1 in a whole number would not be right."""
    trials = round(1 / rate)
    return f"1 in {trials:,}" if abs(trials * rate - 1) < 1e-3 else f"{_percent(rate)} of"


def _percent(rate: float) -> str:
    """Return a rate in percent to two digits that matter, without an exponent."""
    digits = max(0, 1 - math.floor(math.log10(rate * 100))) if rate > 0 else 0
    return f"{rate * 100:.{digits}f} %"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
