"""MoveNet, single pose."""

from __future__ import annotations

from vedette.errors import ModelError
from vedette.recognise.facts import Facts, Found

__all__ = ["HEAD", "match"]

HEAD = "movenet"


def match(facts: Facts) -> Found | None:
    """Recognise one output (1, 1, 17, 3): y, x and score of COCO's 17 key points.

    Raises:
        ModelError: it is the model for several people.
    """
    if len(facts.outputs) != 1:
        return None
    (output,) = facts.outputs
    if output.shape[1:] == (6, 56):
        raise ModelError(
            "it is MoveNet for several people (1, 6, 56); only the models for one person are read."
        )
    if output.shape[1:] != (1, 17, 3):
        return None
    return Found(
        "pose-estimation",
        {"type": HEAD},
        ((output.index, "keypoints"),),
        (f"MoveNet single pose: its output {output.shape} is y, x, score of 17 key points.",),
        resize="letterbox",
        normalize="pixels",
        normalize_why="MoveNet scales its pixels itself",
        threshold=0.3,
    )
