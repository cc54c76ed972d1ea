"""Small networks that make pictures of pictures, drawn and run for tests: what they do is known by heart."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from drawn_graphs import O, T, block, draw


def conv(stride: int = 1, *, dilation: int = 1, valid: bool = False) -> Any:
    """Return the options of a CONV_2D."""
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID if valid else schema.Padding.SAME
    options.strideW = options.strideH = stride
    options.dilationWFactor = options.dilationHFactor = dilation
    return options


def packed(
    data: bytes,
    head: Mapping[str, Any],
    *,
    role: str = "image",
    size_wh: Sequence[int] = (0, 0),
    std: float = 1.0,
    color: str = "rgb",
    name: str = "drawn",
) -> bytes:
    """Return a drawn network, from `image` to `made`, as a Vedette model."""
    contract = {
        "schema": 1,
        "name": name,
        "version": "1",
        "task": "enhancement",
        "head": dict(head),
        "input": {
            "name": "image",
            "size_wh": list(size_wh),
            "color": color,
            "resize": "stretch",
            "pad_value": 0,
            "mean": [0, 0, 0],
            "std": [std] * 3,
        },
        "outputs": [{"name": "made", "role": role}],
        "labels": [],
        "threshold": 0,
        "license": "CC0-1.0",
    }
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("vedette.json", json.dumps(contract))
    return buffer.getvalue()


def picture_model(scale: int = 1, *, stride: int = 1, size: int = 0, channels: int = 3, **head: Any) -> bytes:
    """Return a model of two 3 x 3 convolutions of random positive weights: a blur, differently shaded by place.

    Args:
        scale: how many times larger the answer is.
        stride: of the first convolution.
        size: of the input; 0 takes any.
        channels: of the input.
        head: more parameters of the head.
    """
    rng = np.random.default_rng(scale * 10 + stride)
    inner = channels * (scale * stride) ** 2
    first = rng.random((inner, 3, 3, channels))
    second = rng.random((inner, 3, 3, inner))
    side = size or -1
    small = size // stride or -1
    tensors = [
        T("image", (1, side, side, channels)),
        T("w1", first.shape, values=(first / first.sum((1, 2, 3), keepdims=True)).ravel()),
        T("w2", second.shape, values=(second / second.sum((1, 2, 3), keepdims=True)).ravel()),
        T("bias", (inner,), values=(0.0,)),
        T("a", (1, small, small, inner)),
        T("b", (1, small, small, inner)),
        T("made", (1, size * scale or -1, size * scale or -1, channels)),
    ]
    ops = [
        O("CONV_2D", ["image", "w1", "bias"], ["a"], builtin=conv(stride)),
        O("CONV_2D", ["a", "w2", "bias"], ["b"], builtin=conv()),
        O("DEPTH_TO_SPACE", ["b"], ["made"], builtin=block(scale * stride)),
    ]
    if scale * stride == 1:
        ops[1:] = [O("CONV_2D", ["a", "w2", "bias"], ["made"], builtin=conv())]
    color = "rgb" if channels == 3 else "gray"
    drawn = draw(tensors, ["image"], ["made"], ops)
    return packed(
        drawn,
        {"type": "image-to-image", "scale": scale, "range": "pixels", **head},
        size_wh=(size, size),
        color=color,
        name=f"blur-x{scale}",
    )


def curve_model(
    *, bias: float = 0.8, slope: float = 0.0, times: int = 4, size: int = 8, color: str = "rgb"
) -> bytes:
    """Return a model whose curves are, at each place and time, bias + slope x of each colour."""
    weights = np.zeros((3 * times, 1, 1, 3))
    for i in range(3 * times):
        weights[i, 0, 0, i % 3] = slope
    tensors = [
        T("image", (1, size, size, 3)),
        T("w", weights.shape, values=weights.ravel()),
        T("bias", (3 * times,), values=(bias,)),
        T("made", (1, size, size, 3 * times)),
    ]
    ops = [O("CONV_2D", ["image", "w", "bias"], ["made"], builtin=conv())]
    return packed(
        draw(tensors, ["image"], ["made"], ops),
        {"type": "curves"},
        role="curves",
        size_wh=(size, size),
        std=255.0,
        color=color,
        name="light",
    )
