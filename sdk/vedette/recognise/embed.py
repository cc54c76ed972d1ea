"""Embeddings: one row of numbers that are compared, not named."""

from __future__ import annotations

from vedette.recognise.classify import row_length
from vedette.recognise.facts import Facts, Found

__all__ = ["HEAD", "match"]

HEAD = "embed"
MIN_LENGTH = 16
WORDS = ("embed", "feature", "descriptor")


def match(facts: Facts) -> Found | None:
    """Recognise one row that ends with an L2 normalization, or that calls itself an embedding."""
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
    if not facts.forced and not normed and (not word or last in ("SOFTMAX", "LOGISTIC")):
        return None
    told = (
        f"the network ends with {last}"
        if normed
        else f"it is called '{word}'"
        if word
        else "as given with --head"
    )
    return Found(
        "embedding",
        {"type": HEAD, "normalize": not normed},
        ((output.index, "embedding"),),
        (f"embedding: one row of {count} numbers; {told}.",),
    )
