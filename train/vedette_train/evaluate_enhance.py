"""How near an enhanced picture is to the true one: PSNR and SSIM, as the literature reckons them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.heads import image_to_image
from vedette.ops.curves import apply_curves
from vedette.types import Image, Tensor
from vedette_train.data.pairs import Task

__all__ = ["before", "decoded", "figures", "luma", "psnr", "psnr_y", "ssim"]

Floats = NDArray[np.float64]

LUMA = (65.481 / 255, 128.553 / 255, 24.966 / 255)  # ITU-R BT.601, head room left, as MATLAB's rgb2ycbcr
CAP_DB = 60.0  # of pictures that are equal


def psnr(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    """Return the peak signal-to-noise ratio of two arrays of grey levels 0..255, decibels, at most `CAP_DB`."""
    error = float(np.mean(np.square(np.asarray(wanted, np.float64) - found)))
    return min(CAP_DB, 10 * math.log10(255**2 / error)) if error else CAP_DB


def luma(image: Image) -> Floats:
    """Return Y, (H, W), 16..235, not rounded."""
    return np.asarray(image.astype(np.float64) @ np.array(LUMA) + 16, np.float64)


def psnr_y(wanted: Image, found: Image, *, border: int) -> float:
    """Return the PSNR of Y without `border` pixels at each edge: the measure of super-resolution."""
    inside = slice(border, -border or None)
    return psnr(luma(wanted)[inside, inside], luma(found)[inside, inside])


def ssim(wanted: Image, found: Image) -> float:
    """Return the structural similarity of Y (Wang et al., 2004: Gaussian window of 1.5 px), at most 1."""
    from skimage.metrics import structural_similarity

    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    return float(structural_similarity(luma(wanted), luma(found), **options))


def decoded(raw: NDArray[np.float32], given: Image, task: Task) -> Image:
    """Return the picture that the network's answer `raw` to `given` makes, as the device does."""
    if task.kind == "lowlight":
        return apply_curves(given, raw)
    return image_to_image.decode(Tensor(task.output, raw[None], 0.0, 0), values="unit")


def before(given: Image, task: Task) -> Image:
    """Return what there is without the network: the picture itself, enlarged by a bicubic filter."""
    from PIL import Image as Pillow

    if task.scale == 1:
        return given
    size_wh = (given.shape[1] * task.scale, given.shape[0] * task.scale)
    return np.asarray(Pillow.fromarray(given).resize(size_wh, Pillow.Resampling.BICUBIC), np.uint8)


def figures(pairs: Iterable[tuple[Image, Image]], task: Task) -> Mapping[str, float]:
    """Return the means of PSNR (of super-resolution that of Y) and SSIM, to four digits, of (wanted, found)."""
    told = []
    for wanted, found in pairs:
        near = psnr_y(wanted, found, border=task.scale) if task.kind == "sr" else psnr(wanted, found)
        told.append((near, ssim(wanted, found)))
    means = np.mean(told, axis=0)
    return {"psnr": round(float(means[0]), 4), "ssim": round(float(means[1]), 4)}
