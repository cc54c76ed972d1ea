"""YOLOX: 5+k numbers for each place of the grid, decoded in the network or not."""

from __future__ import annotations

from vedette.recognise.facts import Facts, Found
from vedette.recognise.yolo import cells

__all__ = ["HEAD", "match"]

HEAD = "yolox"


def match(facts: Facts) -> Found | None:
    """Recognise (1, n, 5+k) channels last, n being the number of the grid's places."""
    if len(facts.outputs) != 1 or facts.ultralytics:
        return None
    (output,) = facts.outputs
    shape = output.shape
    if len(shape) != 3 or shape[0] > 1 or shape[1] not in cells(facts.size_wh) or shape[2] < 6:
        return None
    count = len(facts.names.names) if facts.names else 80
    if not facts.forced and shape[2] - 5 != count:
        return None
    decoded = bool(
        facts.options.get("decoded", any(op.kind == "EXP" for op in facts.graph.behind(output.index)))
    )
    told = (
        "widths are made with EXP in the network: decoded"
        if decoded
        else "no EXP before the output: not decoded"
    )
    return Found(
        "object-detection",
        {"type": HEAD, "strides": [8, 16, 32], "decoded": decoded, "nms_iou": 0.45},
        ((output.index, "predictions"),),
        (
            f"YOLOX: its output {shape} has, for each of {shape[1]} places of the grid, 4 numbers of a box, objectness "
            f"and {shape[2] - 5} classes.",
            f"{told}.",
        ),
        classes=shape[2] - 5,
        resize="letterbox-topleft",
        pad_value=114,
        normalize="pixels",
        normalize_why="as YOLOX is trained",
        color="bgr",
        threshold=0.3,
    )
