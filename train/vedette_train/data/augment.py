"""Disturb a picture as cameras, lenses, light and codecs do."""

from __future__ import annotations

import cv2
import numpy as np

from vedette.types import Image

__all__ = ["disturb"]


def disturb(image: Image, rng: np.random.Generator) -> Image:
    """Return (H, W, 3) uint8: colour and light changed; often softened, noisy, compressed, grey or partly hidden."""
    steps = [
        (0.12, _hide),
        (0.9, _light),
        (0.12, _grey),
        (0.35, _soften),
        (0.08, _smear),
        (0.3, _noise),
        (0.35, _jpeg),
    ]
    for chance, step in steps:
        if rng.random() < chance:
            image = step(image, rng)
    return np.ascontiguousarray(image)


def _light(image: Image, rng: np.random.Generator) -> Image:
    """Gamma, gain, offset and white balance, by one table a channel."""
    codes = np.arange(256) / 255.0
    gamma = np.exp(rng.normal(0, 0.35))
    gain, offset = np.exp(rng.normal(0, 0.2)), rng.normal(0, 0.06)
    tables = [
        np.clip((codes**gamma * gain * np.exp(rng.normal(0, 0.08)) + offset) * 255, 0, 255) for _ in range(3)
    ]
    return np.asarray(cv2.LUT(image, np.stack(tables, -1)[None].astype(np.uint8)), np.uint8)


def _grey(image: Image, _rng: np.random.Generator) -> Image:
    return np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2).astype(np.uint8)


def _soften(image: Image, rng: np.random.Generator) -> Image:
    """Lose detail as a small picture that was enlarged does."""
    size = (image.shape[1], image.shape[0])
    factor = rng.uniform(0.4, 0.9)
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    how = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(small, size, interpolation=how), np.uint8)


def _smear(image: Image, rng: np.random.Generator) -> Image:
    """Motion blur of 3 to 9 px in one direction."""
    length = int(rng.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    middle = (length - 1) / 2
    for t in np.linspace(-middle, middle, length * 2):
        kernel[round(middle + t * np.sin(angle)), round(middle + t * np.cos(angle))] = 1
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def _noise(image: Image, rng: np.random.Generator) -> Image:
    shape = (*image.shape[:2], 1 if rng.random() < 0.3 else 3)
    noise = rng.standard_normal(shape, np.float32) * np.float32(rng.uniform(2, 14))
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _jpeg(image: Image, rng: np.random.Generator) -> Image:
    quality = int(rng.integers(25, 90))
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _hide(image: Image, rng: np.random.Generator) -> Image:
    """Cover a few small patches with flat colour or another part of the picture."""
    image = image.copy()
    size = image.shape[0]
    for _ in range(int(rng.integers(1, 5))):
        w, h = rng.integers(size // 24, size // 6, 2)
        x, y = rng.integers(0, size - w), rng.integers(0, size - h)
        u, v = rng.integers(0, size - w), rng.integers(0, size - h)
        flat = rng.random() < 0.5
        image[y : y + h, x : x + w] = rng.integers(0, 256, 3) if flat else image[v : v + h, u : u + w].copy()
    return image
