"""Between real values and quantized ones: real = (q - zero_point) * scale."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from vedette.contract import InputContract
from vedette.ops.images import Letterbox, letterbox, letterbox_geometry
from vedette.types import Image, TensorSpec

__all__ = ["fill_input", "takes_pixels"]


@functools.lru_cache(64)  # asked for every frame
def takes_pixels(spec: TensorSpec, contract: InputContract) -> bool:
    """Tell whether a quantized input's codes are the pixels themselves (uint8), or pixels - 128 (int8).

    True where (pixel - mean) / std, quantized with the input's scale and zero point, gives the pixel back within half
    a step for every pixel 0..255 and channel.
    """
    if spec.dtype.name not in ("uint8", "int8") or spec.scale <= 0:
        return False
    shift = 128 if spec.dtype.name == "int8" else 0
    pixels = np.array([0.0, 255.0])[:, None]
    codes = (pixels - contract.mean) / contract.std / spec.scale + spec.zero_point + shift
    return bool(np.abs(codes - pixels).max() < 0.5)


def fill_input(
    image: Image,
    buffer: NDArray[np.generic],
    spec: TensorSpec,
    contract: InputContract,
    *,
    fitted: Image | None = None,
) -> Letterbox:
    """Write `image` into an interpreter's input `buffer` (1, H, W, 3) and return where it lies.

    The picture is resized straight into the buffer; only inputs that do not take pixels need a second buffer. Where the
    caller holds what `letterbox` makes of it, that is copied.
    """
    target = buffer[0]
    pixels = target.view(np.uint8) if takes_pixels(spec, contract) else None
    if fitted is None:
        fitted, box = letterbox(image, contract.size_wh, pad_value=contract.pad_value, out=pixels)
    else:
        box = letterbox_geometry((image.shape[0], image.shape[1]), contract.size_wh)
    if pixels is None:
        target[...] = _quantize(fitted, spec, contract)
    elif spec.dtype.name == "int8":
        np.bitwise_xor(fitted, 128, out=pixels)  # pixel - 128 in two's complement
    elif fitted is not pixels:
        np.copyto(pixels, fitted)
    return box


def _quantize(picture: Image, spec: TensorSpec, contract: InputContract) -> NDArray[np.float32]:
    """Return the input's codes, whole numbers within its dtype, or real numbers where it is not quantized."""
    mean, std = np.array(contract.mean, np.float32), np.array(contract.std, np.float32)
    real: NDArray[np.float32] = (picture.astype(np.float32) - mean) / std
    if spec.scale <= 0:
        return real
    limits = np.iinfo(spec.dtype.name)
    codes: NDArray[np.float32] = np.rint(real / np.float32(spec.scale)) + np.float32(spec.zero_point)
    return np.clip(codes, limits.min, limits.max)
