"""Ask a packaged model through the `vedette` command, a process of its own: all the way pictures go on a device."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.errors import VedetteError

__all__ = ["ask", "boxes_of"]

PICTURES_AT_ONCE = 500
TIMEOUT_S = 1800
SOME_UNREADABLE = 3  # exit code of a command that went on without a source


def ask(verb: str, model: Path, paths: Sequence[Path], *, min_score: float) -> dict[Path, dict[str, Any]]:
    """Return what ``vedette VERB --json`` says of each picture; those that cannot be read are left out.

    Args:
        verb: "detect" or "classify".
        model: a packaged `.tflite`.
        paths: the pictures.
        min_score: 0..1; what is less sure is not told.

    Raises:
        VedetteError: the command fails for another reason, or answers for no picture.
    """
    found: dict[Path, dict[str, Any]] = {}
    options = ["--json", "--model", str(model), "--min-score", str(min_score)]
    for i in range(0, len(paths), PICTURES_AT_ONCE):
        words = [verb, *options, *map(str, paths[i : i + PICTURES_AT_ONCE])]
        command = [sys.executable, "-m", "vedette", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        if done.returncode not in (0, SOME_UNREADABLE):
            raise VedetteError(f"`vedette {verb} --model {model}` failed: {done.stderr.strip()}")
        rows = (json.loads(line) for line in done.stdout.splitlines())
        found |= {Path(row["source"]): row for row in rows}
    if not found:
        raise VedetteError(f"`vedette {verb} --model {model}` could read none of {len(paths)} pictures.")
    return found


def boxes_of(row: dict[str, Any]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Return xyxy (n, 4) px, score (n,) and class (n,) of an answer of ``vedette detect``, best first."""
    xyxy, score, class_id = ([one[key] for one in row["detections"]] for key in ("box", "score", "class_id"))
    return (
        np.array(xyxy, np.float32).reshape(-1, 4),
        np.array(score, np.float32),
        np.array(class_id, np.int32),
    )
