"""`vedette faces` on a full disk and on a medium that cannot be written: one clear line, and the gallery as it was."""

from __future__ import annotations

import os

import cv2
import pytest

from asked import ask, golden_png
from vedette.galleries import gallery_place, open_gallery
from vedette.zoo import bundled

pytestmark = pytest.mark.skipif(
    "face-embedder" not in bundled(), reason="the model face-embedder is not bundled here"
)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    image = cv2.imread(str(golden_png(folder)))
    cv2.imwrite(
        str(folder / "ann.png"), cv2.resize(image, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_LANCZOS4)
    )
    return folder / "ann.png"


@pytest.fixture
def gallery(small_disk, photo, capsys, monkeypatch):
    """Return the words that name a gallery of Ann, calibrated, on a disk of 1 MB, and what remounts the disk."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    disk, mount = small_disk
    words = ("--gallery", disk / "people.db")
    assert ask(capsys, "faces", "enroll", "Ann", photo, *words).code == 0
    assert ask(capsys, "faces", "calibrate", *words).code == 0
    return words, mount


def fill(disk, *, free=0):
    """Write a file that leaves `free` bytes."""
    stat = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(stat.f_bavail * stat.f_frsize - free))


def state(words):
    with open_gallery(gallery_place(words[1], environ={})) as opened:
        assert opened.integrity() == "ok"
        made = opened.calibration()
        return [(p.name, p.templates) for p in opened.people()], made.far, made.threshold


VERBS = pytest.mark.parametrize(
    "verb",
    [
        pytest.param(("enroll", "Bob", "PHOTO"), id="enroll"),
        pytest.param(("remove", "Ann"), id="remove"),
        pytest.param(("calibrate", "--far", "0.02"), id="calibrate"),
        pytest.param(("rekey",), id="rekey"),
    ],
)


def refused(capsys, verb, words, photo):
    """Run the verb, which must end with 8 and one line, and return that line."""
    answer = ask(capsys, "faces", *(photo if word == "PHOTO" else word for word in verb), *words)
    lines = answer.err.splitlines()
    assert (answer.code, answer.out.strip().split(";")[0]) in (
        (8, ""),
        (8, "enrolled 0 pictures of 0 people"),
    )
    assert len(lines) == 1, answer.err
    assert lines[0].startswith("vedette: the gallery ")
    return lines[0]


@VERBS
def test_a_full_disk(gallery, capsys, photo, verb):
    words, _ = gallery
    before = state(words)
    fill(words[1].parent)
    assert "the disk is full" in refused(capsys, verb, words, photo)
    (words[1].parent / "filler").unlink()
    assert state(words) == before
    assert {path.name for path in words[1].parent.iterdir()} == {"people.db", "gallery.key"}


@VERBS
def test_a_medium_that_is_read_only(gallery, capsys, photo, verb):
    words, mount = gallery
    before = state(words)
    mount("remount,ro,size=1m")
    assert "may write the folder" in refused(capsys, verb, words, photo)
    mount("remount,rw,size=1m")
    assert state(words) == before


def test_who_was_erased_is_gone_though_the_disk_is_too_full_to_take_the_traces_away(gallery, capsys, photo):
    """Room for the log of the erasure, none for a second copy of the file: it must not say that nothing was changed."""
    words, _ = gallery
    assert ask(capsys, "faces", "enroll", "Bob", photo, *words).code == 0
    size = words[1].stat().st_size
    for free in range(40_000, 4 * size, 8_192):
        fill(words[1].parent, free=free)
        answer = ask(capsys, "faces", "remove", "Ann", *words)
        (words[1].parent / "filler").unlink()
        names = [name for name, _ in state(words)[0]]
        assert answer.code == (0 if "erased Ann" in answer.out else 8)
        if names == ["Bob"]:
            break
        assert "nothing was changed" in answer.err
    assert answer.code == 8
    assert "what was deleted is gone, its traces are not" in answer.err
    assert "nothing was changed" not in answer.err
    with open_gallery(gallery_place(words[1], environ={})) as opened:
        assert not opened.purge_pending, "opening it with room has taken them away"
