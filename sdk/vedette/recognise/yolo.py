"""YOLOv5, v8, 11, 26 and their like, as Ultralytics exports them."""

from __future__ import annotations

from typing import NamedTuple

from vedette.errors import ModelError
from vedette.recognise.facts import Facts, Found, unclear
from vedette.tflite.graph import TensorInfo

__all__ = ["HEAD", "cells", "match"]

HEAD = "yolo"
STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))
MAX_END_TO_END = 1000
NMS_IOU = 0.5  # not Ultralytics' .7: int8 boxes of one thing overlap less; AP50 rises by .006 to .013 (docs/models.md)
NORMAL_LIMIT = 2.5  # boxes of parts of the picture stay below; boxes in pixels go far beyond


class Layout(NamedTuple):
    """How a YOLO output lies: boxes, numbers a box, and what comes first."""

    boxes: int
    width: int
    channels_first: bool
    objectness: bool
    end_to_end: bool


def match(facts: Facts) -> Found | None:
    """Recognise (1, 4+k, n) or (1, n, 4+k), n being the number of the grid's cells, or (1, n, 6) end to end."""
    if len(facts.outputs) != 1 or facts.ultralytics.get("task", "detect") != "detect":
        return None
    (output,) = facts.outputs
    layout, why = _layout(facts, output)
    if layout is None:
        return None
    units, units_why = _units(facts, output, layout)
    classes = None if layout.end_to_end else layout.width - 4 - layout.objectness
    head = {
        "type": HEAD,
        "layout": "channels-first" if layout.channels_first else "channels-last",
        "objectness": layout.objectness,
        "units": units,
        "box": "xyxy" if layout.end_to_end else "cxcywh",
        "end_to_end": layout.end_to_end,
        "nms_iou": NMS_IOU,
    }
    return Found(
        "object-detection",
        head,
        ((output.index, "predictions"),),
        (f"YOLO: {why}", f"boxes in {units}: {units_why}."),
        classes=classes,
        resize="letterbox",
        pad_value=114,
        normalize="unit",
        normalize_why="as all YOLO exports of Ultralytics are",
        threshold=0.25,
    )


def cells(size_wh: tuple[int, int]) -> set[int]:
    """Return how many places the known sets of grids have for an input of `size_wh`."""
    width, height = size_wh
    return {sum((width // s) * (height // s) for s in strides) for strides in STRIDES} - {0}


def _layout(facts: Facts, output: TensorInfo) -> tuple[Layout | None, str]:
    shape = output.shape
    if len(shape) != 3 or shape[0] > 1 or 0 in shape[1:]:
        return None, ""
    places = cells(facts.size_wh)
    for boxes, width, first in ((shape[2], shape[1], True), (shape[1], shape[2], False)):
        if boxes in places and width >= 5:
            return _anchor_free(facts, Layout(boxes, width, first, False, False), shape)
        if boxes in {3 * n for n in places} and width >= 6:
            told = f"its output {shape} has 3 boxes for each of {boxes // 3} places of the grid"
            return Layout(
                boxes, width, first, True, False
            ), f"{told}, so the fifth number is objectness (v5, v7)."
    if shape[2] == 6 and shape[1] <= MAX_END_TO_END:
        return Layout(shape[1], 6, False, False, True), (
            f"its output {shape} holds at most {shape[1]} boxes, each x1 y1 x2 y2 score class: end to end."
        )
    return None, ""


def _anchor_free(facts: Facts, layout: Layout, shape: tuple[int, ...]) -> tuple[Layout | None, str]:
    """Tell v8's 4+k from 5+k with objectness; channels first is always the former."""
    told = f"its output {shape} has one box for each of {layout.boxes} places of the grid"
    asked = facts.options.get("objectness")
    if isinstance(asked, bool):
        return layout._replace(objectness=asked), f"{told}; objectness {asked}, as given."
    if layout.channels_first or facts.ultralytics:
        return layout, f"{told}, 4 numbers and {layout.width - 4} classes (v8, 11)."
    count = len(facts.names.names) if facts.names else 80
    with_objectness = layout.width - 5 == count
    if with_objectness and layout.width - 4 != count:
        return None, ""  # YOLOX writes so
    if layout.width - 4 == count:
        return layout, f"{told}, 4 numbers and {count} classes (v8, 11)."
    raise unclear(
        f"{told} and {layout.width} numbers each: 4 and {layout.width - 4} classes, or 5 and {layout.width - 5}.",
        "--head yolo:objectness=false",
        "--head yolo:objectness=true",
        "--head yolox",
        "--labels FILE, whose length decides",
    )


def _units(facts: Facts, output: TensorInfo, layout: Layout) -> tuple[str, str]:
    """Return "pixels" or "normalized", and what says so."""
    asked = facts.options.get("units")
    if asked in ("pixels", "normalized"):
        return str(asked), "as given"
    if output.quantized:
        top = output.limits[1]
        return ("normalized" if top <= NORMAL_LIMIT else "pixels"), f"its codes reach up to {top:.4g}"
    largest = _last_constant(facts, output, layout)
    if largest is None:
        raise unclear("nothing in the file says whether its boxes are in pixels or in parts of the picture.", *(
            f"--head yolo:units={unit}" for unit in ("normalized", "pixels")
        ))  # fmt: skip
    unit = "normalized" if largest <= 1.01 else "pixels"
    return unit, f"the last constants that its boxes are reckoned with go up to {largest:.4g}"


def _last_constant(facts: Facts, output: TensorInfo, layout: Layout) -> float | None:
    """Return the largest of the constants nearest to the output that scale or shift boxes; None where there are none.

    Halves and doubles (the middle of two corners) say nothing. The grid's places and its strides do: they go up to 1
    where boxes are parts of the picture.
    """
    for op in facts.graph.behind(output.index, depth=60):
        if op.kind not in ("MUL", "DIV", "ADD", "SUB"):
            continue
        values = [v for i in op.inputs for v in facts.graph.values(i)]
        if values and set(map(abs, values)) - {0.5, 2.0}:
            largest = max(map(abs, values))
            return 1 / largest if op.kind == "DIV" and largest > 1 else largest
    return None


def check_task(facts: Facts) -> None:
    """Refuse the tasks of Ultralytics' exports that are not read here.

    Raises:
        ModelError: names the task.
    """
    task = facts.ultralytics.get("task", "detect")
    if task not in ("detect", "classify"):
        raise ModelError(
            f"it is an Ultralytics model for '{task}'; of these only detect and classify are read."
        )
