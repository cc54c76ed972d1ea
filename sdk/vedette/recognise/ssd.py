"""SSD and EfficientDet-Lite whose last operator is `TFLite_Detection_PostProcess`."""

from __future__ import annotations

from vedette.errors import ModelError
from vedette.recognise.facts import PASSING, Facts, Found
from vedette.recognise.ssd_raw import find_anchors
from vedette.tflite.flat import read_flexmap
from vedette.tflite.graph import Op

__all__ = ["HEAD", "OPERATOR", "match"]

HEAD = "ssd-postprocess"
OPERATOR = "TFLite_Detection_PostProcess"
ROLES = ("boxes", "classes", "scores", "count")


def match(facts: Facts) -> Found | None:
    """Recognise the operator; roles are read from its own order of outputs, whatever the file's order is."""
    ops = [op for op in facts.graph.ops if op.kind == OPERATOR]
    if len(ops) != 1 or len(ops[0].outputs) != 4:
        return None
    op = ops[0]
    roles = dict(zip(op.outputs, ROLES, strict=True))
    outputs = tuple((i, role) for i in facts.graph.outputs if (role := _role(facts, i, roles)))
    if len({role for _, role in outputs}) != 4:
        raise ModelError(
            f"its {OPERATOR} makes four outputs, of which the file gives {len(outputs)}. Export all four."
        )
    classes, made = _classes(facts, op)
    anchors = find_anchors(facts.size_wh, made)
    family = "EfficientDet-Lite" if anchors and anchors[0] == "EfficientDet" else "SSD"
    return Found(
        "object-detection",
        {"type": HEAD, "label_offset": 0},
        outputs,
        (
            f"{family} with post-processing: the operator {OPERATOR} gives boxes, classes, scores and count, in this "
            "order of its own; the file's order of outputs does not matter.",
        ),
        classes=classes,
        normalize="signed",
        normalize_why="as TensorFlow's detection exports are",
        threshold=0.5,
    )


def _role(facts: Facts, index: int, roles: dict[int, str]) -> str:
    """Return the role of an output that the operator makes, or that only stores what it makes."""
    if index in roles:
        return roles[index]
    op = facts.graph.maker(index)
    return roles.get(op.inputs[0], "") if op and op.inputs and op.kind in PASSING else ""


def _classes(facts: Facts, op: Op) -> tuple[int, int]:
    """Return how many classes it tells apart, background left out, and from how many anchors."""
    number = read_flexmap(op.custom_options).get("num_classes")
    shape = facts.graph.tensors[op.inputs[1]].shape if len(op.inputs) > 1 else ()
    anchors = shape[1] if len(shape) == 3 else 0
    if isinstance(number, int) and number > 0:
        return number, anchors
    if len(shape) == 3 and shape[2] > 1:
        return shape[2] - 1, anchors
    raise ModelError(f"its {OPERATOR} does not say how many classes there are. Export the model again.")
