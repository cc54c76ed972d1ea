"""Read YOLO's text files: ``images/…/x.jpg`` and ``labels/…/x.txt``, a line a box: class, cx, cy, width, height, 0..1.

Of an outline (class and three or more points) the box around it is taken. A picture without a text file holds nothing
to see. Splits are the folders below ``images/``, or the folders that hold it; else each picture's name chooses.
Class names come from ``data.yaml`` or ``classes.txt``; paths in ``data.yaml`` are not followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vedette.errors import VedetteError
from vedette_train.data.index import BROKEN, MISSING, Index, split_name, split_names
from vedette_train.data.pictures import is_picture, size_wh_of

__all__ = ["LOOKS", "read", "recognises"]

LOOKS = "images/ and labels/, here or in train/, val/ and test/"


def recognises(root: Path) -> bool:
    """Return True where `root`, or a split's folder in it, holds both folders."""
    return bool(_places(root))


def read(root: Path, index: Index) -> None:
    """Put all pictures into `index`; each one's header is read, for its size.

    Raises:
        VedetteError: the class names cannot be read.
    """
    names = _names(root)
    index.declare(names)
    inner = (root / "images").iterdir() if (root / "images").is_dir() else ()
    splits = split_names(
        [*(p.name for p in inner if p.is_dir()), *(p.name for p in _places(root) if p != root)]
    )
    for place in _places(root):
        labels = {
            path.relative_to(place / "labels").with_suffix(""): path
            for path in (place / "labels").rglob("*.txt")
        }
        labels = {key: path for key, path in labels.items() if path.name != "classes.txt"}
        for path in sorted((place / "images").rglob("*")):
            if is_picture(path):
                inside = path.relative_to(place / "images")
                word = place.name if place != root else inside.parts[0]
                _put(path, labels.pop(inside.with_suffix(""), None), splits.get(word), names, index)
        for path in sorted(labels.values()):
            index.flaw(MISSING, str(path.relative_to(root)), "there is no picture of that name in images/")


def _places(root: Path) -> list[Path]:
    inside = sorted(p for p in root.iterdir() if p.is_dir() and split_name(p.name))
    return [p for p in (root, *inside) if (p / "images").is_dir() and (p / "labels").is_dir()]


def _names(root: Path) -> list[str]:
    """Return the class names by class id, none where no file has them."""
    for path in (root / "data.yaml", root / "data.yml"):
        if path.is_file():
            return _yaml_names(path)
    for path in (root / "classes.txt", root / "labels" / "classes.txt"):
        if path.is_file():
            return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return []


def _yaml_names(path: Path) -> list[str]:
    import yaml

    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        names = content["names"]
        if isinstance(names, dict):
            names = [names[i] for i in range(len(names))]
        return [str(name) for name in list(names)]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise VedetteError(
            f"{path} has no 'names' that count from 0: {type(error).__name__} {error}."
        ) from error


def _put(path: Path, labels: Path | None, split: str | None, names: list[str], index: Index) -> None:
    file = str(path.relative_to(index.root))
    if labels is None:
        index.picture(file, split)
        return
    size_wh = size_wh_of(path)
    if size_wh is None:
        index.flaw(BROKEN, file, "its header cannot be read, so that its labels have no size")
        return
    picture = index.picture(file, split)
    for number, line in _lines(labels):
        where = f"{labels.relative_to(index.root)} line {number}"
        try:
            label, box = _box(line, size_wh, names)
        except (ValueError, IndexError) as error:
            index.malformed(picture, where, str(error))
        else:
            index.box(picture, label, box, where=where)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if words := line.split():
                yield number, words


def _box(
    words: list[str], size_wh: tuple[int, int], names: list[str]
) -> tuple[str, tuple[float, float, float, float]]:
    class_id, values = int(words[0]), [float(word) for word in words[1:]]
    if class_id < 0 or (names and class_id >= len(names)):
        raise ValueError(f"class {class_id} is not one of the {len(names)} that are named")
    if len(values) == 4:
        cx, cy, width, height = values
        x1, y1, x2, y2 = cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2
    elif len(values) >= 6 and len(values) % 2 == 0:
        x1, y1, x2, y2 = min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])
    else:
        raise ValueError(f"{len(values)} numbers are neither cx, cy, width, height nor points")
    if max(map(abs, values)) > 2:
        raise ValueError("the numbers are not shares of the picture, 0..1, but larger")
    width_px, height_px = size_wh
    return names[class_id] if names else str(class_id), (
        x1 * width_px,
        y1 * height_px,
        x2 * width_px,
        y2 * height_px,
    )
