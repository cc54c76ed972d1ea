"""Semantic segmentation: a class, or a logit of each class, for each place."""

from __future__ import annotations

from vedette.recognise.facts import Facts, Found
from vedette.tflite.graph import TensorInfo

__all__ = ["HEAD", "match"]

HEAD = "segment"
WHOLE = ("int64", "int32", "uint8", "int8")
MAX_CLASSES = 512
DEEPLAB = ((513, 513), (257, 257))


def match(facts: Facts) -> Found | None:
    """Recognise a map of classes that ends with ARG_MAX, or a map (1, h, w, k) of a number for each class."""
    if len(facts.outputs) != 1:
        return None
    (output,) = facts.outputs
    kind, count, why = _argmax(facts, output) or _logits(facts, output) or ("", 0, "")
    if not kind:
        return None
    deeplab = facts.size_wh in DEEPLAB
    return Found(
        "segmentation",
        {"type": HEAD, "kind": kind},
        ((output.index, "classes" if kind == "argmax" else "logits"),),
        (f"segmentation: {why}",),
        classes=count,
        background=True,
        resize="letterbox-topleft" if deeplab else "stretch",
        pad_value=128 if deeplab else 0,
        normalize="signed" if deeplab else "",
        normalize_why="as DeepLab's exports are",
    )


def _argmax(facts: Facts, output: TensorInfo) -> tuple[str, int, str] | None:
    maps = len(output.shape) == 3 or (len(output.shape) == 4 and output.shape[3] == 1)
    if not maps or output.dtype not in WHOLE or facts.activation(output) != "ARG_MAX":
        return None
    op = next(op for op in facts.graph.behind(output.index) if op.kind == "ARG_MAX")
    classes = facts.graph.tensors[op.inputs[0]].shape
    count = classes[-1] if len(classes) == 4 else 0
    return (
        "argmax",
        count,
        f"its output {output.shape} is a map of class numbers, made by ARG_MAX over {count} classes.",
    )


def _logits(facts: Facts, output: TensorInfo) -> tuple[str, int, str] | None:
    shape = output.shape
    if len(shape) != 4 or not 2 <= shape[3] <= MAX_CLASSES or min(shape[1:3]) < 4:
        return None
    named = facts.names is not None and abs(len(facts.names.names) - shape[3]) <= 1
    reason = (
        "as many numbers as there are labels"
        if named
        else "a SOFTMAX over classes"
        if facts.activation(output) == "SOFTMAX"
        else "DeepLab's 21 classes of PASCAL VOC"
        if facts.size_wh in DEEPLAB and shape[3] == 21
        else "as given"
        if facts.forced
        else ""
    )
    if not reason:  # heat maps of key points and features have the same form
        return None
    return "logits", shape[3], f"its output {shape} has for each place {reason}."
