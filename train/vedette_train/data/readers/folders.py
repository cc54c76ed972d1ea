"""Read folders of pictures for classification: ``<split>/<class>/x.jpg``, or ``<class>/x.jpg``.

In the second case each file's name chooses its split. Folders below a class's belong to it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vedette.errors import VedetteError
from vedette_train.data.index import hashed_split, split_name
from vedette_train.data.pictures import is_picture
from vedette_train.data.samples import ClassificationSet, ClassPhotos, Flaw

__all__ = ["LOOKS", "read", "recognises"]

LOOKS = "<split>/<class>/ or <class>/ with pictures, and no label file"


def recognises(root: Path) -> bool:
    """Return True where a folder in `root` holds pictures, at any depth."""
    return any(True for folder in _folders(root) for _ in _pictures(folder))


def read(root: Path, *, seed: int = 0) -> ClassificationSet:
    """Return the set; `seed` is of the split where the folders have none.

    Raises:
        VedetteError: there is no picture, or folders of splits and of classes stand side by side.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    flaws = []
    for split, folder in _class_folders(root):
        files = sorted(str(path.relative_to(root)) for path in _pictures(folder))
        if not files:
            flaws.append(Flaw("empty class", str(folder.relative_to(root)), "holds no picture"))
        for file in files:
            found.setdefault(split or hashed_split(file, seed=seed), []).append((file, folder.name))
    if not found:
        raise VedetteError(f"{root} holds no pictures in folders; wanted are {LOOKS}.")
    classes = sorted({name for rows in found.values() for _, name in rows})
    ids = {name: i for i, name in enumerate(classes)}
    splits = {
        split: ClassPhotos(
            root,
            tuple(file for file, _ in found[split]),
            np.array([ids[name] for _, name in found[split]], np.int32),
        )
        for split in sorted(found)
    }
    return ClassificationSet(root, "folders", tuple(classes), splits, tuple(flaws))


def _class_folders(root: Path) -> Iterator[tuple[str | None, Path]]:
    """Yield each class's folders with their split, None where they have none."""
    folders = list(_folders(root))
    named = {folder: split_name(folder.name) for folder in folders}
    strangers = [folder.name for folder in folders if named[folder] is None]
    if folders and not strangers:
        yield from ((named[folder], inner) for folder in folders for inner in _folders(folder))
    elif len(strangers) == len(folders):
        yield from ((None, folder) for folder in folders)
    else:
        known = next(folder.name for folder in folders if named[folder])
        raise VedetteError(
            f"{root} holds '{known}', which is a split, beside '{strangers[0]}', which is none; name all folders "
            "train, val or test, or none of them."
        )


def _folders(root: Path) -> Iterator[Path]:
    yield from sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _pictures(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (path for name in names if is_picture(path := Path(place, name)))
