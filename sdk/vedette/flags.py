"""Options that several verbs share: what the user says of a stranger's model, and how finely to look."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vedette.errors import SettingsError

if TYPE_CHECKING:
    from vedette.recognise.reading import Reading
    from vedette.settings import Tiling

__all__ = ["add_reading", "add_tiling", "reading_of", "tiling_of"]


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what a stranger's file does not."""
    parser.add_argument(
        "--head", metavar="TYPE", help="such as yolo or yolo:units=pixels; told by rules if not given"
    )
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="one a line, '0 person', '0: person' or pbtxt"
    )
    parser.add_argument("--normalize", metavar="RANGE", help="unit, signed, pixels, imagenet or MEAN:STD")
    parser.add_argument("--color", metavar="ORDER", help="rgb, bgr or gray")


def reading_of(options: argparse.Namespace) -> Reading:
    """Return what the options of `add_reading` say."""
    from vedette.recognise.reading import Reading

    return Reading(options.head, options.labels, options.normalize, options.color)


def add_tiling(parser: argparse.ArgumentParser) -> None:
    """Add the options that let a detector look at tiles too."""
    parser.add_argument(
        "--tiles", metavar="CxR", help="look at so many tiles too, such as 2x2, for small things"
    )
    parser.add_argument(
        "--overlap", type=float, metavar="X", help="of neighbouring tiles, 0..0.8 of a tile (0.2)"
    )


def tiling_of(options: argparse.Namespace) -> Tiling | None:
    """Return what the options of `add_tiling` say; None where no tiles are asked for.

    Raises:
        SettingsError: they are impossible.
    """
    from vedette.settings import parse_tiling

    if options.tiles is not None:
        return parse_tiling(options.tiles, options.overlap)
    if options.overlap is not None:
        raise SettingsError("--overlap is of tiles; give --tiles too, such as --tiles 2x2.")
    return None
