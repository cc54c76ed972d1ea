"""Open anybody's data: what lies in the folder says how it is to be read, by one written rule a format.

A label file comes before mere folders: only where there is none, folders of pictures are classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from vedette.errors import SettingsError, VedetteError, unknown_name
from vedette_train.data.index import Index
from vedette_train.data.pictures import MAX_BROKEN
from vedette_train.data.readers import boxes_csv, coco, folders, voc, wider, yolo
from vedette_train.data.samples import ClassificationSet, DetectionSet

__all__ = ["FORMATS", "open_classification", "open_detection", "recognise"]


class Reader(Protocol):
    """What a module of a detection format holds."""

    LOOKS: str

    def recognises(self, root: Path) -> bool:
        """Return True where `root` looks like this format."""
        ...

    def read(self, root: Path, index: Index) -> None:
        """Put what `root` holds into `index`."""
        ...


_READERS: Mapping[str, Reader] = {"csv": boxes_csv, "coco": coco, "voc": voc, "wider": wider, "yolo": yolo}
FORMATS = (*_READERS, "folders")
"""Names of the formats; "folders" is for classification, the others for detection."""


def recognise(root: Path) -> str:
    """Return the format of the data in `root`, one of `FORMATS`.

    Raises:
        VedetteError: there is no such folder, or nothing in it is known.
        SettingsError: two readings are possible.
    """
    if not root.is_dir():
        raise VedetteError(f"there is no folder {root}; give the one that holds the data.")
    try:
        found = [name for name, reader in _READERS.items() if reader.recognises(root)]
        in_folders = not found and folders.recognises(root)
    except OSError as error:
        raise VedetteError(f"cannot list {root}: {error}.") from error
    if len(found) > 1:
        readings = " or ".join(f"{name} ({_READERS[name].LOOKS})" for name in found)
        raise SettingsError(f"{root} can be read as {readings}; say which with --format {'|'.join(found)}.")
    if found or in_folders:
        return found[0] if found else "folders"
    looks = "; ".join(
        [*(f"{name}: {reader.LOOKS}" for name, reader in _READERS.items()), f"folders: {folders.LOOKS}"]
    )
    raise VedetteError(f"{root} holds no data of a known format. Known are {looks}.")


def open_detection(
    root: Path,
    *,
    format: str | None = None,
    partial: Mapping[str, frozenset[str]] | None = None,
    max_broken: float = MAX_BROKEN,
    seed: int = 0,
) -> DetectionSet:
    """Return the pictures and boxes in `root`. No picture is decoded.

    Args:
        root: the folder.
        format: one of `FORMATS`; recognised when not given.
        partial: origin -> classes labelled wholly there; all are in origins that it does not name.
        max_broken: share of pictures that may be missing or have malformed labels, 0..1.
        seed: of the split that pictures are given where the set has none.

    Raises:
        VedetteError: the labels cannot be read, or there is nothing to train on.
        SettingsError: two readings are possible, the format has no boxes, or `partial` names what there is not.
    """
    name = format or recognise(root)
    if name not in _READERS:
        if name == "folders":
            raise SettingsError(f"{root} has classes but no boxes (read as folders); a detector needs boxes.")
        raise unknown_name("format", name, FORMATS)
    index = Index(root, seed=seed)
    try:
        _READERS[name].read(root, index)
    except (OSError, UnicodeDecodeError) as error:
        raise VedetteError(f"cannot read the labels in {root} as {name}: {error}.") from error
    return index.finish(name, partial=partial or {}, max_broken=max_broken)


def open_classification(root: Path, *, format: str | None = None, seed: int = 0) -> ClassificationSet:
    """Return the pictures and classes in `root`. No picture is decoded.

    Raises:
        VedetteError: it holds no picture, or folders of splits and of classes are mixed.
        SettingsError: the format is one of boxes.
    """
    name = format or recognise(root)
    if name != "folders":
        if name in _READERS:
            raise SettingsError(f"{root} has boxes (read as {name}); a classifier needs {folders.LOOKS}.")
        raise unknown_name("format", name, FORMATS)
    try:
        return folders.read(root, seed=seed)
    except OSError as error:
        raise VedetteError(f"cannot list {root}: {error}.") from error
