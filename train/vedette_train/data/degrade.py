"""Spoil a picture as cameras, codecs, darkness and time do. Each takes and returns (H, W, 3) uint8 RGB."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.types import Image

__all__ = ["compressed", "gaussian", "mended", "scratches", "sensor_noise", "shrunk"]

DISPLAY_GAMMA = 2.2
FILL_RADIUS_PX = 3


def shrunk(image: Image, scale: int) -> Image:
    """Return `image` at 1 / `scale` of its size, by the bicubic filter that the literature's test pictures are made by.

    PIL widens the filter when it shrinks, as MATLAB does and OpenCV does not.
    """
    from PIL import Image as Pillow

    size_wh = (image.shape[1] // scale, image.shape[0] // scale)
    whole = image[: size_wh[1] * scale, : size_wh[0] * scale]
    return np.asarray(Pillow.fromarray(whole).resize(size_wh, Pillow.Resampling.BICUBIC), np.uint8)


def gaussian(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Add white noise of `sigma` grey levels, rounded and clipped as a stored picture is."""
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(sigma)
    return _pixels(image + noise)


def sensor_noise(image: Image, rng: np.random.Generator) -> Image:
    """Add the noise of a small sensor: of the light's own (shot) and of reading it, in linear light.

    Its strength is drawn at random, from hardly visible to that of a phone at night. Demosaicing and the camera's own
    filter spread it over neighbours, and the camera stores a JPEG: real noise is not white.
    """
    light = (image.astype(np.float32) / 255) ** DISPLAY_GAMMA
    shot, read = 10 ** rng.uniform(-3.8, -2.0), 10 ** rng.uniform(-6.0, -4.0)
    noise = rng.standard_normal(image.shape, np.float32) * np.sqrt(
        light * np.float32(shot) + np.float32(read)
    )
    if rng.random() < 0.7:
        spread = rng.uniform(0.4, 1.0)
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), spread), np.float32)
    seen = _pixels(np.clip(light + noise, 0, 1) ** (1 / DISPLAY_GAMMA) * 255)
    return compressed(seen, int(rng.integers(80, 100))) if rng.random() < 0.7 else seen


def compressed(image: Image, quality: int) -> Image:
    """Store as JPEG of `quality` 1..100 and read it again. Channels are RGB, so its colours stay in their place."""
    stored = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )[1]
    read = cv2.imdecode(stored, cv2.IMREAD_COLOR)
    assert read is not None
    return np.asarray(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), np.uint8)


def scratches(shape_hw: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return where a picture is scratched or has missing parts: (H, W), 255 there, a hundredth to a tenth of it."""
    mask, side = np.zeros(shape_hw, np.uint8), max(shape_hw)
    for _ in range(int(rng.integers(1, 5))):
        ends = rng.uniform(0, side, (4, 2)).cumsum(0) / np.arange(1, 5)[:, None]
        path = np.rint(ends).astype(np.int32)
        cv2.polylines(mask, [path], False, 255, int(rng.integers(1, 4)), cv2.LINE_8)
    for _ in range(int(rng.integers(0, 4))):
        center = tuple(int(v) for v in rng.integers(0, side, 2))
        axes = tuple(int(v) for v in rng.integers(2, max(3, min(10, side // 12)) + 1, 2))
        cv2.ellipse(mask, center, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    return mask


def mended(image: Image, rng: np.random.Generator) -> Image:
    """Return `image` with `scratches` filled from their edges, as `vedette enhance --mask` does (Telea, 2004)."""
    mask = scratches(image.shape[:2], rng)
    return np.asarray(cv2.inpaint(image, mask, FILL_RADIUS_PX, cv2.INPAINT_TELEA), np.uint8)


def _pixels(values: NDArray[np.floating]) -> Image:
    pixels: Image = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return pixels
