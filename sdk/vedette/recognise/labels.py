"""Read label files, and fit them to the number of classes that a tensor has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vedette.errors import ModelError

__all__ = ["COCO_80", "HOLE", "Labels", "fit_labels", "parse_labels", "read_labels"]

HOLE = "???"
HOLES = frozenset({"", "???", "n/a", "na", "none", "unused", "unlabeled", "-"})
BACKGROUNDS = HOLES | {"background", "__background__", "_background_", "bg"}
MAX_BYTES = 4_000_000
MAX_CLASSES = 100_000
COCO_80 = tuple(
    """person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,
bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,
snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,
knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,potted plant,bed,
dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,
vase,scissors,teddy bear,hair drier,toothbrush""".replace("\n", "").split(",")
)
"""The classes of COCO that have labels, in the order of their ids."""

COCO_GAPS = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
"""Ids of 1..90 that COCO never used."""

_NUMBERED = re.compile(r"\s*(\d{1,6})\s*(?::|\s|,)\s*(.*)")
_ITEM = re.compile(r"item\s*\{([^{}]*)\}")
_ID = re.compile(r"\bid\s*:\s*(\d{1,6})\b")
_TEXT = r"\b%s\s*:\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")"
_DISPLAY, _NAME = re.compile(_TEXT % "display_name"), re.compile(_TEXT % "name")


@dataclass(frozen=True, slots=True)
class Labels:
    """Names as a file lists them, `HOLE` where an id has none.

    Attributes:
        origin: where they came from, for the evidence.
        form: of the file: "one a line", "numbered", "pbtxt" or "metadata".
        block: how many names stand before the first empty line, where all after it may be a remark.
    """

    names: tuple[str, ...]
    origin: str
    form: str
    block: int = 0


def read_labels(path: Path) -> Labels:
    """Read a label file.

    Raises:
        ModelError: it cannot be read, or holds no labels.
    """
    try:
        data = path.read_bytes()[:MAX_BYTES]
    except OSError as error:
        raise ModelError(f"cannot read the labels {path}: {error.strerror}. Give --labels FILE.") from error
    return parse_labels(data, origin=str(path))


def parse_labels(data: bytes, *, origin: str) -> Labels:
    """Return the labels in a file's bytes: one a line, ``0 person``, ``0: person``, or pbtxt.

    Raises:
        ModelError: it holds none, or numbers one class twice.
    """
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    items = _ITEM.findall(text)
    if items:
        return Labels(_by_id([_item(body, origin) for body in items], origin), origin, "pbtxt")
    lines = [line.strip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    filled = [line for line in lines if line]
    if not filled or len(lines) > MAX_CLASSES:
        raise ModelError(f"the labels {origin} hold no names. Give a text file with one class a line.")
    pairs = [m.groups() for line in filled if (m := _NUMBERED.fullmatch(line))]
    numbers = [int(number) for number, _ in pairs]
    if len(pairs) == len(filled) and numbers[0] <= 1 and len(set(numbers)) == len(numbers):
        return Labels(_by_id([(int(n), name) for n, name in pairs], origin), origin, "numbered")
    block = lines.index("") if "" in lines else len(lines)
    return Labels(tuple(line or HOLE for line in lines), origin, "one a line", block)


def _item(body: str, origin: str) -> tuple[int, str]:
    number = _ID.search(body)
    name = _DISPLAY.search(body) or _NAME.search(body)
    if not number or not name:
        raise ModelError(
            f"the labels {origin} have an item without id or name: {body.strip()[:60]!r}. Mend it."
        )
    return int(number[1]), re.sub(r"\\(.)", r"\1", name[1] or name[2] or "")


def _by_id(pairs: Sequence[tuple[int, str]], origin: str) -> tuple[str, ...]:
    """Return names so that each stands at its id; gaps are holes."""
    numbers = [number for number, _ in pairs]
    if len(set(numbers)) < len(numbers) or max(numbers) > MAX_CLASSES:
        raise ModelError(f"the labels {origin} number a class twice, or beyond {MAX_CLASSES}. Mend the file.")
    known = dict(pairs)
    return tuple(known.get(i, "").strip() or HOLE for i in range(max(numbers) + 1))


def from_mapping(names: Mapping[object, object] | Sequence[object], *, origin: str) -> Labels:
    """Return labels from what metadata lists: names by number, or in order.

    Raises:
        ModelError: the numbers are none.
    """
    pairs = names.items() if isinstance(names, Mapping) else enumerate(names)
    try:
        by_id = _by_id([(int(str(i)), str(name)) for i, name in pairs], origin)
    except ValueError as error:
        raise ModelError(f"the names in {origin} are not numbered: {error}. Give --labels FILE.") from error
    return Labels(by_id, origin, "metadata")


def fit_labels(labels: Labels, count: int, *, background: bool = False) -> tuple[tuple[str, ...], str]:
    """Return exactly `count` names, and a sentence that says which rule made them so.

    Args:
        labels: as read.
        count: classes of the tensor.
        background: the tensor's first class may stand for "nothing".

    Raises:
        ModelError: they do not fit; both numbers are named.
    """
    names = labels.names
    told = f"labels: {len(names)} from {labels.origin} ({labels.form})"
    if len(names) == count:
        return names, f"{told}, as many as the tensor has classes."
    for fitted, rule in _fits(labels, count, background):
        if len(fitted) == count:
            return fitted, f"{told}; the tensor has {count} classes: {rule}."
    raise ModelError(
        f"{labels.origin} has {len(names)} labels, the tensor has {count} classes. Give the model's own list: "
        "--labels FILE."
    )


def _fits(labels: Labels, count: int, background: bool) -> list[tuple[tuple[str, ...], str]]:
    """Return the readings that are known, the likeliest first."""
    names = labels.names
    first = names[0].lower() in BACKGROUNDS
    found = []
    if first:
        found.append((names[1:], "the first label is the background or a hole, which it does not count"))
    if background and not first:
        found.append(
            (("background", *names), "its first class is the background, which the labels leave out")
        )
    found += _coco(names)
    if 0 < labels.block < len(names):
        found.append(
            (names[: labels.block], "what follows the empty line in the labels is taken for a remark")
        )
    return found


def _coco(names: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
    """Return the readings of COCO's classes: 80 in a row, ids 1..90 with holes, 0..90 with a background."""
    known = set(COCO_80)
    if sum(_common(name) in known for name in names) != 80:
        return []
    present = tuple(name for name in names if _common(name) in known)
    ids = [i for i in range(1, 91) if i not in COCO_GAPS]
    at = dict(zip(ids, present, strict=True))
    with_gaps = tuple(at.get(i, HOLE) for i in range(1, 91))
    return [
        (present, "COCO's 80 classes without the ids that were never used"),
        (with_gaps, "COCO's ids 1 to 90, ten of which were never used"),
        (("background", *with_gaps), "a background, then COCO's ids 1 to 90, ten of which were never used"),
    ]


def _common(name: str) -> str:
    """Return COCO's own word for a class."""
    other = {"tvmonitor": "tv", "motorbike": "motorcycle", "aeroplane": "airplane", "sofa": "couch"}
    plain = name.strip().lower()
    return {
        **other,
        "pottedplant": "potted plant",
        "diningtable": "dining table",
        "hair dryer": "hair drier",
    }.get(plain, plain)
