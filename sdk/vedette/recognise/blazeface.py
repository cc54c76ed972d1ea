"""MediaPipe's BlazeFace, short and full range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vedette.recognise.facts import Facts, Found

__all__ = ["HEAD", "match"]

HEAD = "blazeface"
RANGES: Mapping[tuple[int, int], tuple[str, Mapping[str, Any]]] = {
    (128, 896): ("short", {"strides": [8, 16, 16, 16], "interpolated_scale_aspect_ratio": 1.0, "scale": 128}),
    (256, 896): (
        "short",
        {"strides": [16, 32, 32, 32], "interpolated_scale_aspect_ratio": 1.0, "scale": 256},
    ),
    (192, 2304): ("full", {"strides": [4], "interpolated_scale_aspect_ratio": 0.0, "scale": 192}),
}
"""Input size, anchors -> range, and MediaPipe's SsdAnchorsCalculator options that differ; anchors have size 1 and
offset .5. The one of 256 is the older model for the back camera: the same anchors on twice the pixels."""


def match(facts: Facts) -> Found | None:
    """Recognise (1, n, 16) and (1, n, 1) with n = 896 or 2304."""
    if len(facts.outputs) != 2:
        return None
    boxes = next((t for t in facts.outputs if t.shape[1:] in ((896, 16), (2304, 16))), None)
    scores = next((t for t in facts.outputs if boxes and t.shape[1:] == (boxes.shape[1], 1)), None)
    if boxes is None or scores is None:
        return None
    if facts.size_wh[0] != facts.size_wh[1] or (facts.size_wh[0], boxes.shape[1]) not in RANGES:
        return None
    reach, anchors = RANGES[facts.size_wh[0], boxes.shape[1]]
    return Found(
        "face-detection",
        {"type": HEAD, "range": reach, **anchors, "score_clip": 100.0, "nms_iou": 0.3},
        ((boxes.index, "box_encodings"), (scores.index, "scores")),
        (
            f"MediaPipe BlazeFace, {reach} range: outputs {boxes.shape} and {scores.shape}; "
            f"{boxes.shape[1]} anchors of 4 numbers of a box and 6 key points.",
        ),
        labels=("face",),
        resize="letterbox",
        normalize="signed",
        normalize_why="as MediaPipe's graph for BlazeFace feeds it",
        threshold=0.5,
    )
