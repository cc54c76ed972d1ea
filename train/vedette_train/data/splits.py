"""Open a detection set, or one split of it, as the words of a command line ask for it."""

from __future__ import annotations

from pathlib import Path

from vedette.errors import VedetteError, unknown_name
from vedette_train.data.objects import parse_partial
from vedette_train.data.pictures import MAX_BROKEN
from vedette_train.data.readers import open_classification, open_detection
from vedette_train.data.samples import ClassificationSet, DetectionSet, ObjectPhotos

__all__ = ["open_classes", "open_set", "open_split", "split_of"]


def open_set(
    root: Path, *, classes: str = "", partial: str = "", format: str = "", max_broken: float = MAX_BROKEN
) -> DetectionSet:
    """Return a set with its classes chosen.

    Args:
        root: the data's folder.
        classes: names with commas between; all of the set when empty.
        partial: see `vedette_train.data.objects.parse_partial`.
        format: one of `vedette_train.data.readers.FORMATS`; recognised when empty.
        max_broken: share of pictures that may be missing or have malformed labels, 0..1.

    Raises:
        VedetteError: the labels cannot be read.
        SettingsError: a class, an origin or the format is not there; the nearest is named.
    """
    found = open_detection(root, format=format or None, partial=parse_partial(partial), max_broken=max_broken)
    names = [name.strip() for name in classes.split(",") if name.strip()]
    return found.only(names) if names else found


def split_of(found: DetectionSet, split: str) -> ObjectPhotos:
    """Return the photos of `split`, such as "train".

    Raises:
        SettingsError: there is none; the nearest is named.
    """
    if split not in found.splits:
        raise unknown_name(f"split of {found.root}", split, found.splits)
    return found.splits[split]


def open_split(
    root: Path, split: str, *, classes: str = "", partial: str = "", format: str = ""
) -> tuple[tuple[str, ...], ObjectPhotos]:
    """Return the class names and the photos of a split; see `open_set`."""
    found = open_set(root, classes=classes, partial=partial, format=format)
    return found.classes, split_of(found, split)


def open_classes(root: Path) -> ClassificationSet:
    """Return a classification set to train on.

    Raises:
        VedetteError: it cannot be read, holds no split train or val, or one class only.
    """
    found = open_classification(root)
    if len(found.classes) < 2:
        raise VedetteError(f"{root} holds the class {found.classes[0]} only; two or more are needed.")
    missing = {"train", "val"} - found.splits.keys()
    if missing:
        raise VedetteError(f"{root} holds no split '{min(missing)}', only {', '.join(found.splits)}.")
    return found
