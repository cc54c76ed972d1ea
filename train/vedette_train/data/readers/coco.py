"""Read COCO's JSON (https://cocodataset.org/#format-data): ``instances_<split>.json``, or a file beside the pictures.

Category ids may have holes; class ids are contiguous, in the order of the category ids. Boxes of crowds are ignored
regions. Pictures without annotations hold nothing to see.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vedette.errors import VedetteError
from vedette_train.data.index import MALFORMED, Index, split_names

__all__ = ["LOOKS", "read", "recognises"]

LOOKS = "annotations/instances_*.json, instances_*.json or */_annotations.coco.json"
BESIDE = "_annotations.coco.json"
PATTERNS = ("annotations/instances_*.json", "instances_*.json", f"*/{BESIDE}")


def recognises(root: Path) -> bool:
    """Return True where `root` holds such a file."""
    return bool(_files(root))


def read(root: Path, index: Index) -> None:
    """Put all splits into `index`.

    Raises:
        VedetteError: a file is no JSON, or lacks one of COCO's three lists.
    """
    words = {path: _word(path) for path in _files(root)}
    splits = split_names(words.values())
    for path, word in words.items():
        content = _load(path)
        names = {c["id"]: str(c["name"]) for c in sorted(content["categories"], key=lambda c: c["id"])}
        index.declare(names.values())
        _put(path, content, names, splits[word], index)


def _files(root: Path) -> list[Path]:
    return [path for pattern in PATTERNS for path in sorted(root.glob(pattern))]


def _word(path: Path) -> str:
    """Return what the file calls its split: train2017, or the name of the folder beside its pictures."""
    return path.parent.name if path.name == BESIDE else path.stem.removeprefix("instances_")


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes(), object_hook=_compact)
        if all(isinstance(content[name], list) for name in ("images", "annotations", "categories")):
            return dict(content)
        raise TypeError("'images', 'annotations' and 'categories' must be lists")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise VedetteError(f"{path} is not COCO's JSON: {type(error).__name__} {error}.") from error


def _compact(item: dict[str, Any]) -> Any:
    """Return an annotation as a small tuple: its outline, most of the file, is let go as soon as it is parsed."""
    if "image_id" not in item:
        return item
    return item["image_id"], item.get("category_id"), item.get("bbox"), bool(item.get("iscrowd"))


def _put(
    path: Path, content: dict[str, Any], names: Mapping[int, str], split: str | None, index: Index
) -> None:
    label_file = path.relative_to(index.root)
    files = {image["id"]: str(image["file_name"]) for image in content["images"]}
    folder = path.parent if path.name == BESIDE else _folder(index.root, _word(path), files)
    place = folder.relative_to(index.root)
    pictures = {key: index.picture(str(place / file), split) for key, file in files.items()}
    for number, (image, category, box, crowd) in enumerate(content["annotations"]):
        where = f"{label_file} annotation {number}"
        if image not in pictures:
            index.flaw(MALFORMED, where, f"there is no image with the id {image}")
        elif category not in names:
            index.malformed(pictures[image], where, f"there is no category with the id {category}")
        elif not (isinstance(box, list) and len(box) == 4 and all(isinstance(v, int | float) for v in box)):
            index.malformed(pictures[image], where, f"bbox {box} is not x, y, width, height")
        else:
            x, y, width, height = box
            index.box(
                pictures[image], names[category], (x, y, x + width, y + height), where=where, ignored=crowd
            )


def _folder(root: Path, word: str, files: Mapping[int, str]) -> Path:
    """Return the folder that a picture of the split lies in; the likeliest where none does."""
    likely = [f for f in (root / word, root / "images" / word, root / "images", root) if f.is_dir()]
    return next((f for f in likely if any((f / name).is_file() for name in files.values())), likely[0])
