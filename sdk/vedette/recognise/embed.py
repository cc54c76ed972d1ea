"""Embeddings: one row of numbers that are compared, not named."""

from __future__ import annotations

from vedette.recognise.classify import IMAGENET, row_length
from vedette.recognise.facts import Facts, Found

__all__ = ["HEAD", "match"]

HEAD = "embed"
MIN_LENGTH = 16
WORDS = ("embed", "feature", "descriptor")
POOLINGS = ("AVERAGE_POOL_2D", "MEAN", "MAX_POOL_2D", "REDUCE_MAX")
MIN_POOLED = 256


def match(facts: Facts) -> Found | None:
    """Recognise one row that ends with an L2 normalization or a pooling, or that calls itself an embedding."""
    if len(facts.outputs) != 1:
        return None
    (output,) = facts.outputs
    count = row_length(output)
    if count < MIN_LENGTH or (facts.names is not None and len(facts.names.names) == count):
        return None
    last = facts.activation(output)
    notes = (output.name, facts.graph.name(output.index), facts.metadata.name, facts.metadata.description)
    called = " ".join(notes).lower()
    word = next((w for w in WORDS if w in called), "")
    normed = last == "L2_NORMALIZATION" or (last == "MUL" and facts.has("RSQRT"))
    pooled = last in POOLINGS and count >= MIN_POOLED and count not in IMAGENET
    if not (facts.forced or normed or pooled) and (not word or last in ("SOFTMAX", "LOGISTIC")):
        return None
    ends = f"the network ends with {last}, behind which no layer tells classes apart"
    told = ends if normed or pooled else f"it is called '{word}'" if word else "as given with --head"
    return Found(
        "embedding",
        {"type": HEAD, "normalize": not normed},
        ((output.index, "embedding"),),
        (f"embedding: one row of {count} numbers; {told}.",),
    )
