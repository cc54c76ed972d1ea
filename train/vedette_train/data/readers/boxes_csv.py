"""Read ``boxes.csv``: ``file,split,origin,label,x1,y1,x2,y2``, one box a row, pixels; an empty label: nothing to see.

Files are named relative to the folder. The columns ``split`` and ``origin`` may be left out.
"""

from __future__ import annotations

import csv
from pathlib import Path

from vedette.errors import VedetteError
from vedette_train.data.index import Index

__all__ = ["LOOKS", "read", "recognises"]

LOOKS = "boxes.csv"
BOX = ("x1", "y1", "x2", "y2")


def recognises(root: Path) -> bool:
    """Return True where `root` holds a boxes.csv."""
    return (root / "boxes.csv").is_file()


def read(root: Path, index: Index) -> None:
    """Put all rows into `index`.

    Raises:
        VedetteError: the file lacks a column.
    """
    path = root / "boxes.csv"
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        missing = {"file", "label", *BOX} - set(rows.fieldnames or ())
        if missing:
            raise VedetteError(
                f"{path} lacks the columns {', '.join(sorted(missing))}; its first line names them."
            )
        for row in rows:
            _put(row, f"boxes.csv line {rows.line_num}", index)


def _put(row: dict[str, str], where: str, index: Index) -> None:
    picture = index.picture(row["file"], row.get("split") or None, row.get("origin") or "")
    if not row["label"]:
        return
    try:
        x1, y1, x2, y2 = (float(row[name]) for name in BOX)
    except (TypeError, ValueError) as error:
        index.malformed(picture, where, str(error))
        return
    index.box(picture, row["label"], (x1, y1, x2, y2), where=where)
