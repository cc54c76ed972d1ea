from __future__ import annotations

import errno
from collections import namedtuple
from pathlib import Path

import cv2
import numpy as np
import pytest

from vedette.errors import SettingsError, SinkError
from vedette.sinks import video
from vedette.sinks.video import CODECS, VideoSink, choose_fps

MS = 1_000_000


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def read_back(path):
    """Return the rate and the mean level of each picture of a video."""
    capture = cv2.VideoCapture(str(path))
    levels = []
    while True:
        more, picture = capture.read()
        if not more:
            break
        levels.append(round(float(picture.mean())))
    rate = capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    return rate, levels


@pytest.mark.parametrize(("times_ms", "fps"), [
    pytest.param([], 25, id="no frame"),
    pytest.param([5], 25, id="one frame"),
    pytest.param([k * 33.3333 for k in range(30)], 30, id="30 fps"),
    pytest.param([k * 1001 / 30 for k in range(30)], 30_000 / 1001, id="29.97 fps"),
    pytest.param([k * 33.3333 for k in range(30) if k not in (3, 4, 17)], 30, id="30 fps with drops"),
    pytest.param([k * 1000 for k in range(4)], 1, id="1 fps"),
    pytest.param([0, 4000, 8000], 0.25, id="a frame in 4 s"),
    pytest.param([0, 70, 140], 14.286, id="no usual rate"),
    pytest.param([0, 1e-3, 2e-3], 240, id="absurdly fast"),
])  # fmt: skip
def test_rate_is_chosen_from_the_first_frames(times_ms, fps):
    assert choose_fps([round(t * MS) for t in times_ms]) == pytest.approx(fps)


@pytest.mark.parametrize("ending", sorted(CODECS))
def test_every_ending_can_be_read_back(tmp_path, make_results, ending):
    path = tmp_path / f"out{ending}"
    with VideoSink(path) as sink:
        for k in range(40):
            sink.write(make_results(k, n=0, time_ns=k * 40 * MS, level=5 * k + 20))
        assert not path.exists()
    rate, levels = read_back(path)
    assert rate == pytest.approx(25)
    assert levels == pytest.approx([5 * k + 20 for k in range(40)], abs=4)  # lossy codec
    assert names_in(tmp_path) == [f"out{ending}"]


def test_colours_and_boxes_are_right(tmp_path, make_results, make_faces):
    results = make_results(n=0)
    results.frame.image[:] = (200, 40, 40)
    with VideoSink(tmp_path / "out.avi") as sink:
        sink.write(results)
        assert tuple(results.frame.image[0, 0]) == (200, 40, 40)
    _, picture = cv2.VideoCapture(str(tmp_path / "out.avi")).read()
    assert picture[10, 10] == pytest.approx([40, 40, 200], abs=12)  # BGR, lossy
    with VideoSink(tmp_path / "boxes.avi") as sink:
        sink.write(make_results(n=1))
    _, drawn = cv2.VideoCapture(str(tmp_path / "boxes.avi")).read()
    assert np.ptp(drawn) > 60


@pytest.mark.parametrize(("times_ms", "expected"), [
    pytest.param([0, 100, 200], [0, 1, 2], id="even"),
    pytest.param([0, 100, 400, 500], [0, 1, 1, 1, 2, 3], id="dropped frames: the last stands still"),
    pytest.param([0, 20, 40, 100, 120, 200], [0, 3, 5], id="faster than the rate: skipped"),
    pytest.param([0, 90, 210, 290, 410], [0, 1, 2, 3, 4], id="jitter"),
    pytest.param([7000, 7100], [0, 1], id="starts anywhere"),
])  # fmt: skip
def test_the_video_keeps_the_time_of_the_scene(tmp_path, make_results, times_ms, expected):
    path = tmp_path / "out.avi"
    with VideoSink(path, fps=10) as sink:
        for k, t in enumerate(times_ms):
            sink.write(make_results(k, n=0, time_ns=t * MS, level=30 * k + 20))
    _, levels = read_back(path)
    assert levels == pytest.approx([30 * k + 20 for k in expected], abs=4)


def test_a_long_silence_is_cut(tmp_path, make_results):
    path = tmp_path / "out.avi"
    with VideoSink(path, fps=5) as sink:
        for k, t in enumerate([0, 3_600_000, 3_600_200]):
            sink.write(make_results(k, n=0, time_ns=t * MS, level=60 * k + 40))
    _, levels = read_back(path)
    assert len(levels) == 52
    assert levels[-3:] == pytest.approx([40, 100, 160], abs=4)


class SlowEncoder:
    """A clock that goes 0.1 s with each picture written; counts them."""

    def __init__(self, monkeypatch):
        self.count, really = 0, video._Writer._put

        def put(writer, picture):
            self.count += 1
            really(writer, picture)

        monkeypatch.setattr(video._Writer, "_put", put)
        monkeypatch.setattr(video, "time", self)

    def monotonic(self):
        return self.count / 10


def test_no_write_takes_long_after_a_silence_and_the_time_is_caught_up(tmp_path, make_results, monkeypatch):
    path, encoder = tmp_path / "out.avi", SlowEncoder(monkeypatch)
    written = []
    with VideoSink(path, fps=30) as sink:
        for k in range(60):  # ten frames a second, a silence of 9 s before the third
            before = encoder.count
            sink.write(make_results(k, n=0, time_ns=(k + (90 if k > 1 else 0)) * 100 * MS))
            written.append(encoder.count - before)
    assert max(written) <= 12  # 1.1 s of encoding, where 270 pictures stand still
    assert len(read_back(path)[1]) == encoder.count == (59 + 90) * 3 + 1


def test_a_short_silence_is_held_in_full_by_a_quick_encoder(tmp_path, make_results):
    path = tmp_path / "out.avi"
    with VideoSink(path, fps=30) as sink:
        for k, t in enumerate([0, 5000]):
            sink.write(make_results(k, n=0, time_ns=t * MS, level=60 * k + 40))
    _, levels = read_back(path)
    assert len(levels) == 151
    assert levels[-2:] == pytest.approx([40, 100], abs=4)


@pytest.mark.parametrize("first", [(64, 48), (65, 49), (1, 1)], ids=str)
def test_frames_that_change_size_are_fitted_in(tmp_path, make_results, first):
    path = tmp_path / "out.avi"
    with VideoSink(path, fps=10) as sink:
        for k, size_wh in enumerate([first, (48, 64), (320, 20), (1, 1)]):
            sink.write(make_results(k, time_ns=k * 100 * MS, size_wh=size_wh))
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 4
    size = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    assert size == tuple(max(16, side // 2 * 2) for side in first)


def test_what_waits_for_the_rate_is_bounded(tmp_path, make_results, monkeypatch):
    monkeypatch.setattr(video, "_WAIT_BYTES", 5 * 64 * 48 * 3)
    with VideoSink(tmp_path / "out.avi") as sink:
        for k in range(20):
            sink.write(make_results(k, time_ns=k * MS))
            assert len(sink._waiting) < 5


def test_no_frame_makes_no_video_and_spares_the_old_one(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"good")
    with VideoSink(path):
        pass
    assert path.read_bytes() == b"good"
    assert names_in(tmp_path) == ["out.mp4"]


def test_an_old_video_is_replaced_by_a_whole_one_also_when_the_run_breaks(tmp_path, make_results):
    path = tmp_path / "out.avi"
    path.write_bytes(b"old")

    def run():
        with VideoSink(path) as sink:
            sink.write(make_results(0))
            assert path.read_bytes() == b"old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert len(read_back(path)[1]) == 1


def test_a_full_disk_keeps_the_old_video_and_a_playable_part(tmp_path, make_results, monkeypatch):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"good")
    sink = VideoSink(path, fps=10)
    sink.write(make_results(0, time_ns=0))
    usage = namedtuple("usage", "total used free")(10, 9, 1_000_000)
    monkeypatch.setattr(video.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SinkError, match=r"out\.part\.mp4: the disk is full \(1\.0 MB free\)"):
        sink.write(make_results(1, time_ns=100 * MS))
    sink.close()
    assert path.read_bytes() == b"good"
    assert len(read_back(tmp_path / "out.part.mp4")[1]) == 1


def test_a_video_that_cannot_be_read_back_is_not_put_in_place(tmp_path, make_results):
    path = tmp_path / "out.avi"
    path.write_bytes(b"good")
    sink = VideoSink(path, fps=10)
    sink.write(make_results(0))
    (tmp_path / "out.part.avi").unlink()
    with pytest.raises(SinkError, match="cannot be read back"):
        sink.close()
    assert path.read_bytes() == b"good"


@pytest.mark.parametrize(("name", "fps", "error", "words"), [
    pytest.param("out.txt", None, SettingsError, r"ends in one of \.avi, \.mkv", id="ending"),
    pytest.param("out.mp4", 0, SettingsError, "fps=0", id="rate 0"),
    pytest.param("out.mp4", 1000, SettingsError, "fps=1000", id="rate 1000"),
    pytest.param("\udc80.mp4", None, SettingsError, "must be UTF-8", id="bytes that are no text"),
    pytest.param("missing/out.mp4", None, SinkError, "missing does not exist", id="missing folder"),
    pytest.param("folder.mp4", None, SinkError, "is a folder", id="a folder"),
])  # fmt: skip
def test_what_cannot_be_opened(tmp_path, name, fps, error, words):
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(error, match=words):
        VideoSink(tmp_path / name, fps=fps)
    assert names_in(tmp_path) == ["folder.mp4"]


def test_no_encoder_is_told_and_nothing_is_left(tmp_path, make_results, monkeypatch):
    monkeypatch.setitem(CODECS, ".mp4", "zzzz")
    monkeypatch.setattr(cv2.VideoWriter, "isOpened", lambda self: False)
    sink = VideoSink(tmp_path / "out.mp4", fps=10)
    with pytest.raises(SinkError, match="no zzzz encoder"):
        sink.write(make_results(0))
    sink.close()
    assert names_in(tmp_path) == []


def test_two_sinks_of_one_video_are_refused(tmp_path, make_results):
    path = tmp_path / "out.avi"
    with VideoSink(path, fps=10) as sink:
        sink.write(make_results(0))
        with pytest.raises(SinkError, match=r"out\.part\.avi: another sink or program is writing it"):
            VideoSink(tmp_path / "." / "out.avi")
        sink.write(make_results(1))
    assert len(read_back(path)[1]) == 1
    VideoSink(path).close()  # and the next run may
    assert names_in(tmp_path) == ["out.avi"]


def test_a_disk_that_became_read_only_is_no_traceback(tmp_path, monkeypatch):
    sink = VideoSink(tmp_path / "out.avi")

    def read_only(self, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", read_only)
    sink.close()


def test_closed_is_closed(tmp_path, make_results):
    sink = VideoSink(tmp_path / "out.avi")
    sink.write(make_results(0))
    sink.close()
    sink.close()
    with pytest.raises(SinkError, match="closed"):
        sink.write(make_results(1))
