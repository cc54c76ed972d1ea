"""What the page shows beside the picture, as one JSON object."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from vedette import __version__
from vedette.board import Board
from vedette.stats import StatsSnapshot
from vedette.types import Results

__all__ = ["figures"]


def figures(
    stats: StatsSnapshot, newest: Results | None, board: Board, *, waited_s: float, viewers: int
) -> dict[str, Any]:
    """Return the figures, ready for JSON; docs/dashboard.md lists them.

    Args:
        stats: of the results so far.
        newest: the last of them, None before the first.
        board: what the board tells.
        waited_s: seconds since `newest` came.
        viewers: how many watch the picture.
    """
    return {
        "version": __version__,
        **stats.as_dict(),
        "frame": _frame(newest, waited_s) if newest else None,
        "models": _models(newest) if newest else [],
        "board": asdict(board),
        "viewers": viewers,
    }


def _frame(results: Results, waited_s: float) -> dict[str, Any]:
    width, height = results.frame.size_wh
    return {
        "source": results.frame.source,
        "index": results.frame.index,
        "width": width,
        "height": height,
        "waited_s": round(waited_s, 3),
        "found": {stage: len(found) for stage, found in results.found.items()},
    }


def _models(results: Results) -> list[dict[str, str]]:
    return [{"stage": stage, **asdict(model)} for stage, model in results.models.items()]
