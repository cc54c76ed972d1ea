"""Open one split of a detection set as the words of a command line ask for it."""

from __future__ import annotations

from pathlib import Path

from vedette.errors import unknown_name
from vedette_train.data.objects import parse_partial
from vedette_train.data.readers import open_detection
from vedette_train.data.samples import ObjectPhotos

__all__ = ["open_split"]


def open_split(
    root: Path, split: str, *, classes: str = "", partial: str = "", format: str = ""
) -> tuple[tuple[str, ...], ObjectPhotos]:
    """Return the class names and the photos of a split.

    Args:
        root: the data's folder.
        split: such as "train", "val".
        classes: names with commas between; all of the set when empty.
        partial: see `vedette_train.data.objects.parse_partial`.
        format: one of `vedette_train.data.readers.FORMATS`; recognised when empty.

    Raises:
        VedetteError: the labels cannot be read.
        SettingsError: the split, a class, an origin or the format is not there; the nearest is named.
    """
    found = open_detection(root, format=format or None, partial=parse_partial(partial))
    names = [name.strip() for name in classes.split(",") if name.strip()]
    found = found.only(names) if names else found
    if split not in found.splits:
        raise unknown_name(f"split of {root}", split, found.splits)
    return found.classes, found.splits[split]
