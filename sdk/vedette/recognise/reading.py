"""What the user says of a model instead of the rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Reading"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the user says of a model; None = the rules say it. See `vedette.recognise.recognise`."""

    head: str | None = None
    labels: Path | None = None
    normalize: str | None = None
    color: str | None = None
