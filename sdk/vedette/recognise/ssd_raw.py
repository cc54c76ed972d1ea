"""SSD and EfficientDet-Lite without post-processing: encoded boxes and scores for each anchor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vedette.recognise.facts import Facts, Found, unclear
from vedette.tflite.graph import TensorInfo

__all__ = ["HEAD", "find_anchors", "match"]

HEAD = "ssd-raw"

SSD: Mapping[str, Any] = {
    "kind": "ssd",
    "layers": 6,
    "min_scale": 0.2,
    "max_scale": 0.95,
    "aspect_ratios": [1.0, 2.0, 0.5, 3.0, 1 / 3],
    "reduce_lowest": True,
    "interpolated_scale_aspect_ratio": 1.0,
}
"""TF Object Detection API, ssd_anchor_generator: strides 16, 32, 64 ...; sizes rounded up."""

FPN: Mapping[str, Any] = {
    "kind": "retina",
    "levels": [3, 4, 5, 6, 7],
    "anchor_scale": 4.0,
    "aspect_ratios": [1.0, 2.0, 0.5],
    "scales_per_octave": 2,
}
"""TF Object Detection API, multiscale_anchor_generator, as in SSD MobileNet FPN-Lite."""

EFFICIENTDET: Mapping[str, Any] = {**FPN, "kind": "efficientdet", "anchor_scale": 3.0, "scales_per_octave": 3}
"""AutoML's EfficientDet-Lite; Lite3 (512) and Lite4 (640) have an anchor scale of 4."""

SCALES = {"SSD": [10.0, 10.0, 5.0, 5.0], "SSD FPN-Lite": [10.0, 10.0, 5.0, 5.0], "EfficientDet": [1.0] * 4}


def match(facts: Facts) -> Found | None:
    """Recognise two outputs (1, n, 4) and (1, n, k) whose n is that of a known set of anchors for the input's size."""
    pair = _pair(facts.outputs)
    if pair is None:
        return None
    boxes, scores = pair
    anchors = find_anchors(facts.size_wh, boxes.shape[1])
    if anchors is None:
        if not facts.forced:
            return None
        raise unclear(
            f"it has {boxes.shape[1]} boxes, which is no known set of anchors for {_size(facts)}.",
            "another --head",
        )
    family, parameters = anchors
    efficient = family == "EfficientDet"
    background = bool(facts.options.get("background", _background(facts, scores.shape[2], efficient)))
    last = facts.activation(scores)
    activation = "none" if last in ("LOGISTIC", "SOFTMAX") else "sigmoid"
    sure = "in the network" if activation == "none" else "left to the reader; these families use sigmoid"
    return Found(
        "object-detection",
        {
            "type": HEAD,
            "anchors": dict(parameters),
            "scales": SCALES[family],
            "activation": activation,
            "background": background,
            "nms_iou": 0.5,
        },
        ((boxes.index, "box_encodings"), (scores.index, "class_scores")),
        (
            f"{family} without post-processing: outputs (1, {boxes.shape[1]}, 4) and {scores.shape}; "
            f"{boxes.shape[1]} is the number of {family} anchors for {_size(facts)}.",
            f"scores: activation {activation}, {sure}.",
        ),
        classes=scores.shape[2] - background,
        resize="letterbox-topleft" if efficient else "stretch",
        normalize="signed",
        normalize_why="as TensorFlow's detection exports are",
        threshold=0.5,
    )


def _pair(outputs: tuple[TensorInfo, ...]) -> tuple[TensorInfo, TensorInfo] | None:
    if len(outputs) != 2 or any(len(t.shape) != 3 or t.shape[0] > 1 for t in outputs):
        return None
    boxes = [t for t in outputs if t.shape[2] == 4]
    if len(boxes) == 2:  # as many classes as a box has numbers: boxes are made without activation
        boxes = [t for t in outputs if "box" in t.name.lower() or "raw_outputs/box" in t.name.lower()]
    if len(boxes) != 1 or outputs[0].shape[1] != outputs[1].shape[1]:
        return None
    (scores,) = (t for t in outputs if t is not boxes[0])
    return boxes[0], scores


def _background(facts: Facts, classes: int, efficient: bool) -> bool:
    """Tell whether the first class is the background: the labels say it by their number, else the family."""
    if facts.names is not None and len(facts.names.names) in (classes, classes - 1):
        return len(facts.names.names) == classes - 1 or facts.names.names[0].lower() in ("???", "background")
    return not efficient


def find_anchors(size_wh: tuple[int, int], count: int) -> tuple[str, Mapping[str, Any]] | None:
    """Return the family and the generator's parameters that make `count` anchors for an input of `size_wh`."""
    if 0 in size_wh or not count:
        return None
    levels = sum(_cells(size_wh, 2**level) for level in range(3, 8))
    maps = [_cells(size_wh, 16 * 2**i) for i in range(6)]
    if count == levels * 9:
        scale = 4.0 if size_wh in ((512, 512), (640, 640)) else 3.0
        return "EfficientDet", {**EFFICIENTDET, "anchor_scale": scale}
    if count == levels * 6:
        return "SSD FPN-Lite", FPN
    if count == maps[0] * 3 + sum(maps[1:]) * 6:
        return "SSD", SSD
    return None


def _cells(size_wh: tuple[int, int], stride: int) -> int:
    return math.ceil(size_wh[0] / stride) * math.ceil(size_wh[1] / stride)


def _size(facts: Facts) -> str:
    return f"an input of {facts.size_wh[0]}x{facts.size_wh[1]}"
