"""The same four pictures and their boxes, written as each of the formats has them."""

import csv
import json

import cv2
import numpy as np

from drawn import background

SIZE_WH = (120, 80)
BOXES = {
    "train/a.png": [("cat", (10, 20, 50, 60)), ("dog", (60, 10, 100, 70))],
    "train/b.png": [("cat", (5, 5, 30, 35))],
    "val/c.png": [("dog", (20, 30, 90, 75))],
    "train/none.png": [],
}


def picture(seed):
    """Return a drawn picture, (80, 120, 3) uint8 BGR, another one for each seed."""
    return cv2.resize(background(np.random.default_rng(seed), 160), SIZE_WH, interpolation=cv2.INTER_AREA)


def put(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture(seed))
    return path


def write_csv(root):
    rows = []
    for seed, (file, boxes) in enumerate(BOXES.items()):
        put(root / file, seed)
        rows += [[file, file.split("/")[0], "street", name, *box] for name, box in boxes]
        rows += [] if boxes else [[file, "train", "park", "", "", "", "", ""]]
    with (root / "boxes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "split", "origin", "label", "x1", "y1", "x2", "y2"], *rows])


def write_coco(root):
    """Category ids 3 and 17, as COCO's have holes; a crowd in the val picture."""
    (root / "annotations").mkdir(parents=True)
    ids = {"cat": 3, "dog": 17}
    categories = [{"id": 17, "name": "dog", "supercategory": "animal"}, {"id": 3, "name": "cat"}]
    for split in ("train", "val"):
        images, annotations = [], []
        for seed, (file, boxes) in enumerate(BOXES.items()):
            if file.startswith(split):
                put(root / f"{split}2017" / file.split("/")[1], seed)
                images.append({"id": 100 + seed, "file_name": file.split("/")[1], "width": 120, "height": 80})
                annotations += [
                    {
                        "id": len(annotations),
                        "image_id": 100 + seed,
                        "category_id": ids[name],
                        "bbox": [x1, y1, x2 - x1, y2 - y1],
                        "iscrowd": int(split == "val"),
                        "segmentation": {"counts": [1, 2], "size": [80, 120]},
                    }
                    for name, (x1, y1, x2, y2) in boxes
                ]
        content = {"info": {}, "images": images, "annotations": annotations, "categories": categories}
        (root / f"annotations/instances_{split}2017.json").write_text(json.dumps(content))


def write_voc(root):
    """The dog of the val picture is difficult."""
    lists = {"train": [], "val": []}
    (root / "Annotations").mkdir(parents=True)
    (root / "ImageSets/Main").mkdir(parents=True)
    for seed, (file, boxes) in enumerate(BOXES.items()):
        split, name = file.split("/")
        put(root / "JPEGImages" / name, seed)
        stem = name.removesuffix(".png")
        lists[split].append(stem)
        objects = "".join(
            f"<object><name>{label}</name><difficult>{int(split == 'val')}</difficult><bndbox><xmin>{x1 + 1}</xmin>"
            f"<ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
            for label, (x1, y1, x2, y2) in boxes
        )
        (root / f"Annotations/{stem}.xml").write_text(f"<annotation>{objects}</annotation>")
    for split, stems in lists.items():
        (root / f"ImageSets/Main/{split}.txt").write_text("\n".join(stems) + "\n")
    (root / "ImageSets/Main/trainval.txt").write_text("a\n")


def write_yolo(root):
    """The first box is an outline of five points; there is no label file where there is nothing to see."""
    for seed, (file, boxes) in enumerate(BOXES.items()):
        put(root / "images" / file, seed)
        lines = []
        for name, (x1, y1, x2, y2) in boxes:
            class_id = ["cat", "dog"].index(name)
            if not lines:
                points = [(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, (y1 + y2) / 2)]
                values = [v for x, y in points for v in (x / 120, y / 80)]
            else:
                values = [(x1 + x2) / 240, (y1 + y2) / 160, (x2 - x1) / 120, (y2 - y1) / 80]
            lines.append(" ".join(map(str, [class_id, *values])))
        if lines:
            labels = (root / "labels" / file).with_suffix(".txt")
            labels.parent.mkdir(parents=True, exist_ok=True)
            labels.write_text("\n".join(lines) + "\n")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n")


WRITERS = {"csv": write_csv, "coco": write_coco, "voc": write_voc, "yolo": write_yolo}
