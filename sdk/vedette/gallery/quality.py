"""Is a face good enough to enrol, or to be compared? Each refusal says why, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from vedette.ops.faces import FaceMeasures

__all__ = ["ENROL", "MATCH", "QualityLimits", "Refusal", "face_quality", "refuse", "refuse_count"]

Reason = Literal[
    "no_face", "several_faces", "size", "clipped", "pose", "dark", "bright", "contrast", "exposure", "blur"
]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a face will not do, and what to do about it."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """What a face must reach; `FaceMeasures` says what each measure is.

    `min_sharpness` was chosen on 400 web photos, as they are and blurred by a Gaussian of 1/35 and 2/35 of the distance
    between the eyes: .02 refuses 2 %, 58 % and 98 % of them, .01 none, 12 % and 84 %.
    """

    min_eyes_px: float
    min_sharpness: float
    max_yaw_deg: float
    max_pitch_deg: float
    max_roll_deg: float
    brightness: tuple[float, float]
    min_contrast: float
    max_clipped: float
    min_inside: float


ENROL = QualityLimits(24, 0.02, 30, 30, 30, (0.2, 0.8), 0.08, 0.25, 0.95)
"""For templates: all that follows is compared with them."""

MATCH = QualityLimits(12, 0.01, 50, 45, 45, (0.08, 0.92), 0.04, 0.5, 0.8)
"""For faces to be named: a worse one gives no answer rather than a wrong one."""

# From where on a measure costs nothing: what good photos have.
_GOOD_EYES_PX, _GOOD_SHARPNESS, _GOOD_CONTRAST = 40.0, 0.05, 0.15


def refuse(measures: FaceMeasures, limits: QualityLimits) -> tuple[Refusal, ...]:
    """Return everything that keeps a face below `limits`; nothing where it will do."""
    return tuple(Refusal(reason, message) for reason, message in _found(measures, limits))


def refuse_count(faces: int) -> tuple[Refusal, ...]:
    """Return why a picture with so many faces cannot be enrolled; nothing where there is exactly one."""
    if faces == 1:
        return ()
    if faces == 0:
        return (Refusal("no_face", "no face was found: look at the camera, in better light or nearer"),)
    return (
        Refusal("several_faces", f"{faces} faces were found: have one person in the picture, or crop it"),
    )


def face_quality(measures: FaceMeasures) -> float:
    """Return one figure for a face, 0..1: how far its worst measure is from the limits of `MATCH` towards good."""
    low, high = MATCH.brightness
    parts = (
        _ramp(measures.eyes_px, MATCH.min_eyes_px, _GOOD_EYES_PX),
        _ramp(measures.sharpness, MATCH.min_sharpness, _GOOD_SHARPNESS),
        _ramp(abs(measures.yaw_deg), MATCH.max_yaw_deg, 10),
        _ramp(abs(measures.pitch_deg), MATCH.max_pitch_deg, 15),
        _ramp(abs(measures.roll_deg), MATCH.max_roll_deg, 20),
        _ramp(measures.brightness, low, 0.3),
        _ramp(measures.brightness, high, 0.7),
        _ramp(measures.contrast, MATCH.min_contrast, _GOOD_CONTRAST),
        _ramp(measures.clipped, MATCH.max_clipped, 0.05),
        _ramp(measures.inside, MATCH.min_inside, 1.0),
    )
    return min(parts)


def _found(m: FaceMeasures, limits: QualityLimits) -> Iterator[tuple[Reason, str]]:
    if not m.eyes_px >= limits.min_eyes_px:
        yield (
            "size",
            f"the face is small, {m.eyes_px:.0f} px between the eyes of {limits.min_eyes_px:.0f}: go nearer",
        )
    if not m.inside >= limits.min_inside:
        yield "clipped", "the face is cut off by the picture's edge: move to the middle"
    yield from _pose(m, limits)
    yield from _light(m, limits)
    if not m.sharpness >= limits.min_sharpness:
        yield "blur", "the face is blurred: hold still, have more light, or focus the camera"


def _pose(m: FaceMeasures, limits: QualityLimits) -> Iterator[tuple[Reason, str]]:
    if not abs(m.yaw_deg) <= limits.max_yaw_deg:
        yield "pose", f"the head is turned sideways by {abs(m.yaw_deg):.0f} degrees: look at the camera"
    if not abs(m.pitch_deg) <= limits.max_pitch_deg:
        up = "down" if m.pitch_deg > 0 else "up"
        yield (
            "pose",
            f"the head is {up} by {abs(m.pitch_deg):.0f} degrees: have the camera at the eyes' height",
        )
    if not abs(m.roll_deg) <= limits.max_roll_deg:
        yield "pose", f"the head is tilted by {abs(m.roll_deg):.0f} degrees: hold it, or the camera, upright"


def _light(m: FaceMeasures, limits: QualityLimits) -> Iterator[tuple[Reason, str]]:
    dark, bright = limits.brightness
    if not m.brightness >= dark:
        yield "dark", "the face is too dark: have light in front of it, not behind it"
    elif not m.brightness <= bright:
        yield "bright", "the face is too bright: less light on it, or a shorter exposure"
    if not m.contrast >= limits.min_contrast:
        yield "contrast", "the face has hardly any contrast: clean the lens, avoid fog and flat light"
    if not m.clipped <= limits.max_clipped:
        yield "exposure", f"{m.clipped:.0%} of the face is black or white: avoid hard light from one side"


def _ramp(value: float, bad: float, good: float) -> float:
    """Return 0 at `bad` or worse, 1 at `good` or better, and what lies between in proportion; 0 for NaN."""
    share = (value - bad) / (good - bad)
    return min(1.0, share) if share > 0 else 0.0
