"""Matting and binary segmentation: how much of each place belongs to the subject."""

from __future__ import annotations

from vedette.recognise.facts import Facts, Found

__all__ = ["HEAD", "match"]

HEAD = "matting"


def match(facts: Facts) -> Found | None:
    """Recognise one map (1, h, w, 1) of a picture in colour that ends with LOGISTIC."""
    if len(facts.outputs) != 1 or facts.channels != 3:
        return None
    (output,) = facts.outputs
    shape = output.shape
    if len(shape) != 4 or shape[3] != 1 or min(shape[1:3]) < 4 or facts.activation(output) == "ARG_MAX":
        return None
    last = facts.activation(output)
    between = output.quantized and abs(output.limits[0]) < 0.02 and 0.9 < output.limits[1] < 1.1
    if not facts.forced and last != "LOGISTIC" and not between:
        return None
    ready = last == "LOGISTIC" or between
    activation = str(facts.options.get("activation", "none" if ready else "sigmoid"))
    told = (
        "it ends with LOGISTIC"
        if last == "LOGISTIC"
        else "its codes go from 0 to 1"
        if between
        else "as given"
    )
    return Found(
        "segmentation",
        {"type": HEAD, "activation": activation},
        ((output.index, "alpha" if activation == "none" else "logits"),),
        (f"matting: its output {shape} is one number for each place; {told}.",),
    )
