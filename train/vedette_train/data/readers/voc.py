"""Read Pascal VOC (VOC2012 kit): ``JPEGImages/x.jpg``, ``Annotations/x.xml``, ``ImageSets/Main/<split>.txt``.

Pixels of the kit count from 1 and include the last one: x1 and y1 are one less here. Difficult objects are ignored
regions, as in the kit's evaluation. Without ``train.txt`` each picture's name chooses its split.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from vedette_train.data.index import MALFORMED, MISSING, SPLITS, UNLABELLED, Index

__all__ = ["LOOKS", "read", "recognises"]

LOOKS = "JPEGImages/ and Annotations/*.xml"
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def recognises(root: Path) -> bool:
    """Return True where `root` holds pictures and annotations."""
    return (root / "JPEGImages").is_dir() and any((root / "Annotations").glob("*.xml"))


def read(root: Path, index: Index) -> None:
    """Put all annotated pictures into `index`."""
    files = {path.stem: f"JPEGImages/{path.name}" for path in (root / "JPEGImages").iterdir()}
    annotations = {path.stem: path for path in (root / "Annotations").glob("*.xml")}
    for stem in sorted(files.keys() - annotations.keys()):
        index.flaw(UNLABELLED, files[stem], "has no file in Annotations/ and is left out")
    for stem, split in _members(root, annotations).items():
        if stem not in annotations:
            index.flaw(MALFORMED, f"ImageSets/Main/{split}.txt", f"{stem} has no file in Annotations/")
        elif stem not in files:
            index.flaw(MISSING, f"Annotations/{stem}.xml", f"there is no JPEGImages/{stem}.*")
        else:
            _put(annotations[stem], files[stem], split, index)


def _members(root: Path, annotations: dict[str, Path]) -> dict[str, str | None]:
    """Return file stem -> split; None where its name is to choose."""
    lists = {split: root / "ImageSets" / "Main" / f"{split}.txt" for split in SPLITS}
    if not lists["train"].is_file():
        return dict.fromkeys(sorted(annotations))
    found: dict[str, str | None] = {}
    for split, path in lists.items():
        if path.is_file():
            found |= {line.split()[0]: split for line in path.read_text().splitlines() if line.strip()}
    return found


def _put(path: Path, file: str, split: str | None, index: Index) -> None:
    where = f"Annotations/{path.name}"
    try:
        tree = ElementTree.parse(path)
        objects = [
            (_label(one), _box(one), one.findtext("difficult", "0").strip() == "1")
            for one in tree.iter("object")
        ]
    except (ElementTree.ParseError, ValueError, OSError) as error:
        index.flaw(MALFORMED, where, str(error))
        return
    picture = index.picture(file, split)
    for label, box, difficult in objects:
        index.box(picture, label, box, where=where, ignored=difficult)


def _label(item: ElementTree.Element) -> str:
    name = item.findtext("name", "").strip()
    if not name:
        raise ValueError("an object has no name")
    return name


def _box(item: ElementTree.Element) -> tuple[float, float, float, float]:
    words = [item.findtext(f"bndbox/{corner}") for corner in CORNERS]
    if any(word is None for word in words):
        raise ValueError("an object has no bndbox with xmin, ymin, xmax and ymax")
    x1, y1, x2, y2 = (float(word or "") for word in words)
    return x1 - 1, y1 - 1, x2, y2
