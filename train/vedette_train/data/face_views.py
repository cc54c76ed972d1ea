"""One aligned face as a camera may see it: off by a landmark's error, far away, dark, blurred, half hidden."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.ops.faces import ALIGNED_SIZE, align
from vedette.types import Image
from vedette_train.data.augment import disturb

__all__ = ["faint", "hardened", "jittered", "normalized", "seen_anew"]

Floats = NDArray[np.float32]

MEAN, STD = 128.0, 128.0
"""As the quantized MobileNets have them, so that the body can be one of them."""

# The bundled detector's landmarks are off by 8 % of the distance between the eyes on photos labelled by hand.
POINT_JITTER, SHIFT_JITTER = (
    0.05,
    0.04,
)  # standard deviations in distances between the eyes: each point, all of them
SCALE_JITTER, TURN_JITTER_DEG = 0.05, 4.0

SMALL_PX = (24, 80)  # side of the aligned face when it was far away; 28 px is a face 24 px high
DARK_GAIN = (0.02, 0.3)  # of the linear light
DISPLAY_GAMMA = 2.2


def normalized(faces: Image) -> Floats:
    """Return the real values that the network takes for uint8 `faces`."""
    return (faces.astype(np.float32) - np.float32(MEAN)) / np.float32(STD)


def seen_anew(image: Image, points: Floats, rng: np.random.Generator, *, hardness: float) -> Image:
    """Return the face with (5, 2) landmarks `points` in `image`, (112, 112, 3): aligned a bit off, perhaps mirrored.

    A share `hardness` of them, 0..1, is made hard to recognise.
    """
    face = align(image, jittered(points, rng)[None])[0]
    if rng.random() < 0.5:
        face = face[:, ::-1]
    if rng.random() < hardness:
        face = hardened(face, rng)
    return np.ascontiguousarray(face)


def jittered(points: Floats, rng: np.random.Generator) -> Floats:
    """Return (5, 2) `points` as another finder of landmarks would have put them."""
    eyes = float(np.linalg.norm(points[1] - points[0]))
    middle = points.mean(0)
    turn = np.deg2rad(rng.normal(0, TURN_JITTER_DEG))
    scale = np.exp(rng.normal(0, SCALE_JITTER))
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    moved = (points - middle) @ np.array([[cos, sin], [-sin, cos]]) + middle
    noise = rng.normal(0, POINT_JITTER * eyes, points.shape) + rng.normal(0, SHIFT_JITTER * eyes, 2)
    return np.asarray(moved + noise, np.float32)


def hardened(face: Image, rng: np.random.Generator) -> Image:
    """Return a square face often partly hidden, dark or far away, and disturbed as `augment.disturb` does."""
    if rng.random() < 0.25:
        face = _covered(face, rng)
    if rng.random() < 0.2:
        face = faint(face, rng.uniform(*DARK_GAIN), rng)
    if rng.random() < 0.35:
        face = _far(face, rng)
    return disturb(face, rng)


def faint(face: Image, gain: float, rng: np.random.Generator) -> Image:
    """Return `face` in `gain` times the light, with a sensor's noise: of the light's own (shot) and of reading it."""
    light = (face.astype(np.float32) / 255) ** DISPLAY_GAMMA * np.float32(gain)
    noise = rng.standard_normal(face.shape, np.float32) * np.sqrt(light * np.float32(2e-4) + np.float32(4e-7))
    seen = np.clip(light + noise, 0, 1) ** (1 / DISPLAY_GAMMA)
    return np.rint(seen * 255).astype(np.uint8)


def _far(face: Image, rng: np.random.Generator) -> Image:
    side = int(rng.integers(*SMALL_PX))
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    size_wh = (face.shape[1], face.shape[0])
    return np.asarray(cv2.resize(small, size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)


def _covered(face: Image, rng: np.random.Generator) -> Image:
    """Hide up to a third: a hand, a mask over mouth and chin, the picture's edge."""
    face, side = face.copy(), ALIGNED_SIZE
    level = rng.integers(0, 256, 3)
    if rng.random() < 0.3:
        face[int(side * rng.uniform(0.62, 0.75)) :] = level
        return face
    w, h = rng.integers(side // 6, side // 2, 2)
    x, y = rng.integers(0, side - w), rng.integers(0, side - h)
    face[y : y + h, x : x + w] = level
    return face
