from __future__ import annotations

import errno
from pathlib import Path

import cv2
import numpy as np
import pytest

from vedette.errors import SettingsError, SinkError
from vedette.sinks.files import write_atomic
from vedette.sinks.images import PICTURES, ImagesSink, SheetSink
from vedette.sources.images import EXTENSIONS

MS = 1_000_000


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("n", [0, 2])
def test_one_picture_a_frame_by_index(tmp_path, make_results, n):
    with ImagesSink(tmp_path / "made") as sink:
        sink.write(make_results(7, n=n))
        sink.write(make_results(123456, n=n))
    assert names_in(tmp_path / "made") == ["frame-000007.jpg", "frame-123456.jpg"]
    picture = cv2.imread(str(tmp_path / "made" / "frame-000007.jpg"))
    assert picture.shape == (48, 64, 3)
    assert (np.ptp(picture) > 60) == (n > 0)


def test_colours_are_right(tmp_path, make_results):
    results = make_results(n=0)
    results.frame.image[:] = (200, 40, 40)
    with ImagesSink(tmp_path) as sink:
        sink.write(results)
    assert cv2.imread(str(tmp_path / "frame-000000.jpg"))[5, 5] == pytest.approx([40, 40, 200], abs=6)


def test_pictures_keep_the_names_of_a_folder_and_never_replace_each_other(tmp_path, make_results):
    with ImagesSink(tmp_path) as sink:
        for index, source in enumerate(["/a/x.png", "/b/x.JPG", "/b/y.webp", "clip.mp4"]):
            sink.write(make_results(index, source=source))
    assert names_in(tmp_path) == ["clip-000003.jpg", "x-2.jpg", "x.jpg", "y.jpg"]


@pytest.mark.parametrize("ending", [".bmp", ".JPG", ".gif", ".jp2"])
def test_no_picture_is_written_among_those_that_are_read(tmp_path, make_results, ending, monkeypatch):
    """x.bmp would become x.jpg, which may be a picture of the user's own that comes later."""
    (tmp_path / f"x{ending}").write_bytes(b"precious")
    (tmp_path / "x.jpg").write_bytes(b"precious")
    monkeypatch.chdir(tmp_path)
    for source in (tmp_path / f"x{ending}", f"x{ending}"):
        with (
            ImagesSink(tmp_path / "." / "") as sink,
            pytest.raises(SinkError, match=r"x\.\w+ is read from it; name another folder"),
        ):
            sink.write(make_results(source=str(source)))
    assert names_in(tmp_path) == sorted({f"x{ending}", "x.jpg"})
    assert (tmp_path / "x.jpg").read_bytes() == b"precious"


def test_what_is_a_picture_is_one_question():
    assert PICTURES == EXTENSIONS


def test_the_frames_of_a_stream_are_no_pictures_whatever_its_address_ends_in(tmp_path, make_results):
    with ImagesSink(tmp_path) as sink:
        for index in range(3):
            sink.write(make_results(index, source="http://cam/video.jpg"))
    assert names_in(tmp_path) == [f"video-{index:06d}.jpg" for index in range(3)]


@pytest.mark.parametrize(("times_ms", "expected"), [
    pytest.param([0, 400, 800, 1200, 1600, 2000], [0, 3, 5], id="steady"),
    pytest.param([5000, 9000, 9100, 9200, 10_000], [0, 1, 4], id="no burst after a pause"),
])  # fmt: skip
def test_every(tmp_path, make_results, times_ms, expected):
    with ImagesSink(tmp_path, every_s=1.0) as sink:
        for k, t in enumerate(times_ms):
            sink.write(make_results(k, time_ns=t * MS))
    assert names_in(tmp_path) == [f"frame-{k:06d}.jpg" for k in expected]


@pytest.mark.parametrize(("where", "options", "error", "words"), [
    pytest.param("no/such", {}, SinkError, "no does not exist", id="missing parent"),
    pytest.param("file", {}, SinkError, "is a file, not a folder", id="a file"),
    pytest.param("new", {"quality": 0}, SettingsError, "quality=0", id="quality"),
    pytest.param("new", {"every_s": -1}, SettingsError, "every=-1s", id="every"),
])  # fmt: skip
def test_folders_that_cannot_be_opened(tmp_path, where, options, error, words):
    (tmp_path / "file").write_text("")
    with pytest.raises(error, match=words):
        ImagesSink(tmp_path / where, **options)
    assert names_in(tmp_path) == ["file"]


def test_a_full_disk_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    path = tmp_path / "x.jpg"
    path.write_bytes(b"good")

    def full(self, data):
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(SinkError, match=r"x\.jpg: the disk is full .*MB free"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"good"
    assert names_in(tmp_path) == ["x.jpg"]


def test_a_disk_that_became_read_only_is_told(tmp_path, monkeypatch):
    def read_only(self, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", read_only)
    monkeypatch.setattr(Path, "unlink", read_only)
    with pytest.raises(SinkError, match=r"x\.jpg: Read-only file system"):
        write_atomic(tmp_path / "x.jpg", b"new")


def test_a_lost_folder_is_named(tmp_path, make_results):
    sink = ImagesSink(tmp_path / "made")
    (tmp_path / "made").rmdir()
    with pytest.raises(SinkError, match=r"made/frame-000000\.jpg: No such file"):
        sink.write(make_results())


@pytest.mark.parametrize("frames", [1, 2, 5, 12, 100])
def test_a_sheet_shows_frames_evenly(tmp_path, make_results, monkeypatch, frames):
    captions = []
    really = cv2.putText
    monkeypatch.setattr(cv2, "putText", lambda c, text, *r: (captions.append(text), really(c, text, *r)))
    with SheetSink(tmp_path / "sheet.png", columns=3, count=5, width=100) as sink:
        for k in range(frames):
            sink.write(make_results(k, n=0, time_ns=k * 100 * MS))
            assert len(sink._kept) < 10  # memory is bounded
    shown = [int(text[1:].split()[0]) for text in captions]
    assert len(shown) == min(frames, 5)
    assert shown[0] == 0
    steps = np.diff(shown)
    assert frames < 3 or steps.max() <= 2 * steps.min()
    assert shown[-1] >= 0.8 * (frames - 1)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    columns, rows = min(3, len(shown)), -(-len(shown) // 3)
    assert sheet.shape == (8 + rows * (75 + 24 + 8), 8 + columns * 108, 3)


@pytest.mark.parametrize("size_wh", [(1, 1), (3840, 20), (20, 2160)], ids=str)
def test_a_sheet_of_odd_sizes(tmp_path, make_results, size_wh):
    with SheetSink(tmp_path / "sheet.jpg", width=64) as sink:
        for k, size in enumerate([size_wh, (64, 48), size_wh]):
            sink.write(make_results(k, size_wh=size))
    assert cv2.imread(str(tmp_path / "sheet.jpg")) is not None


def test_without_a_frame_there_is_no_sheet(tmp_path):
    (tmp_path / "sheet.png").write_bytes(b"old")
    with SheetSink(tmp_path / "sheet.png"):
        pass
    assert (tmp_path / "sheet.png").read_bytes() == b"old"


@pytest.mark.parametrize(("name", "options", "error", "words"), [
    pytest.param("a.gif", {}, SettingsError, "ends in .png", id="ending"),
    pytest.param("a.png", {"columns": 0}, SettingsError, "columns=0 must be 1..16", id="columns"),
    pytest.param("no/a.png", {}, SinkError, "no does not exist", id="folder"),
])  # fmt: skip
def test_sheets_that_cannot_be_opened(tmp_path, name, options, error, words):
    with pytest.raises(error, match=words):
        SheetSink(tmp_path / name, **options)
    assert list(Path(tmp_path).iterdir()) == []
