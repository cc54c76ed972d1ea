"""Options that several verbs share: what the user says of a stranger's model, and how finely to look."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from vedette.errors import SettingsError

if TYPE_CHECKING:
    from vedette.galleries import GalleryPlace
    from vedette.recognise.reading import Reading
    from vedette.settings import Tiling

__all__ = [
    "add_gallery",
    "add_reading",
    "add_tiling",
    "place_of",
    "reading_of",
    "tiling_of",
    "with_recognition",
]


def add_gallery(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where the gallery of faces and its key are."""
    parser.add_argument(
        "--gallery", type=Path, metavar="FILE", help="vedette/faces/people.db in the data folder if not given"
    )
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="systemd's credential, else gallery.key beside the gallery"
    )


def place_of(options: argparse.Namespace) -> GalleryPlace:
    """Return what the options of `add_gallery` say, and the environment where they do not."""
    from vedette.galleries import gallery_place

    return gallery_place(options.gallery, options.key)


def with_recognition(stages: Sequence[str], options: argparse.Namespace) -> tuple[str, ...]:
    """Return `stages` with track and recognize after faces, where a gallery is named or is in its usual place.

    Raises:
        SettingsError: a gallery is named, and no stage finds faces.
    """
    names = [re.split(r"[=?]", stage)[0] for stage in stages]
    if options.no_recognize or "recognize" in names:
        return tuple(stages)
    if "faces" not in names:
        if options.gallery is not None:
            raise SettingsError("--gallery is for faces; add --stage faces.")
        return tuple(stages)
    place = place_of(options)
    if options.gallery is None and not place.path.exists():
        return tuple(stages)
    tracked = list(stages)
    if "track" not in names:
        tracked.insert(names.index("faces") + 1, "track")
        names.insert(names.index("faces") + 1, "track")
    key = "" if options.key is None else f"?{urlencode({'key': str(options.key)})}"
    tracked.insert(names.index("track") + 1, f"recognize={place.path}{key}")
    return tuple(tracked)


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
