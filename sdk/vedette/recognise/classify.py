"""Classifiers: one row of logits or probabilities."""

from __future__ import annotations

from vedette.recognise.facts import Facts, Found
from vedette.tflite.graph import TensorInfo

__all__ = ["HEAD", "IMAGENET", "match", "row_length"]

HEAD = "classify"
IMAGENET = (1000, 1001)
PROBABILITIES = {"SOFTMAX": "SOFTMAX", "LOGISTIC": "LOGISTIC (each class for itself)"}


def row_length(output: TensorInfo) -> int:
    """Return k of an output (1, k) or (1, 1, 1, k); 0 for other shapes."""
    inner = output.shape[1:-1]
    good = len(output.shape) in (2, 4) and output.shape[0] <= 1 and all(n == 1 for n in inner)
    return output.shape[-1] if good else 0


def match(facts: Facts) -> Found | None:
    """Recognise one row that is a softmax, or as long as the list of labels, or as ImageNet's (1000, 1001)."""
    if len(facts.outputs) != 1:
        return None
    (output,) = facts.outputs
    count = row_length(output)
    if count < 2:
        return None
    activation, told = _activation(facts, output)
    reason = _reason(facts, count, activation, told)
    if not reason:
        return None
    return Found(
        "classification",
        {"type": HEAD, "activation": activation, "label_offset": 0},
        ((output.index, "scores" if activation == "none" else "logits"),),
        (f"classifier: {reason}", f"scores: {told}."),
        classes=count,
        background=count == 1001,
        normalize="unit" if facts.ultralytics else "",
        normalize_why="as all YOLO exports of Ultralytics are",
    )


def _activation(facts: Facts, output: TensorInfo) -> tuple[str, str]:
    last = facts.activation(output)
    if last in PROBABILITIES:
        return "none", f"the network ends with {PROBABILITIES[last]}"
    if output.quantized and abs(output.scale - 1 / 256) < 1e-5 and abs(output.limits[0]) < 0.01:
        return "none", "its output's codes go from 0 to 1 by 1/256, as a softmax has them"
    return "softmax", f"the network ends with {last or 'its input'}, so these are logits"


def _reason(facts: Facts, count: int, activation: str, told: str) -> str:
    """Return why the row is one of classes; "" where nothing says so."""
    if facts.forced:
        return "as given with --head."
    if facts.activation(facts.outputs[0]) == "L2_NORMALIZATION":
        return ""
    if facts.names is not None and abs(len(facts.names.names) - count) <= 1:
        return f"one row of {count} numbers, as many as there are labels."
    if activation == "none":
        return f"one row of {count} numbers; {told}."
    return f"one row of {count} numbers, as ImageNet has classes." if count in IMAGENET else ""
