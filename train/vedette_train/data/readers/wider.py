"""Read WIDER FACE (http://shuoyang1213.me/WIDERFACE): ``wider_face_<split>_bbx_gt.txt``, line by line.

A picture's name, its number of faces, then a line a face: x, y, width, height, blur, expression, illumination, invalid,
occlusion, pose. A picture without faces still has one line of zeros. Invalid faces are ignored regions.
"""

from __future__ import annotations

import re
from pathlib import Path

from vedette_train.data.index import Index, split_names

__all__ = ["LOOKS", "read", "recognises"]

LOOKS = "wider_face_*_bbx_gt.txt, here or in wider_face_split/"
NAME = re.compile(r"wider_face_(\w+)_bbx_gt\.txt")
INVALID = 7
LABEL = "face"


def recognises(root: Path) -> bool:
    """Return True where `root` holds such a file."""
    return bool(_files(root))


def read(root: Path, index: Index) -> None:
    """Put all splits into `index`."""
    index.declare([LABEL])
    files = _files(root)
    splits = split_names(files.values())
    for path, word in files.items():
        likely = [root / f"WIDER_{word}" / "images", root / "images", root]
        folder = next(f for f in likely if f.is_dir()).relative_to(root)
        _put(path, folder, splits[word], index)


def _files(root: Path) -> dict[Path, str]:
    """Return the label files, and what each calls its split."""
    paths = [path for place in (root, root / "wider_face_split") for path in sorted(place.glob("*.txt"))]
    return {path: found[1] for path in paths if (found := NAME.fullmatch(path.name))}


def _put(path: Path, folder: Path, split: str | None, index: Index) -> None:
    with path.open(encoding="utf-8") as file:
        lines = enumerate(file, start=1)
        picture = -1
        for number, line in lines:
            if "/" in line or line.strip().lower().endswith((".jpg", ".jpeg", ".png", ".webp")):
                picture = index.picture(str(folder / line.strip()), split)
                next(lines, None)  # the count: what follows says itself what it is
            elif line.strip():
                _face(line, f"{path.name} line {number}", picture, index)


def _face(line: str, where: str, picture: int, index: Index) -> None:
    try:
        values = [float(word) for word in line.split()]
        x, y, width, height = values[:4]
        invalid = len(values) > INVALID and values[INVALID] != 0
    except ValueError:
        index.malformed(picture, where, f"'{line.strip()[:60]}' is not x, y, width, height and six flags")
        return
    if any(values):  # zeros alone stand for no face
        index.box(picture, LABEL, (x, y, x + width, y + height), where=where, ignored=invalid)
