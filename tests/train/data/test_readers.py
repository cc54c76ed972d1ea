"""Each format gives the same set; what is wrong with one is told or listed, never guessed around."""

import json

import numpy as np
import pytest

from vedette.errors import SettingsError, VedetteError
from vedette_train.data.index import hashed_split, split_name
from vedette_train.data.readers import open_classification, open_detection, recognise
from vedette_train.data.splits import open_classes, open_set, split_of
from written import BOXES, WRITERS, put, write_coco, write_csv, write_voc, write_yolo

CLASSES = ("cat", "dog")


@pytest.mark.parametrize("format", WRITERS)
def test_every_format_gives_the_same_boxes(tmp_path, format):
    WRITERS[format](tmp_path)
    data = open_detection(tmp_path)

    assert (data.format, data.classes, data.flaws) == (format, CLASSES, ())
    found = {}
    for split, photos in data.splits.items():
        for photo in photos:
            assert photo.path.is_file()
            assert (photo.xyxy.dtype, photo.class_id.dtype, photo.ignored.dtype) == (
                np.float32,
                np.int32,
                bool,
            )
            assert photo.xyxy.shape == (len(photo.class_id), 4)
            assert photo.labelled == {0, 1}
            found[f"{split}/{photo.path.name}"] = photo
    assert found.keys() == BOXES.keys()
    for file, boxes in BOXES.items():
        wanted = sorted((CLASSES.index(name), *box) for name, box in boxes)
        rows = zip(found[file].class_id.tolist(), found[file].xyxy.tolist(), strict=True)
        np.testing.assert_allclose(sorted((i, *box) for i, box in rows), wanted, atol=1e-4)
    assert found["val/c.png"].ignored.all() == (format in ("coco", "voc"))  # a crowd, a difficult one
    assert not found["train/a.png"].ignored.any()


def test_photos_are_a_sequence(csv_set):
    photos = open_detection(csv_set).splits["train"]

    assert len(photos) == 3
    assert photos[-1].path == photos[2].path
    assert [p.path.name for p in photos[::2]] == [photos[0].path.name, photos[2].path.name]
    assert len(list(photos)) == 3
    with pytest.raises(IndexError):
        photos[3]


def test_classes_of_a_csv_are_ordered_by_their_number_in_train(csv_set):
    add_rows(
        csv_set, *["train/b.png,train,street,emu,1,2,30,40"] * 3, *["val/c.png,val,street,ant,1,2,30,40"] * 9
    )

    assert open_detection(csv_set).classes == ("emu", "cat", "dog", "ant")


def test_classes_can_be_chosen_and_keep_what_is_labelled(csv_set):
    data = open_detection(csv_set, partial={"street": frozenset(["cat"])}).only(["dog"])

    assert data.classes == ("dog",)
    streets = [p for p in data.splits["train"] if p.origin == "street"]
    assert [p.labelled for p in streets] == [frozenset()] * 2
    assert [len(p.xyxy) for p in streets] == [1, 0]
    assert next(p for p in data.splits["train"] if p.origin == "park").labelled == {0}
    with pytest.raises(SettingsError, match="did you mean 'dog'"):
        data.only(["dogs"])
    cats = open_detection(csv_set).only(["cat"]).splits["train"]
    assert [p.xyxy.tolist() for p in cats] == [[[10, 20, 50, 60]], [[5, 5, 30, 35]], []]


@pytest.mark.parametrize(
    ("partial", "told"),
    [
        ({"streets": frozenset()}, "did you mean 'street'"),
        ({"street": frozenset(["cats"])}, "did you mean 'cat'"),
    ],
    ids=["origin", "class"],
)
def test_what_partial_names_must_be_there(csv_set, partial, told):
    with pytest.raises(SettingsError, match=told):
        open_detection(csv_set, partial=partial)


# WIDER FACE


def test_wider_face(tmp_path):
    for name in ("1/a.jpg", "1/b.jpg", "2/c.jpg"):
        put(tmp_path / "WIDER_train/images" / name)
    (tmp_path / "wider_face_split").mkdir()
    (tmp_path / "wider_face_split/wider_face_train_bbx_gt.txt").write_text(
        "1/a.jpg\n2\n10 20 30 40 0 0 0 0 0 0\n50 5 20 20 0 0 0 1 0 0\n"
        "1/b.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n2/c.jpg\n1\n10 10 0 12 0 0 0 0 0 0\n"
    )
    data = open_detection(tmp_path)
    first, second, third = data.splits["train"]

    assert (data.format, data.classes) == ("wider", ("face",))
    assert first.xyxy.tolist() == [[10, 20, 40, 60], [50, 5, 70, 25]]
    assert first.ignored.tolist() == [False, True]
    assert (len(second.xyxy), len(third.xyxy)) == (0, 0)
    assert told(data) == [
        ("zero-area box", "WIDER_train/images/2/c.jpg", "wider_face_train_bbx_gt.txt line 10")
    ]


# image folders


def test_folders_of_splits_and_classes(folder_set):
    data = open_classification(folder_set)

    assert (data.format, data.classes, data.flaws) == ("folders", CLASSES, ())
    assert {split: photos.class_id.tolist() for split, photos in data.splits.items()} == {
        "train": [0, 0, 0, 1, 1, 1],
        "val": [0, 1],
    }
    assert data.splits["train"][3].path == folder_set / "train/dog/3.png"


def test_without_splits_the_names_choose_and_go_on_choosing(tmp_path):
    for seed in range(40):
        put(tmp_path / f"{'cat' if seed % 2 else 'dog'}/{seed}.png", seed)
    before = {p.path: split for split, photos in open_classification(tmp_path).splits.items() for p in photos}
    put(tmp_path / "cat/new.png")
    (tmp_path / "cat/1.png").unlink()
    after = {p.path: split for split, photos in open_classification(tmp_path).splits.items() for p in photos}

    assert all(after[path] == split for path, split in before.items() if path in after)
    assert set(before.values()) == {"train", "val"}
    assert before != {p.path: s for s, q in open_classification(tmp_path, seed=1).splits.items() for p in q}


def test_a_fifth_of_all_names_is_val():
    chosen = [hashed_split(f"photos/{i}.jpg") for i in range(5000)]

    assert 0.18 < chosen.count("val") / 5000 < 0.22
    copies = [hashed_split(f"b/c/{i}.png") for i in range(5000)]
    assert copies == chosen  # of whatever kind, in whatever folder


@pytest.mark.parametrize(
    ("word", "split"),
    [("train", "train"), ("train2017", "train"), ("valid", "val"), ("Validation", "val"), ("testing", "test"),
     ("trainer", None), ("default", None), ("2017", None)],
)  # fmt: skip
def test_names_of_splits(word, split):
    assert split_name(word) == split


# which format


def text(name, content):
    return lambda root: (root / name).write_text(content)


def without_boxes(root):
    put(root / "images/a.png")
    (root / "labels").mkdir()


def test_two_readings_are_told_with_the_flag(csv_set):
    write_yolo(csv_set)

    with pytest.raises(SettingsError, match=r"csv \(boxes.csv\) or yolo .*--format csv\|yolo"):
        open_detection(csv_set)
    assert open_detection(csv_set, format="yolo").format == "yolo"
    assert open_detection(csv_set, format="csv").format == "csv"


@pytest.mark.parametrize(
    ("make", "format", "error", "told"),
    [
        pytest.param(lambda root: None, None, VedetteError, "no data of a known format", id="empty folder"),
        pytest.param(lambda root: root.rmdir(), None, VedetteError, "there is no folder", id="no folder"),
        pytest.param(write_csv, "voca", SettingsError, "did you mean 'voc'", id="unknown format"),
        pytest.param(lambda root: put(root / "cat/x.png"), None, SettingsError, "no boxes", id="folders"),
        pytest.param(text("boxes.csv", "file,x1\n"), None, VedetteError, "label, x2", id="columns"),
        pytest.param(
            text("boxes.csv", "file,label,x1,y1,x2,y2\n"), None, VedetteError, "no picture", id="no rows"
        ),
        pytest.param(text("boxes.csv", "\0\xff"), None, VedetteError, "lacks the columns", id="no text"),
        pytest.param(without_boxes, None, VedetteError, "has a box", id="no boxes"),
        pytest.param(text("instances_train.json", "{}"), None, VedetteError, "not COCO", id="no lists"),
        pytest.param(text("instances_train.json", "{"), None, VedetteError, "not COCO", id="cut off"),
        pytest.param(text("instances_train.json", "[]"), None, VedetteError, "not COCO", id="a list"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, make, format, error, told):
    root = tmp_path / "set"
    root.mkdir()
    make(root)
    with pytest.raises(error, match=told):
        open_detection(root, format=format)


def test_a_classifier_wants_no_boxes(csv_set):
    with pytest.raises(SettingsError, match="has boxes"):
        open_classification(csv_set)


def test_splits_and_classes_side_by_side_are_refused(folder_set):
    put(folder_set / "extra/x.png")

    with pytest.raises(VedetteError, match="'train', which is a split, beside 'extra'"):
        open_classification(folder_set)


def test_a_label_file_comes_before_folders(csv_set):
    assert recognise(csv_set) == "csv"


# flaws


def add_rows(root, *rows):
    path = root / "boxes.csv"
    path.write_text(path.read_text() + "".join(f"{row}\n" for row in rows))


def told(data):
    """Return kind, picture and the label's place of each flaw."""
    return [(flaw.kind, flaw.where, flaw.what.split(":")[0]) for flaw in data.flaws]


def test_flaws_are_listed_and_left_out(csv_set):
    add_rows(
        csv_set,
        "train/lost.png,train,street,cat,1,2,30,40",
        "train/a.png,train,street,cat,10,20,10,40",
        "train/a.png,train,street,cat,ten,20,30,40",
        "train/a.png,train,street,cat,nan,20,30,40",
        "train/lost.png,train,street,cat,nan,20,30,40",
    )
    data = open_detection(csv_set, max_broken=0.4)  # two of five pictures

    assert told(data) == [
        ("missing picture", "train/lost.png", "has labels, but there is no such file"),
        ("zero-area box", "train/a.png", "boxes.csv line 8"),
        ("malformed label", "train/a.png", "boxes.csv line 9"),
        ("malformed label", "train/a.png", "boxes.csv line 10"),
    ]
    assert sum(len(p.xyxy) for photos in data.splits.values() for p in photos) == 4
    with pytest.raises(VedetteError, match=r"2 of 5 pictures .* 39%"):
        open_detection(csv_set, max_broken=0.39)


def test_too_much_broken_is_refused(csv_set):
    add_rows(csv_set, "train/lost.png,train,street,cat,1,2,30,40")

    with pytest.raises(VedetteError, match=r"1 of 5 pictures .*10%.*lost.png.*data check"):
        open_detection(csv_set)
    assert len(open_detection(csv_set, max_broken=0.2).splits["train"]) == 3


def test_yolo_flaws(tmp_path):
    write_yolo(tmp_path)
    labels = tmp_path / "labels/train/b.txt"
    labels.write_text(
        labels.read_text() + "2 .5 .5 .1 .1\n0 .5 .5 .1\n0 55 40 10 10\ncat .5 .5 .1 .1\n0 .5 .5 0 .1\n"
    )
    (tmp_path / "labels/train/lost.txt").write_text("0 .5 .5 .1 .1\n")
    (tmp_path / "images/train/a.png").write_bytes(b"no picture")
    data = open_detection(tmp_path, max_broken=1)

    assert told(data) == [
        ("broken picture", "images/train/a.png", data.flaws[0].what),
        *(("malformed label", "images/train/b.png", f"labels/train/b.txt line {n}") for n in (2, 3, 4, 5)),
        ("zero-area box", "images/train/b.png", "labels/train/b.txt line 6"),
        ("missing picture", "labels/train/lost.txt", data.flaws[-1].what),
    ]


def test_yolo_folders_of_splits_and_names_in_a_list(tmp_path):
    write_yolo(tmp_path / "made")
    for split, name in (("train", "train"), ("val", "valid")):
        for kind in ("images", "labels"):
            (tmp_path / "set" / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "made" / kind / split).rename(tmp_path / "set" / name / kind)
    (tmp_path / "set/data.yaml").write_text("names: ['cat', 'dog']\n")
    data = open_detection(tmp_path / "set")

    assert data.classes == CLASSES
    assert {split: len(photos) for split, photos in data.splits.items()} == {"train": 3, "val": 1}


def test_yolo_turns_boxes_with_the_picture(tmp_path):
    from PIL import Image

    write_yolo(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored 120x80, shown 80x120
    with Image.open(tmp_path / "images/train/b.png") as stored:
        stored.save(tmp_path / "images/train/b.jpg", exif=exif)
    (tmp_path / "images/train/b.png").unlink()
    (tmp_path / "labels/train/b.txt").write_text("0 .5 .5 1 1\n")

    found = next(p for p in open_detection(tmp_path).splits["train"] if p.path.name == "b.jpg")
    assert found.xyxy.tolist() == [[0, 0, 80, 120]]


def test_yolo_names_must_count_from_nothing(tmp_path):
    write_yolo(tmp_path)
    (tmp_path / "data.yaml").write_text("names: {1: cat, 2: dog}\n")

    with pytest.raises(VedetteError, match=r"data.yaml has no 'names'"):
        open_detection(tmp_path)


def test_voc_flaws(tmp_path):
    write_voc(tmp_path)
    put(tmp_path / "JPEGImages/extra.png")
    (tmp_path / "Annotations/b.xml").write_text("<annotation><object><name>cat</name></object></annotation>")
    (tmp_path / "JPEGImages/c.png").unlink()
    data = open_detection(tmp_path, max_broken=1)

    assert [(f.kind, f.where) for f in data.flaws] == [
        ("unlabelled picture", "JPEGImages/extra.png"),
        ("malformed label", "Annotations/b.xml"),
        ("missing picture", "Annotations/c.xml"),
    ]


def test_coco_beside_its_pictures(tmp_path):
    write_coco(tmp_path)
    for split, name in (("train", "train"), ("val", "valid")):
        (tmp_path / f"{split}2017").rename(tmp_path / name)
        (tmp_path / f"annotations/instances_{split}2017.json").rename(
            tmp_path / name / "_annotations.coco.json"
        )
    data = open_detection(tmp_path)

    assert {split: len(photos) for split, photos in data.splits.items()} == {"train": 3, "val": 1}
    assert data.classes == CLASSES


def test_coco_flaws(tmp_path):
    write_coco(tmp_path)
    path = tmp_path / "annotations/instances_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["image_id"] = 7
    content["annotations"][1]["bbox"] = [1, 2, 3]
    path.write_text(json.dumps(content))
    data = open_detection(tmp_path, max_broken=1)

    label_file = "annotations/instances_train2017.json"
    assert told(data) == [
        ("malformed label", f"{label_file} annotation 0", "there is no image with the id 7"),
        ("malformed label", "train2017/a.png", f"{label_file} annotation 1"),
    ]


def test_a_split_of_ones_own_is_kept_beside_train(tmp_path):
    """Were it shared out, what others keep back would be trained on."""
    write_coco(tmp_path)
    (tmp_path / "val2017").rename(tmp_path / "minival")
    (tmp_path / "annotations/instances_val2017.json").rename(tmp_path / "annotations/instances_minival.json")

    assert set(open_detection(tmp_path).splits) == {"train", "minival"}


# to train on


@pytest.mark.parametrize(
    ("files", "told"),
    [
        pytest.param(["train/cat/0.png", "val/cat/1.png"], "holds the class cat only", id="one class"),
        pytest.param(["train/cat/0.png", "train/dog/1.png"], "no split 'val', only train", id="no val"),
        pytest.param(["val/cat/0.png", "val/dog/1.png"], "no split 'train', only val", id="no train"),
    ],
)
def test_what_a_classifier_cannot_learn_from_is_refused(tmp_path, files, told):
    for i, file in enumerate(files):
        put(tmp_path / file, i)
    with pytest.raises(VedetteError, match=told):
        open_classes(tmp_path)


def test_a_split_that_is_none_is_named(csv_set):
    with pytest.raises(SettingsError, match=r"'tran'.*train"):
        split_of(open_set(csv_set), "tran")


def test_more_wrong_labels_than_the_set_share_are_refused(csv_set):
    with (csv_set / "boxes.csv").open("a") as file:
        file.write("train/lost.png,train,street,cat,1,2,3,4\n")
    assert len(open_set(csv_set, max_broken=0.5).flaws) == 1
    with pytest.raises(VedetteError, match="more than 10%"):
        open_set(csv_set, max_broken=0.1)


# size


def test_the_index_of_many_pictures_is_small(tmp_path):
    """Less than 400 bytes a picture of three boxes: 100,000 take 40 MB."""
    import tracemalloc

    first = put(tmp_path / "images/0.png")
    rows = ["file,label,x1,y1,x2,y2"]
    for i in range(1, 2000):
        (tmp_path / f"images/{i}.png").hardlink_to(first)
        rows += [f"images/{i}.png,cat,{k},2,30,40" for k in range(3)]
    (tmp_path / "boxes.csv").write_text("\n".join(rows))
    open_detection(tmp_path)  # the interpreter's own table of names grows once
    tracemalloc.start()
    data = open_detection(tmp_path)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sum(map(len, data.splits.values())) == 1999
    assert held < 400 * 2000
