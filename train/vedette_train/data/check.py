"""Look at every picture of a data set and say what would spoil training, and what one should know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import vedette
from vedette.errors import SourceError, VedetteError
from vedette_train.data.duplicates import Print, duplicate_groups, print_of
from vedette_train.data.index import BROKEN, refuse_broken
from vedette_train.data.objects import ObjectPhoto
from vedette_train.data.pictures import MAX_BROKEN
from vedette_train.data.readers import open_classification, open_detection, recognise
from vedette_train.data.samples import ClassificationSet, ClassPhoto, DataSet, Flaw, ObjectPhotos

__all__ = ["OUTSIDE", "QUANTILES", "Report", "check", "open_any"]

OUTSIDE = "box outside"
OUTSIDE_PX = 1.0  # further than rounding takes a box
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
SHOWN = 5
UNEVEN = 20  # times as many of one class as of another

Follow: TypeAlias = Callable[[Sequence["_Place"]], Iterable["_Place"]]


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    Attributes:
        root, format: of the set.
        splits: split -> number of pictures, of those without a box, and of boxes or pictures by class.
        box_side_px: split -> `QUANTILES` of the square root of the boxes' area, pixels.
        box_side_share: the same over the longer side of their picture, 0..1.
        flaws: all of them, of labels and of pictures.
        duplicates: groups of files that show the same.
        leaks: those of them that lie in two splits.
        conflicts: those that are of two classes (of classification).
        problems: what spoils training, a sentence each.
        warnings: what one should know, a sentence each.
    """

    root: str
    format: str
    splits: Mapping[str, Mapping[str, Any]]
    box_side_px: Mapping[str, tuple[float, ...]]
    box_side_share: Mapping[str, tuple[float, ...]]
    flaws: tuple[Flaw, ...]
    duplicates: tuple[tuple[str, ...], ...]
    leaks: tuple[tuple[str, ...], ...]
    conflicts: tuple[tuple[str, ...], ...]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    split: str
    photo: ClassPhoto | ObjectPhoto


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A picture that could be read: its file, split, class (-1 of detection), print, and the sides of its boxes."""

    file: str
    split: str
    class_id: int
    print: Print
    side_px: NDArray[np.float32]
    side_share: NDArray[np.float32]


def open_any(root: Path, *, format: str | None = None, seed: int = 0) -> DataSet:
    """Return what lies in `root`, however much of it is broken.

    Raises:
        VedetteError: nothing of it can be used.
        SettingsError: the format is unknown, or two readings are possible.
    """
    name = format or recognise(root)
    if name == "folders":
        return open_classification(root, format=name, seed=seed)
    return open_detection(root, format=name, max_broken=1.0, seed=seed)


def check(data: DataSet, *, max_broken: float = MAX_BROKEN, follow: Follow = lambda places: places) -> Report:
    """Read every picture of `data` once, one at a time.

    Args:
        data: the set.
        max_broken: share of pictures that may be broken, missing or wrongly labelled, 0..1.
        follow: gives back what it is given, and may show how far it has come.
    """
    flaws, seen = list(data.flaws), []
    for place in follow(_Places(data)):
        try:
            seen.append(_look(data, place, flaws))
        except SourceError as error:
            flaws.append(Flaw(BROKEN, _file(data, place.photo), str(error)))
    groups = [[seen[i] for i in group] for group in duplicate_groups([one.print for one in seen])]
    report = Report(
        str(data.root),
        data.format,
        {split: _counts(data, split) for split in data.splits},
        _quantiles(seen, "side_px"),
        _quantiles(seen, "side_share"),
        tuple(flaws),
        _files(groups),
        _files(group for group in groups if len({one.split for one in group}) > 1),
        _files(group for group in groups if len({one.class_id for one in group}) > 1),
    )
    return replace(
        report, problems=tuple(_problems(data, report, max_broken)), warnings=tuple(_warnings(report))
    )


class _Places(Sequence[_Place]):
    """All pictures of a set, made as they are asked for."""

    def __init__(self, data: DataSet) -> None:
        self._splits = [(split, photos) for split, photos in data.splits.items()]

    def __len__(self) -> int:
        return sum(len(photos) for _, photos in self._splits)

    def __getitem__(self, at: Any) -> Any:
        raise TypeError("to be gone through in order")

    def __iter__(self) -> Iterator[_Place]:
        return (_Place(split, photo) for split, photos in self._splits for photo in photos)


def _file(data: DataSet, photo: ClassPhoto | ObjectPhoto) -> str:
    return str(photo.path.relative_to(data.root))


def _look(data: DataSet, place: _Place, flaws: list[Flaw]) -> _Seen:
    photo, file = place.photo, _file(data, place.photo)
    image = vedette.read_image(photo.path)  # past the readers' cache: each is wanted once
    if isinstance(photo, ClassPhoto):
        none = np.zeros(0, np.float32)
        return _Seen(file, place.split, photo.class_id, print_of(image), none, none)
    height, width = image.shape[:2]
    limits = np.array((width, height, width, height), np.float32)
    over = np.maximum(-photo.xyxy, photo.xyxy - limits).max(1, initial=0.0)
    for i in np.flatnonzero(over > OUTSIDE_PX):
        name = data.classes[photo.class_id[i]]
        flaws.append(Flaw(OUTSIDE, file, f"{name} reaches {over[i]:.0f} px out of {width}x{height}"))
    cut = np.clip(photo.xyxy, 0, limits)
    side = np.sqrt(np.prod(cut[:, 2:] - cut[:, :2], axis=1))[~photo.ignored]
    return _Seen(file, place.split, -1, print_of(image), side, side / max(width, height))


def _counts(data: DataSet, split: str) -> dict[str, Any]:
    photos = data.splits[split]
    if isinstance(photos, ObjectPhotos):
        per_class = np.bincount(photos.class_id[~photos.ignored], minlength=len(data.classes))
        more = {
            "without_boxes": int((np.diff(photos.first) == 0).sum()),
            "ignored": int(photos.ignored.sum()),
        }
    else:
        per_class, more = np.bincount(photos.class_id, minlength=len(data.classes)), {}
    classes = dict(zip(data.classes, map(int, per_class), strict=True))
    return {"pictures": len(photos), **more, "classes": classes}


def _quantiles(seen: Sequence[_Seen], name: str) -> dict[str, tuple[float, ...]]:
    found = {}
    for split in sorted({one.split for one in seen}):
        sides = np.concatenate([getattr(one, name) for one in seen if one.split == split])
        if len(sides):
            found[split] = tuple(round(float(v), 4) for v in np.quantile(sides, QUANTILES))
    return found


def _files(groups: Iterable[Sequence[_Seen]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(f"{one.split}: {one.file}" for one in group) for group in groups)


def _problems(data: DataSet, report: Report, max_broken: float) -> Iterator[str]:
    files = [file for photos in data.splits.values() for file in photos.files]
    try:
        refuse_broken(data.root, report.flaws, files=files, max_broken=max_broken)
    except VedetteError as error:
        yield str(error)
    if "train" not in report.splits:
        yield f"there is no split 'train' (only {', '.join(report.splits)}): nothing can be learned."
    if report.leaks:
        yield (
            f"pictures in two splits: {len(report.leaks)}, such as {' = '.join(report.leaks[0][:3])}: figures "
            "on val will be too good. Take them out of one."
        )
    if isinstance(data, ClassificationSet) and len(data.classes) < 2:
        yield f"the only class is '{data.classes[0]}': a classifier needs two or more folders."


def _warnings(report: Report) -> Iterator[str]:
    for kind, count in Counter(flaw.kind for flaw in report.flaws).most_common():
        first = next(flaw for flaw in report.flaws if flaw.kind == kind)
        yield f"{count} x {kind}, such as {first.where}: {first.what}"
    copies = sum(len(group) - 1 for group in report.duplicates)
    if copies:
        yield f"pictures that repeat another: {copies}, such as {' = '.join(report.duplicates[0][:3])}"
    if report.conflicts:
        yield f"pictures in two classes: {len(report.conflicts)}, such as {' = '.join(report.conflicts[0][:3])}"
    train = report.splits.get("train", {}).get("classes", {})
    if "val" not in report.splits:
        yield "there is no split 'val' to measure on"
    for split, counts in report.splits.items():
        unknown = [name for name, n in counts["classes"].items() if n and not train.get(name)]
        more = " ..." if len(unknown) > SHOWN else ""
        if train and unknown:
            yield f"{split} holds {len(unknown)} classes that train does not: {', '.join(unknown[:SHOWN])}{more}"
    present = {name: n for name, n in train.items() if n}
    if present and max(present.values()) > UNEVEN * min(present.values()):
        least, most = min(present, key=present.__getitem__), max(present, key=present.__getitem__)
        yield f"train holds {present[most]} of {most} but {present[least]} of {least}: the rare ones are learned badly"
    if len(present) == 1:
        yield f"train holds one class only: {next(iter(present))}"
