"""Train pictures that another split holds too are left out, whole with their boxes; the others stay as they are."""

import cv2
import numpy as np
import pytest

from vedette.errors import VedetteError
from vedette_train.data.leaks import without_copies
from vedette_train.data.readers import open_classification, open_detection
from vedette_train.left_out import LeftOut
from written import picture


def copy(path, of, size_wh=(90, 60)):
    """Write picture `of` again, in another size and format."""
    cv2.imwrite(str(path), cv2.resize(picture(of), size_wh, interpolation=cv2.INTER_AREA))


def test_nothing_is_left_out_where_nothing_is_shared(csv_set):
    splits = open_detection(csv_set).splits
    kept, lines = without_copies(splits)
    assert (kept.files, lines) == (splits["train"].files, [])


def test_copies_go_with_their_boxes_and_the_rest_keeps_its_own(csv_set):
    copy(csv_set / "train" / "a.jpg", of=7)
    copy(csv_set / "val" / "a2.png", of=7, size_wh=(120, 80))
    with (csv_set / "boxes.csv").open("a") as file:
        file.write("train/a.jpg,train,street,dog,1,2,30,40\ntrain/a.jpg,train,street,cat,3,2,30,40\n")
        file.write("val/a2.png,val,street,dog,1,2,30,40\n")
    before = {photo.path.name: photo for photo in open_detection(csv_set).splits["train"]}
    kept, lines = without_copies(open_detection(csv_set).splits)

    assert lines == ["train/a.jpg is a copy of val: val/a2.png"]
    after = {photo.path.name: photo for photo in kept}
    assert before.keys() - after.keys() == {"a.jpg"}
    for name, photo in after.items():
        np.testing.assert_array_equal(photo.xyxy, before[name].xyxy)
        np.testing.assert_array_equal(photo.class_id, before[name].class_id)
        assert (photo.origin, photo.labelled) == (before[name].origin, before[name].labelled)


def test_of_classes_too_and_broken_pictures_are_no_copies(folder_set):
    copy(folder_set / "train" / "cat" / "copy.jpg", of=11)
    (folder_set / "train" / "cat" / "broken.png").write_bytes(b"")
    (folder_set / "val" / "cat" / "broken.png").write_bytes(b"")
    kept, lines = without_copies(open_classification(folder_set).splits)

    assert lines == ["train/cat/copy.jpg is a copy of val: val/dog/11.png"]
    assert "train/cat/broken.png" in kept.files
    assert len(kept.files) == len(kept.class_id) == 7


def test_nothing_but_copies_is_refused(folder_set):
    for path in sorted((folder_set / "train").rglob("*.png")):
        copy(path, of=11)
    with pytest.raises(VedetteError, match=r"all 6 train pictures are copies.*train/cat/0\.png of val"):
        without_copies(open_classification(folder_set).splits)


def test_what_is_left_out_is_listed_once_and_told_when_it_grows(tmp_path):
    said = []
    out = LeftOut(tmp_path, said.append, ["a is a copy of b"])
    for line in ("c is empty", "c is empty", "d is cut\noff"):
        out.tell()
        out.add(line)
    out.tell()
    out.tell()
    assert (tmp_path / "left_out.txt").read_text() == "a is a copy of b\nc is empty\nd is cut off\n"
    assert [line.partition(", such as ")[0] for line in said] == [f"left out so far: {n}" for n in (1, 2, 3)]
    assert said[1].endswith(f"c is empty; {tmp_path / 'left_out.txt'} lists all")


def test_a_run_that_goes_on_keeps_its_list(tmp_path):
    LeftOut(tmp_path, str, ["a"]).tell()
    LeftOut(tmp_path, str, ["b"]).tell()
    assert (tmp_path / "left_out.txt").read_text() == "a\nb\n"


def test_nothing_left_out_says_nothing(tmp_path):
    said = []
    LeftOut(tmp_path, said.append).tell()
    assert (said, list(tmp_path.iterdir())) == ([], [])
