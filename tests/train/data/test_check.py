"""`vedette data check`: what it counts, what it calls a problem, and how it ends."""

import json
import os
import pty
import shutil
import subprocess
import sys
import termios
from pathlib import Path

import cv2
import numpy as np
import pytest

from asked import ask
from vedette_train.data import contact
from vedette_train.data.check import check, open_any
from vedette_train.data.contact import contact_sheet
from written import put

DATA = Path(__file__).resolve().parents[4] / "shared/data"


def add_row(root, row):
    with (root / "boxes.csv").open("a") as file:
        file.write(f"{row}\n")


def checked(capsys, root, *options):
    code, out, err = ask(capsys, "data", "check", root, "--json", *options)
    return code, json.loads(out), err


def test_a_good_set_passes(capsys, csv_set):
    code, report, err = checked(capsys, csv_set)

    assert (code, err, report["problems"], report["flaws"]) == (0, "", [], [])
    assert report["splits"] == {
        "train": {"pictures": 3, "without_boxes": 1, "ignored": 0, "classes": {"cat": 2, "dog": 1}},
        "val": {"pictures": 1, "without_boxes": 0, "ignored": 0, "classes": {"cat": 0, "dog": 1}},
    }
    sides = np.sqrt([40 * 40, 40 * 60, 25 * 30])
    assert report["box_side_px"]["train"] == pytest.approx(
        np.quantile(sides, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]), abs=1e-3
    )
    assert report["box_side_share"]["train"][-1] == pytest.approx(sides.max() / 120, abs=1e-3)


def test_it_reads_as_well_as_it_counts(capsys, csv_set):
    code, out, _ = ask(capsys, "data", "check", csv_set)

    assert code == 0
    assert "read as csv" in out
    assert ["cat", "2", "0"] in [line.split() for line in out.splitlines()]
    assert out.endswith("nothing that would spoil training was found\n")


def test_a_picture_in_two_splits_is_a_problem(capsys, csv_set):
    copy = cv2.imread(str(csv_set / "train/a.png"))
    cv2.imwrite(str(csv_set / "val/copy.jpg"), cv2.resize(copy, (90, 60), interpolation=cv2.INTER_AREA))
    add_row(csv_set, "val/copy.jpg,val,street,cat,7,15,37,45")
    code, report, _ = checked(capsys, csv_set)

    assert code == 1
    assert report["leaks"] == [["train: train/a.png", "val: val/copy.jpg"]]
    assert report["problems"][0].startswith("pictures in two splits: 1")


def test_a_copy_within_a_split_is_a_warning(capsys, csv_set):
    shutil.copy(csv_set / "train/a.png", csv_set / "train/again.png")
    add_row(csv_set, "train/again.png,train,street,cat,10,20,50,60")
    code, report, _ = checked(capsys, csv_set)

    assert (code, report["leaks"]) == (0, [])
    assert report["duplicates"] == [["train: train/a.png", "train: train/again.png"]]


def test_a_picture_in_two_classes_is_told(capsys, folder_set):
    shutil.copy(folder_set / "train/cat/0.png", folder_set / "train/dog/9.png")
    code, report, _ = checked(capsys, folder_set)

    assert code == 0
    assert report["conflicts"] == [["train: train/cat/0.png", "train: train/dog/9.png"]]
    assert report["splits"]["train"] == {"pictures": 7, "classes": {"cat": 3, "dog": 4}}


def test_boxes_outside_are_counted_and_cut(capsys, csv_set):
    add_row(csv_set, "train/b.png,train,street,dog,80,40,160,80")
    add_row(csv_set, "train/b.png,train,street,dog,-0.5,0,120.4,80")  # rounding
    _, report, _ = checked(capsys, csv_set)

    assert [(f["kind"], f["where"]) for f in report["flaws"]] == [("box outside", "train/b.png")]
    assert "40 px out of 120x80" in report["flaws"][0]["what"]
    assert report["box_side_px"]["train"][-1] == pytest.approx(np.sqrt(120 * 80), abs=1e-3)


@pytest.mark.parametrize(("max_broken", "code"), [("0.3", 0), ("0.2", 1)])
def test_broken_pictures_are_listed_and_too_many_are_a_problem(capsys, csv_set, max_broken, code):
    (csv_set / "train/b.png").write_bytes((csv_set / "train/b.png").read_bytes()[:200])
    found, report, _ = checked(capsys, csv_set, "--max-broken", max_broken)

    assert [(f["kind"], f["where"]) for f in report["flaws"]] == [("broken picture", "train/b.png")]
    assert found == code
    assert bool(report["problems"]) == bool(code)


def test_missing_and_broken_count_together(capsys, csv_set):
    add_row(csv_set, "train/lost.png,train,street,cat,1,2,30,40")
    (csv_set / "train/b.png").write_bytes(b"")

    assert checked(capsys, csv_set, "--max-broken", "0.5")[0] == 0
    code, report, _ = checked(capsys, csv_set, "--max-broken", "0.3")
    assert code == 1
    assert "2 of 5 pictures" in report["problems"][0]


def test_one_class_is_none_for_a_classifier(capsys, folder_set):
    for split in ("train", "val"):
        shutil.rmtree(folder_set / split / "dog")
    code, report, _ = checked(capsys, folder_set)

    assert code == 1
    assert "only class is 'cat'" in report["problems"][0]


def test_without_train_nothing_is_learned(capsys, folder_set):
    shutil.rmtree(folder_set / "train")
    code, report, _ = checked(capsys, folder_set)

    assert code == 1
    assert "no split 'train'" in report["problems"][0]


def test_uneven_and_unknown_classes_are_told(capsys, csv_set):
    for i in range(25):
        add_row(csv_set, f"train/a.png,train,street,cat,{i},2,{i + 20},40")
    add_row(csv_set, "val/c.png,val,street,bird,1,2,30,40")
    _, report, _ = checked(capsys, csv_set)

    assert any("27 of cat but 1 of dog" in line for line in report["warnings"])
    assert any("val holds 1 classes that train does not: bird" in line for line in report["warnings"])


@pytest.mark.parametrize(
    ("make", "words", "code", "told"),
    [
        pytest.param(lambda root: None, [], 1, "no data of a known format", id="empty"),
        pytest.param(lambda root: root.rmdir(), [], 1, "there is no folder", id="no folder"),
        pytest.param(lambda root: None, ["--max-broken", "2"], 2, "--max-broken is 2", id="share"),
        pytest.param(lambda root: None, ["--format", "cocoa"], 2, "did you mean 'coco'", id="format"),
        pytest.param(
            lambda root: put(root / "a/x.png"), ["--sheet", "nowhere/x.png"], 5, "nowhere/x.png", id="sheet"
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(capsys, tmp_path, make, words, code, told):
    root = tmp_path / "set"
    root.mkdir()
    make(root)
    found = ask(capsys, "data", "check", root, *words)

    assert (found.code, found.out) == (code, "")
    assert told in found.err
    assert found.err.count("\n") == 1


# the sheet


def test_the_sheet_shows_boxes_in_the_colour_of_their_class(capsys, csv_set, tmp_path):
    sheet = tmp_path / "sheet.png"
    code, _, _ = ask(capsys, "data", "check", csv_set, "--sheet", sheet)
    image = cv2.cvtColor(cv2.imread(str(sheet)), cv2.COLOR_BGR2RGB)

    assert code == 0
    side, caption = contact.TILE, contact.CAPTION
    assert image.shape == (side + caption, 4 * side, 3)
    boxes = {"a.png": 2, "b.png": 1, "c.png": 1, "none.png": 0}
    data = open_any(csv_set)
    order = [photo for _, photo in contact._turns(data, np.random.default_rng(0))]
    for place, photo in enumerate(order):
        tile = image[:side, place * side : (place + 1) * side]
        for box, class_id in zip(photo.xyxy, photo.class_id, strict=True):
            x, y = (box[[0, 3]] * 2 + [0, 40]).round().astype(int)  # twice as large, bars above and below
            assert tuple(tile[min(y, side - 1), x]) == contact.PALETTE[class_id]
        assert len(photo.xyxy) == boxes[photo.path.name]


def test_splits_and_classes_take_turns(folder_set):
    data = open_any(folder_set)
    order = [(split, photo.class_id) for split, photo in contact._turns(data, np.random.default_rng(0))]

    assert order[:4] == [("train", 0), ("val", 0), ("train", 1), ("val", 1)]
    assert len(order) == 8


def test_the_sheet_passes_over_what_is_broken(csv_set):
    for file in csv_set.glob("*/*.png"):
        file.write_bytes(b"")

    assert contact_sheet(open_any(csv_set)).shape == (contact.TILE + contact.CAPTION, contact.TILE, 3)


def test_a_sheet_that_cannot_be_written_leaves_the_old_one(capsys, csv_set, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "sheet.png").write_bytes(b"old")
    (folder / "sheet.png.part").mkdir()  # stands in the way, as a full disk would
    code, _, err = ask(capsys, "data", "check", csv_set, "--sheet", folder / "sheet.png")

    assert code == 5
    assert "sheet.png" in err
    assert (folder / "sheet.png").read_bytes() == b"old"


# the bar


def on_terminal(program):
    """Run Python with stderr at a terminal and return what that shows."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))  # a new one has no columns
    try:
        subprocess.run([sys.executable, "-c", program], stderr=slave, timeout=60, check=True)
        os.set_blocking(master, False)
        return os.read(master, 65536).decode()
    except BlockingIOError:  # nothing is shown
        return ""
    finally:
        os.close(slave)  # not before it was read: some systems drop what is left
        os.close(master)


@pytest.mark.parametrize(("quiet_s", "shows"), [(0.05, True), (60, False)])
def test_only_a_long_check_shows_a_bar(quiet_s, shows):
    program = (
        "import time; from vedette_train import data_cli; "
        f"data_cli.QUIET_S = {quiet_s}\nfor _ in data_cli._followed(range(5)): time.sleep(.1)"
    )
    assert ("pictures" in on_terminal(program)) == shows


# real data


@pytest.mark.parametrize(
    ("folder", "format", "train", "classes"),
    [("objects", "csv", 2157, 71), ("classify/clothing", "folders", 3068, 10)],
)
def test_the_real_sets_are_opened(folder, format, train, classes):
    if not (DATA / folder).is_dir():
        pytest.skip(f"needs shared/data/{folder}, which is not there")
    data = open_any(DATA / folder)

    assert (data.format, data.flaws) == (format, ())
    assert len(data.splits["train"]) == train
    assert len(data.classes) == classes


def test_each_picture_is_read_once_and_in_order(csv_set):
    seen = []

    def follow(places):
        for place in places:
            seen.append((place.split, place.photo.path.name))
            yield place

    check(open_any(csv_set), follow=follow)
    assert seen == [("train", "a.png"), ("train", "b.png"), ("train", "none.png"), ("val", "c.png")]
