"""Between real values and quantized ones: real = (q - zero_point) * scale."""

from __future__ import annotations

import functools
import math
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.contract import InputContract
from vedette.ops.images import Letterbox, letterbox, letterbox_geometry, write_into
from vedette.types import Image, Tensor, TensorSpec

__all__ = ["fill_input", "least_code", "takes_pixels", "to_real"]

_TO_MODEL = {"bgr": cv2.COLOR_RGB2BGR, "gray": cv2.COLOR_RGB2GRAY}


def to_real(codes: NDArray[np.generic], tensor: Tensor) -> NDArray[np.float32]:
    """Return the real values of some of a tensor's `codes`, float32, any shape."""
    raw = codes.astype(np.float32)
    return raw if tensor.scale <= 0 else (raw - np.float32(tensor.zero_point)) * np.float32(tensor.scale)


def least_code(tensor: Tensor, value: float) -> float:
    """Return the least of a tensor's codes whose real value reaches `value`, so that codes are compared as they are."""
    if tensor.scale <= 0 or not math.isfinite(value):
        return value
    return math.ceil(value / tensor.scale + tensor.zero_point - 1e-6)  # whole: else all codes are made floats


@functools.lru_cache(64)  # asked for every frame
def takes_pixels(spec: TensorSpec, contract: InputContract) -> bool:
    """Tell whether a quantized input's codes are the pixels themselves (uint8), or pixels - 128 (int8).

    True where (pixel - mean) / std, quantized with the input's scale and zero point, gives the pixel back within half
    a step for every pixel 0..255 and channel. An integer input without a scale holds real values: scale 1, zero 0.
    """
    if spec.dtype.name not in ("uint8", "int8"):
        return False
    scale, zero_point = (spec.scale, spec.zero_point) if spec.scale > 0 else (1.0, 0)
    shift = 128 if spec.dtype.name == "int8" else 0
    pixels = np.array([0.0, 255.0])[:, None]
    codes = (pixels - contract.mean) / contract.std / scale + zero_point + shift
    return bool(np.abs(codes - pixels).max() < 0.5)


def fill_input(
    image: Image,
    buffer: NDArray[np.generic],
    spec: TensorSpec,
    contract: InputContract,
    *,
    fitted: Image | None = None,
) -> Letterbox:
    """Write `image` into an interpreter's input `buffer` (1, H, W, channels) and return where it lies.

    The picture is resized straight into the buffer; only inputs that do not take pixels, or take grey ones, need a
    second buffer. Where the caller holds what `letterbox` makes of it, that is copied.
    """
    target = buffer[0]
    direct = takes_pixels(spec, contract)
    pixels = target.view(np.uint8) if direct else None
    if fitted is None:
        out = pixels if contract.color != "gray" else None
        fitted, box = letterbox(
            image, contract.size_wh, pad_value=contract.pad_value, resize=contract.resize, out=out
        )
    else:
        box = letterbox_geometry((image.shape[0], image.shape[1]), contract.size_wh, contract.resize)
    fitted = _recolor(fitted, contract.color, out=pixels)
    if pixels is None:
        table = _table(spec, contract)
        write_into(target, lambda dst: cv2.LUT(cast(Any, fitted), table, dst=cast(Any, dst)))
    elif spec.dtype.name == "int8":
        np.bitwise_xor(fitted, 128, out=pixels)  # pixel - 128 in two's complement
    elif fitted is not pixels:
        np.copyto(pixels, fitted)
    return box


def _recolor(picture: Image, color: str, *, out: Image | None) -> Image:
    """Return an RGB `picture` as (h, w, channels) in a model's `color`, in `out` where that is given."""
    if color == "rgb":
        return picture
    target = out if out is not None else np.empty((*picture.shape[:2], 1 if color == "gray" else 3), np.uint8)
    write_into(target, lambda dst: cv2.cvtColor(picture, _TO_MODEL[color], dst=dst))
    return target


@functools.lru_cache(16)
def _table(spec: TensorSpec, contract: InputContract) -> NDArray[Any]:
    """Return what a pixel 0..255 of each channel is in the input's dtype: (1, 256, channels)."""
    channels = contract.channels
    mean, std = (np.array(v[:channels], np.float32) for v in (contract.mean, contract.std))
    real = (np.arange(256, dtype=np.float32)[:, None] - mean) / std
    if spec.dtype.kind == "f":
        return real[None].astype(spec.dtype)
    scale, zero_point = (spec.scale, spec.zero_point) if spec.scale > 0 else (1.0, 0)
    limits = np.iinfo(spec.dtype.name)
    codes = np.rint(real / np.float32(scale)) + np.float32(zero_point)
    table: NDArray[Any] = np.clip(codes, limits.min, limits.max)[None].astype(spec.dtype)
    return table
