"""Picture in, picture out: super-resolution, denoising and their like."""

from __future__ import annotations

import math

from vedette.recognise.facts import Facts, Found, unclear
from vedette.recognise.pixels import RANGES
from vedette.tflite.graph import TensorInfo

__all__ = ["HEAD", "match"]

HEAD = "image-to-image"
SCALES = (1, 2, 3, 4)
CLIPS = ("MINIMUM", "RELU", "MAXIMUM", "RELU6", "RELU_0_TO_1")


def match(facts: Facts) -> Found | None:
    """Recognise one output with the input's channels, and 1 to 4 times its size.

    Raises:
        ModelError: its scale or its range cannot be told.
    """
    if len(facts.outputs) != 1:
        return None
    (output,) = facts.outputs
    shape = output.shape
    if len(shape) != 4 or shape[3] != facts.channels or facts.activation(output) in ("SOFTMAX", "ARG_MAX"):
        return None
    if not facts.forced and (
        _named(facts, shape[3]) or (facts.channels == 1 and facts.activation(output) == "LOGISTIC")
    ):
        return None
    scale, scale_why = _scale(facts, output)
    if scale not in SCALES:
        return None
    kind, kind_why = _range(facts, output)
    return Found(
        "image-to-image",
        {"type": HEAD, "scale": scale, "range": kind},
        ((output.index, "image"),),
        (f"image to image, x{scale}: {scale_why}.", f"its output's range: {kind}, {kind_why}."),
        normalize=kind,
        normalize_why="as its output is; a network of pictures answers in what it is asked in",
    )


def _named(facts: Facts, channels: int) -> bool:
    return facts.names is not None and len(facts.names.names) == channels


def _scale(facts: Facts, output: TensorInfo) -> tuple[int, str]:
    """Return how many times larger the output is; 0 where it is no whole number of times."""
    asked = facts.options.get("scale")
    if isinstance(asked, int):
        return asked, "as given"
    sizes = (facts.image.shape[1:3], output.shape[1:3])
    if all(n for size in sizes for n in size):
        (h, w), (out_h, out_w) = sizes
        same = out_h % h == 0 and out_w % w == 0 and out_h // h == out_w // w
        return (out_h // h if same else 0), f"{w}x{h} in, {out_w}x{out_h} out"
    blocks = [
        op.table.number(0, "i", 1) for op in facts.graph.ops if op.kind == "DEPTH_TO_SPACE" and op.table
    ]
    if facts.has("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "TRANSPOSE_CONV", "STRIDED_SLICE") or not all(
        0 < b <= 8 for b in blocks
    ):
        raise unclear("its size is dynamic, and how much larger it makes pictures is not in the file.", *(
            f"--head image-to-image:scale={n}" for n in SCALES
        ))  # fmt: skip
    down = len([op for op in facts.graph.ops if op.kind == "SPACE_TO_DEPTH"])
    scale = 0 if down else math.prod(blocks)
    return scale, f"any size in; {len(blocks)} DEPTH_TO_SPACE make it {scale} times larger"


def _range(facts: Facts, output: TensorInfo) -> tuple[str, str]:
    """Return how the output's values map to 0..255."""
    asked = facts.options.get("range")
    if asked in ("pixels", "unit", "signed"):
        return str(asked), "as given"
    if output.quantized:
        low, high = output.limits
        kind = "signed" if low < -0.5 else "unit" if high < 2 else "pixels"
        return kind, f"its codes go from {low:.3g} to {high:.4g}"
    last = facts.activation(output)
    if last in ("TANH", "LOGISTIC"):
        return ("signed" if last == "TANH" else "unit"), f"it ends with {last}"
    top = _clip(facts, output)
    if top is not None:
        return ("pixels" if top > 2 else "unit"), f"it is clipped at {top:g}"
    note = facts.metadata.inputs[0] if facts.metadata.inputs else None
    for kind in ("unit", "signed", "pixels"):
        mean, std = RANGES[kind]
        if note and note.mean and note.std and (note.mean[0], note.std[0]) == (mean[0], std[0]):
            return kind, "as its input by the metadata"
    raise unclear("nothing in the file says how its output's values map to pixels.", *(
        f"--head image-to-image:range={kind}" for kind in ("pixels", "unit", "signed")
    ))  # fmt: skip


def _clip(facts: Facts, output: TensorInfo) -> float | None:
    """Return the constant that the output is clipped at, within the last operators."""
    for op in facts.graph.behind(output.index, depth=4):
        if op.kind == "MINIMUM":
            values = [v for i in op.inputs for v in facts.graph.values(i, limit=4)]
            if values:
                return max(values)
        if op.kind == "RELU_0_TO_1":
            return 1.0
    return None
