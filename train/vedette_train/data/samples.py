"""Labelled pictures, packed: a set of 100,000 holds file names and small arrays, never pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from vedette.errors import unknown_name
from vedette_train.data.objects import ObjectPhoto

__all__ = [
    "ClassPhoto",
    "ClassPhotos",
    "ClassificationSet",
    "DataSet",
    "DetectionSet",
    "Flaw",
    "ObjectPhotos",
]

Indices: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong with a data set.

    Attributes:
        kind: one of a few words, to count by: "missing picture", "malformed label", "zero-area box" ...
        where: the picture's file; a label file where no picture belongs to it.
        what: what is wrong there, with the label's file and line.
    """

    kind: str
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class ClassPhoto:
    """A photo and its class."""

    path: Path
    class_id: int


@dataclass(frozen=True, slots=True, eq=False)
class ClassPhotos(Sequence[ClassPhoto]):
    """Photos of one split, each of one class.

    Attributes:
        root: what `files` are relative to.
        files: m names.
        class_id: (m,) int32.
    """

    root: Path
    files: tuple[str, ...]
    class_id: Indices

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, at: int) -> ClassPhoto: ...
    @overload
    def __getitem__(self, at: slice) -> list[ClassPhoto]: ...
    def __getitem__(self, at: int | slice) -> ClassPhoto | list[ClassPhoto]:
        if isinstance(at, slice):
            return [self[i] for i in range(len(self))[at]]
        return ClassPhoto(self.root / self.files[at], int(self.class_id[at]))

    def taken(self, rows: Indices) -> ClassPhotos:
        """Return the photos `rows` alone, in that order."""
        return replace(self, files=tuple(self.files[i] for i in rows), class_id=self.class_id[rows])


@dataclass(frozen=True, slots=True, eq=False)
class ObjectPhotos(Sequence[ObjectPhoto]):
    """Photos of one split, each with any number of boxes.

    Attributes:
        root: what `files` are relative to.
        files: m names.
        origins: names of the collections that the photos come from.
        labelled: by origin, the classes all of whose objects are labelled there.
        origin: (m,) int32, indices into `origins`.
        first: (m + 1,) int64; the boxes of photo i are first[i] to first[i + 1].
        xyxy: (n, 4) float32 pixels of the picture as it is read, upright; not yet cut at its edges.
        class_id: (n,) int32.
        ignored: (n,) bool; where True, whether it is an object is left open.
    """

    root: Path
    files: tuple[str, ...]
    origins: tuple[str, ...]
    labelled: tuple[frozenset[int], ...]
    origin: Indices
    first: NDArray[np.int64]
    xyxy: NDArray[np.float32]
    class_id: Indices
    ignored: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, at: int) -> ObjectPhoto: ...
    @overload
    def __getitem__(self, at: slice) -> list[ObjectPhoto]: ...
    def __getitem__(self, at: int | slice) -> ObjectPhoto | list[ObjectPhoto]:
        if isinstance(at, slice):
            return [self[i] for i in range(len(self))[at]]
        i = range(len(self))[at]
        mine, origin = slice(self.first[i], self.first[i + 1]), int(self.origin[i])
        return ObjectPhoto(
            self.root / self.files[i],
            self.origins[origin],
            self.xyxy[mine],
            self.class_id[mine],
            self.ignored[mine],
            self.labelled[origin],
        )

    def taken(self, rows: Indices) -> ObjectPhotos:
        """Return the photos `rows` alone, in that order, with their boxes."""
        count = np.diff(self.first)[rows]
        first = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        # the place of each box in its photo, and that photo's first box
        boxes = np.arange(first[-1]) - np.repeat(first[:-1], count) + np.repeat(self.first[rows], count)
        return replace(
            self,
            files=tuple(self.files[i] for i in rows),
            origin=self.origin[rows],
            first=first,
            xyxy=self.xyxy[boxes],
            class_id=self.class_id[boxes],
            ignored=self.ignored[boxes],
        )

    def mapped(self, new_id: Indices) -> ObjectPhotos:
        """Return the photos with class i called `new_id[i]`; boxes of a class whose new id is negative are dropped."""
        kept = new_id[self.class_id] >= 0
        before = np.concatenate([[0], np.cumsum(kept)])
        labelled = (frozenset(int(new_id[i]) for i in ids if new_id[i] >= 0) for ids in self.labelled)
        return replace(
            self,
            labelled=tuple(labelled),
            first=before[self.first],
            xyxy=self.xyxy[kept],
            class_id=new_id[self.class_id[kept]],
            ignored=self.ignored[kept],
        )


@dataclass(frozen=True, slots=True, eq=False)
class DetectionSet:
    """Pictures with boxes.

    Attributes:
        root: the folder.
        format: how it was read, one of `vedette_train.data.readers.FORMATS`.
        classes: names by class id. Where the format declares no order: most frequent in "train" first.
        splits: "train", "val", "test" or whatever the set calls them.
        flaws: what the reader left out, and why.
    """

    root: Path
    format: str
    classes: tuple[str, ...]
    splits: Mapping[str, ObjectPhotos]
    flaws: tuple[Flaw, ...] = ()

    def only(self, classes: Iterable[str]) -> DetectionSet:
        """Return the set with these classes alone, in this order; photos stay, boxes of other classes are dropped.

        Raises:
            SettingsError: a class is not in the set.
        """
        names = tuple(classes)
        new_id = np.full(len(self.classes), -1, np.int32)
        for i, name in enumerate(names):
            if name not in self.classes:
                raise unknown_name(f"class in {self.root}", name, self.classes)
            new_id[self.classes.index(name)] = i
        splits = {split: photos.mapped(new_id) for split, photos in self.splits.items()}
        return replace(self, classes=names, splits=splits)


@dataclass(frozen=True, slots=True, eq=False)
class ClassificationSet:
    """Pictures of one class each; attributes as in `DetectionSet`, classes in alphabetical order."""

    root: Path
    format: str
    classes: tuple[str, ...]
    splits: Mapping[str, ClassPhotos]
    flaws: tuple[Flaw, ...] = ()


DataSet: TypeAlias = DetectionSet | ClassificationSet
