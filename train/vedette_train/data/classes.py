"""Examples for a classifier: one photo each, seen a little differently each time."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.ops.images import letterbox
from vedette.types import Image
from vedette_train.data.augment import disturb
from vedette_train.transfer import MEAN, STD

__all__ = ["PAD_VALUE", "fitted", "normalized", "seen_anew"]

PAD_VALUE = 114
LEAST_AREA = 0.4  # of the photo; smaller crops often miss what the class is about
MOST_STRETCH = 1.25
DISTURBED = 0.5  # share of examples: photos for a device are mostly as good as these


def normalized(image: Image) -> NDArray[np.float32]:
    """Return the real values that the network takes for `image`, uint8."""
    return (image.astype(np.float32) - np.float32(MEAN)) / np.float32(STD)


def fitted(image: Image, size_wh: tuple[int, int]) -> Image:
    """Return `image` as the device fits it into the network's input."""
    return letterbox(image, size_wh, pad_value=PAD_VALUE)[0]


def seen_anew(image: Image, size_wh: tuple[int, int], rng: np.random.Generator) -> Image:
    """Return a random part of `image`, perhaps mirrored and disturbed, fitted into `size_wh`."""
    height, width = image.shape[:2]
    share, stretch = rng.uniform(LEAST_AREA, 1), np.exp(rng.uniform(-1, 1) * np.log(MOST_STRETCH))
    w = int(np.clip(round(width * np.sqrt(share) * stretch), 1, width))
    h = int(np.clip(round(height * np.sqrt(share) / stretch), 1, height))
    x, y = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
    part = image[y : y + h, x : x + w]
    if rng.random() < 0.5:
        part = np.asarray(cv2.flip(part, 1), np.uint8)
    part = fitted(np.ascontiguousarray(part), size_wh)
    return disturb(part, rng) if rng.random() < DISTURBED else part
