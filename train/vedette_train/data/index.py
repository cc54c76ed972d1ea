"""Pack what a reader finds into compact columns, and judge whether it is enough to train on."""

from __future__ import annotations

import hashlib
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from vedette.errors import VedetteError, unknown_name
from vedette_train.data.samples import DetectionSet, Flaw, ObjectPhotos

__all__ = [
    "BROKEN",
    "MALFORMED",
    "MISSING",
    "UNLABELLED",
    "ZERO_AREA",
    "Index",
    "hashed_split",
    "refuse_broken",
    "split_name",
    "split_names",
]

MISSING, MALFORMED, BROKEN = "missing picture", "malformed label", "broken picture"
ZERO_AREA, UNLABELLED = "zero-area box", "unlabelled picture"
VAL_SHARE = 0.2
ALIASES = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}
SPLITS = ("train", "val", "test")

Box = tuple[float, float, float, float]


def split_name(word: str) -> str | None:
    """Return "train", "val" or "test" for a folder's or file's name such as "valid" or "train2017", None for others."""
    name = word.lower().rstrip("0123456789_-")
    name = ALIASES.get(name, name)
    return name if name in SPLITS else None


def split_names(words: Iterable[str]) -> dict[str, str | None]:
    """Return the split that each of a set's own `words` means; all are None where none of them is a known split."""
    found = {word: split_name(word) for word in words}
    return {word: name or word for word, name in found.items()} if any(found.values()) else found


def hashed_split(file: str, *, seed: int = 0) -> str:
    """Return "train" or "val" by the file's name alone: it stays when other files come and go.

    Neither folder nor extension count, so that copies of a file in two classes or kinds lie on one side.
    """
    digest = hashlib.sha256(f"{seed}:{PurePath(file).stem}".encode()).digest()
    return "val" if int.from_bytes(digest[:8], "big") < VAL_SHARE * 2**64 else "train"


def refuse_broken(root: Path, flaws: Iterable[Flaw], *, files: Iterable[str], max_broken: float) -> None:
    """Refuse a set of which too much cannot be used.

    Args:
        root: the set's folder.
        flaws: of all kinds; those of `MISSING`, `MALFORMED` and `BROKEN` count, once a picture.
        files: the pictures that the set holds; those with flaws may be among them or not.
        max_broken: share of all of them, 0..1.

    Raises:
        VedetteError: more than the share is broken.
    """
    bad = {flaw.where: flaw for flaw in flaws if flaw.kind in (MISSING, MALFORMED, BROKEN)}
    pictures = len(bad.keys() | set(files))
    if len(bad) > max_broken * pictures:
        first = next(iter(bad.values()))
        raise VedetteError(
            f"{root}: {len(bad)} of {pictures} pictures or their labels cannot be used, more than {max_broken:.0%}. "
            f"The first: {first.where}: {first.what}. `vedette data check {root}` lists them."
        )


class Index:
    """Takes pictures and boxes in any order, as a reader finds them.

    Args:
        root: the set's folder; files are named relative to it.
        seed: of the split that pictures are given where the set has none.
    """

    def __init__(self, root: Path, *, seed: int = 0) -> None:
        self.root, self._seed = root, seed
        self._pictures: dict[tuple[str, str], int] = {}
        self._files: list[str] = []
        self._origin = array("i")
        self._ids: dict[str, int] = {}
        self._origins: dict[str, int] = {}
        self._declared = False
        self._xyxy, self._box_class, self._box_picture = array("f"), array("i"), array("i")
        self._ignored = bytearray()
        self._flaws: list[Flaw] = []

    def declare(self, names: Iterable[str]) -> None:
        """Take `names` as classes, in this order and after those that are known."""
        self._declared = True
        for name in names:
            self._ids.setdefault(name, len(self._ids))

    def picture(self, file: str, split: str | None, origin: str = "") -> int:
        """Add a picture, once, and return its number; -1: there is no such file. `split` None: its name chooses."""
        key = (split or hashed_split(file, seed=self._seed), file)
        if key not in self._pictures:
            there = (self.root / file).is_file()
            self._pictures[key] = len(self._files) if there else -1
            if there:
                self._files.append(file)
                self._origin.append(self._origins.setdefault(origin, len(self._origins)))
            else:
                self.flaw(MISSING, file, "has labels, but there is no such file")
        return self._pictures[key]

    def box(self, picture: int, label: str, xyxy: Box, *, where: str, ignored: bool = False) -> None:
        """Add a box, in pixels, to what `picture` returned; without area or picture it is left out."""
        if not math.isfinite(sum(xyxy)):
            self.malformed(picture, where, f"the box {xyxy} is not finite")
        elif picture >= 0 and not (xyxy[2] > xyxy[0] and xyxy[3] > xyxy[1]):
            self.flaw(ZERO_AREA, self._files[picture], f"{where}: {label} from {xyxy[:2]} to {xyxy[2:]}")
        elif picture >= 0:
            self._xyxy.extend(xyxy)
            self._box_class.append(self._ids.setdefault(label, len(self._ids)))
            self._box_picture.append(picture)
            self._ignored.append(ignored)

    def malformed(self, picture: int, where: str, what: str) -> None:
        """Note that a label of `picture` cannot be understood; a missing one's do not matter."""
        if picture >= 0:
            self.flaw(MALFORMED, self._files[picture], f"{where}: {what}")

    def flaw(self, kind: str, where: str, what: str) -> None:
        """Note what is wrong."""
        self._flaws.append(Flaw(kind, where, what))

    def finish(
        self, format: str, *, partial: Mapping[str, frozenset[str]], max_broken: float
    ) -> DetectionSet:
        """Return the set.

        Args:
            format: how it was read.
            partial: origin -> classes labelled wholly there; all are in the other origins.
            max_broken: share of pictures that may be missing or have malformed labels.

        Raises:
            VedetteError: there is no picture or no box, or too much is broken.
            SettingsError: `partial` names an origin or class that there is not.
        """
        refuse_broken(self.root, self._flaws, files=self._files, max_broken=max_broken)
        if not self._files:
            raise VedetteError(f"{self.root} was read as {format} and holds no picture; look at its folders.")
        if not self._box_class:
            raise VedetteError(f"{self.root} was read as {format} and none of its pictures has a box.")
        classes = tuple(self._ids)
        splits = self._packed(self._labelled(partial))
        found = DetectionSet(self.root, format, classes, splits, tuple(self._flaws))
        return found if self._declared else found.only(_by_frequency(found))

    def _labelled(self, partial: Mapping[str, frozenset[str]]) -> tuple[frozenset[int], ...]:
        for origin, names in partial.items():
            if origin not in self._origins:
                raise unknown_name("origin", origin, self._origins)
            if names - self._ids.keys():
                raise unknown_name(f"class of {origin}", min(names - self._ids.keys()), self._ids)
        return tuple(
            frozenset(self._ids[n] for n in partial.get(origin, self._ids)) for origin in self._origins
        )

    def _packed(self, labelled: tuple[frozenset[int], ...]) -> dict[str, ObjectPhotos]:
        xyxy = np.array(self._xyxy, np.float32).reshape(-1, 4)
        class_id, of = np.array(self._box_class, np.int32), np.array(self._box_picture, np.int64)
        ignored, origin = np.array(self._ignored, bool), np.array(self._origin, np.int32)
        order, numbers = [], []
        for key, number in sorted(self._pictures.items()):
            if number >= 0:
                order.append(key)
                numbers.append(number)
        place = np.empty(len(numbers), np.int64)
        place[numbers] = np.arange(len(numbers))
        by_place = np.argsort(place[of], kind="stable")
        first = np.concatenate([[0], np.cumsum(np.bincount(place[of], minlength=len(numbers)))])
        found = {}
        for split, rows in _runs([key[0] for key in order]):
            boxes = by_place[first[rows.start] : first[rows.stop]]
            found[split] = ObjectPhotos(
                self.root,
                tuple(file for _, file in order[rows]),
                tuple(self._origins),
                labelled,
                origin[numbers[rows]],
                first[rows.start : rows.stop + 1] - first[rows.start],
                xyxy[boxes],
                class_id[boxes],
                ignored[boxes],
            )
        return found


def _runs(words: Sequence[str]) -> Iterable[tuple[str, slice]]:
    """Yield each word of the sorted `words` and where it stands."""
    starts = [i for i, word in enumerate(words) if i == 0 or word != words[i - 1]]
    for start, stop in pairwise([*starts, len(words)]):
        yield words[start], slice(start, stop)


def _by_frequency(data: DetectionSet) -> list[str]:
    """Return the classes, the most frequent in "train" first; those of other splits alone come last."""
    counts: Counter[str] = Counter()
    if "train" in data.splits:
        ids: NDArray[np.int64] = np.bincount(data.splits["train"].class_id, minlength=len(data.classes))
        counts.update(dict(zip(data.classes, map(int, ids), strict=True)))
    return sorted(data.classes, key=lambda name: (-counts[name], name))
