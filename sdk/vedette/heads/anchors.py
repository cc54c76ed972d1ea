"""Anchors: the boxes that outputs are told relative to, (n, 4) of y, x, height, width in parts of the input.

Sources: TensorFlow Object Detection API, `anchor_generators/multiple_grid_anchor_generator.py` and
`multiscale_grid_anchor_generator.py`; google/automl, `efficientdet/tf2/anchors.py`; MediaPipe,
`calculators/tflite/ssd_anchors_calculator.cc`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["blazeface_anchors", "make_anchors"]

Floats = NDArray[np.float32]
Size = tuple[float, float]


def make_anchors(parameters: Mapping[str, Any], size_wh: tuple[int, int]) -> Floats:
    """Return the anchors of a generator for an input of `size_wh`.

    Args:
        parameters: ``kind`` "ssd", "retina" (SSD FPN-Lite) or "efficientdet", and what its generator takes.
        size_wh: width and height of the input, pixels.

    Raises:
        KeyError: the kind is not known, or a parameter is missing.
    """
    return {"ssd": _ssd, "retina": _retina, "efficientdet": _efficientdet}[parameters["kind"]](
        parameters, size_wh
    )


def _grid(columns: int, rows: int, shapes: Sequence[Size], *, step: Size, start: Size) -> Floats:
    """Return anchors of each of `shapes` (height, width) at each place: row by row, all shapes of a place together.

    `start` is the first place and `step` the way to the next, y and x; all in parts of the input.
    """
    y, x = np.meshgrid(
        start[0] + step[0] * np.arange(rows), start[1] + step[1] * np.arange(columns), indexing="ij"
    )
    middle = np.stack([y, x], -1).reshape(-1, 1, 2).repeat(len(shapes), 1)
    size = np.broadcast_to(np.array(shapes, float), middle.shape)
    return np.concatenate([middle, size], -1).reshape(-1, 4).astype(np.float32)


def _ssd(parameters: Mapping[str, Any], size_wh: tuple[int, int]) -> Floats:
    """Return anchors of `MultipleGridAnchorGenerator` as `create_ssd_anchors` sets it up; strides 16, 32, 64 ..."""
    layers, low, high = (parameters[k] for k in ("layers", "min_scale", "max_scale"))
    scales = [*(low + (high - low) * i / (layers - 1) for i in range(layers)), 1.0]
    base = [min(size_wh) / side for side in size_wh[::-1]]
    levels = []
    for i in range(layers):
        pairs = [(scales[i], ratio) for ratio in parameters["aspect_ratios"]]
        if i == 0 and parameters["reduce_lowest"]:
            pairs = [(0.1, 1.0), (scales[0], 2.0), (scales[0], 0.5)]
        elif parameters["interpolated_scale_aspect_ratio"] > 0:
            pairs.append(
                (math.sqrt(scales[i] * scales[i + 1]), parameters["interpolated_scale_aspect_ratio"])
            )
        shapes = [(s / math.sqrt(r) * base[0], s * math.sqrt(r) * base[1]) for s, r in pairs]
        columns, rows = (math.ceil(side / (16 * 2**i)) for side in size_wh)
        levels.append(
            _grid(columns, rows, shapes, step=(1 / rows, 1 / columns), start=(0.5 / rows, 0.5 / columns))
        )
    return np.concatenate(levels)


def _retina(parameters: Mapping[str, Any], size_wh: tuple[int, int]) -> Floats:
    """Return anchors of `MultiscaleGridAnchorGenerator`: all scales of a ratio before the next ratio.

    Levels whose stride does not divide the input start at its very corner.
    """
    width, height = size_wh
    octave = parameters["scales_per_octave"]
    levels = []
    for level in parameters["levels"]:
        stride = 2**level
        base = parameters["anchor_scale"] * stride
        shapes = [
            (
                base * 2 ** (k / octave) / math.sqrt(r) / height,
                base * 2 ** (k / octave) * math.sqrt(r) / width,
            )
            for r in parameters["aspect_ratios"]
            for k in range(octave)
        ]
        start = [(stride / 2 if side % stride == 0 else 0) / side for side in (height, width)]
        levels.append(
            _grid(
                math.ceil(width / stride),
                math.ceil(height / stride),
                shapes,
                step=(stride / height, stride / width),
                start=(start[0], start[1]),
            )
        )
    return np.concatenate(levels)


def _efficientdet(parameters: Mapping[str, Any], size_wh: tuple[int, int]) -> Floats:
    """Return AutoML's anchors: all ratios of a scale before the next; strides are the input over the map's size."""
    octave = parameters["scales_per_octave"]
    levels = []
    for level in parameters["levels"]:
        columns, rows = (math.ceil(side / 2**level) for side in size_wh)
        sizes = [parameters["anchor_scale"] * 2 ** (k / octave) for k in range(octave)]
        shapes = [
            (size / math.sqrt(ratio) / rows, size * math.sqrt(ratio) / columns)
            for size in sizes
            for ratio in parameters["aspect_ratios"]
        ]
        levels.append(
            _grid(columns, rows, shapes, step=(1 / rows, 1 / columns), start=(0.5 / rows, 0.5 / columns))
        )
    return np.concatenate(levels)


def blazeface_anchors(strides: Sequence[int], *, interpolated: bool, size_wh: tuple[int, int]) -> Floats:
    """Return MediaPipe's anchors of BlazeFace: at each place one for each layer of that stride, two if `interpolated`.

    All have size 1: sizes are told in parts of the input.
    """
    levels = []
    for stride in sorted(set(strides)):
        shapes = [(1.0, 1.0)] * (strides.count(stride) * (1 + interpolated))
        columns, rows = (math.ceil(side / stride) for side in size_wh)
        levels.append(
            _grid(columns, rows, shapes, step=(1 / rows, 1 / columns), start=(0.5 / rows, 0.5 / columns))
        )
    return np.concatenate(levels)
