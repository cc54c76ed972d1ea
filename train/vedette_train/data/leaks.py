"""Keep apart what is learned from and what is measured on: train pictures that copy another split's are left out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

import vedette
from vedette.errors import SourceError, VedetteError
from vedette_train.data.duplicates import Print, duplicate_groups, print_of
from vedette_train.data.samples import ClassPhotos, ObjectPhotos

__all__ = ["without_copies"]

QUIET_S = 2.0  # what is over sooner shows no progress
Photos = TypeVar("Photos", ClassPhotos, ObjectPhotos)


def without_copies(splits: Mapping[str, Photos]) -> tuple[Photos, list[str]]:
    """Return the train photos that show what no picture of another split shows, and a line for each of the others.

    Every picture is read once; one that cannot be read copies nothing. `vedette_train.data.duplicates` says what a
    copy is.

    Raises:
        VedetteError: nothing is left to learn from.
    """
    train = splits["train"]
    places = [(split, i) for split, photos in splits.items() for i in range(len(photos))]
    names = [f"{split}: {splits[split].files[i]}" for split, i in places]
    copied: dict[int, str] = {}
    for group in _groups([splits[split].root / splits[split].files[i] for split, i in places]):
        elsewhere = [at for at in group if places[at][0] != "train"]
        if elsewhere:
            copied |= {places[at][1]: names[elsewhere[0]] for at in group if places[at][0] == "train"}
    if len(copied) == len(train):
        raise VedetteError(
            f"all {len(train)} train pictures are copies of other splits', such as {train.files[0]} of {copied[0]}; "
            "nothing is left to learn from. `vedette data check` lists them."
        )
    kept = np.array([i for i in range(len(train)) if i not in copied], np.int32)
    return train.taken(kept), [f"{train.files[i]} is a copy of {copied[i]}" for i in sorted(copied)]


def _groups(paths: list[Path]) -> list[list[int]]:
    """Return groups of indices into `paths` that show the same."""
    from tqdm import tqdm

    prints: list[Print] = []
    read: list[int] = []
    shown = tqdm(paths, "copies", unit=" pictures", delay=QUIET_S, disable=None, leave=False, file=sys.stderr)
    for at, path in enumerate(shown):
        try:
            prints.append(print_of(vedette.read_image(path)))  # past the readers' cache: each is wanted once
        except SourceError:
            continue
        read.append(at)
    return [[read[i] for i in group] for group in duplicate_groups(prints)]
