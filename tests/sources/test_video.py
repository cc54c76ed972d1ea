"""Video files: times, ends, damage, pace."""

import os
import re
import struct
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from vedette.errors import SettingsError, SourceError, SourceLost
from vedette.sources.live import Live
from vedette.sources.uri import open_source
from vedette.sources.video import VideoFile
from vedette.types import Frame, Source


def write_video(path: Path, n: int = 60, fps: float = 20.0, size_wh: tuple[int, int] = (64, 48)) -> Path:
    """Write `n` frames: red left half, white above it, black right half."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"MJPG"), fps, size_wh)
    assert writer.isOpened()
    w, h = size_wh
    picture = np.zeros((h, w, 3), np.uint8)
    picture[:, : w // 2] = (0, 0, 255)
    picture[: h // 2, : w // 2] = 255
    for _ in range(n):
        writer.write(picture)
    writer.release()
    return path


def read_all(source: Source) -> list[Frame]:
    with source:
        return list(iter(source.read, None))


class FakeCapture:
    """Plays times; keeps `cv2.VideoCapture`'s own signatures."""

    def __init__(self, times_ms: Sequence[float], fps: float = 10.0, declared: float = 0.0) -> None:
        self.times_ms, self.fps, self.declared, self.at, self.released = times_ms, fps, declared, -1, False

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.at += 1
        good = self.at < len(self.times_ms)
        return good, np.zeros((2, 2, 3), np.uint8) if good else None

    def get(self, propId: int) -> float:
        known = {cv2.CAP_PROP_FPS: self.fps, cv2.CAP_PROP_FRAME_COUNT: self.declared}
        return self.times_ms[self.at] if propId == cv2.CAP_PROP_POS_MSEC else known[propId]

    def set(self, propId: int, value: float) -> bool:
        return True

    def release(self) -> None:
        self.released = True


def test_every_frame_comes_in_rgb_with_its_time(tmp_path: Path) -> None:
    frames = read_all(open_source(str(write_video(tmp_path / "a.avi", n=5))))
    assert [f.index for f in frames] == [0, 1, 2, 3, 4]
    assert [f.time_ns for f in frames] == [0, 50_000_000, 100_000_000, 150_000_000, 200_000_000]
    assert frames[0].image.shape == (48, 64, 3)
    red = frames[0].image[40, 10].astype(int)
    assert red[0] > 230, red
    assert red[2] < 25, red
    assert frames[0].source == str(tmp_path / "a.avi")


@pytest.mark.parametrize(
    ("times_ms", "fps", "expected_ms"),
    [
        pytest.param([0, 100, 200], 10, [0, 100, 200], id="good"),
        pytest.param([0, 0, 0, 0], 10, [0, 100, 200, 300], id="none-given"),
        pytest.param([0, 0, 0], 0, [0, 1e3 / 30, 2e3 / 30], id="neither-times-nor-rate"),
        pytest.param([0, 100, 100, 90, 200], 10, [0, 100, 100 + 1e-6, 100 + 2e-6, 200], id="stutter"),
        pytest.param([1, 2000, 1, 101], 10, [1, 2000, 2100, 2200], id="joined"),
    ],
)
def test_times_grow_strictly(
    tmp_path: Path, times_ms: list[float], fps: float, expected_ms: list[float]
) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(b"any")
    frames = read_all(VideoFile(path, opener=lambda *_: FakeCapture(times_ms, fps)))
    assert [f.time_ns for f in frames] == pytest.approx([ms * 1e6 for ms in expected_ms], abs=1)
    assert all(a.time_ns < b.time_ns for a, b in pairwise(frames))


def test_rotated_recording_is_turned_upright(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", n=2)
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44  # ISO/IEC 14496-12, 8.3.2: behind 40 bytes of version 0
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 48 << 16, 0, 1 << 30)
    path.write_bytes(data)
    image = read_all(VideoFile(path))[0].image
    assert image.shape == (64, 48, 3)
    assert image[5, -5].min() > 200  # the white corner went from top left to top right


def test_size_change_keeps_the_first_size(tmp_path: Path) -> None:
    sizes = [(48, 64)] * 3 + [(96, 160)] * 3
    path = tmp_path / "a.mjpeg"
    path.write_bytes(b"".join(cv2.imencode(".jpg", np.zeros((*s, 3), np.uint8))[1].tobytes() for s in sizes))
    assert [f.size_wh for f in read_all(VideoFile(path))] == [(64, 48)] * 6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "there is no file", id="missing"),
        pytest.param(b"", "is empty", id="zero-bytes"),
        pytest.param(b"no video at all\n" * 50, "not a video", id="text"),
    ],
)
def test_what_is_not_a_video_is_one_clear_error(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        VideoFile(path)
    assert "clip.mp4" in str(caught.value)


def test_a_name_that_is_not_utf8_is_an_error_not_a_crash(tmp_path: Path) -> None:
    write_video(tmp_path / "a.avi", n=1).rename(tmp_path / os.fsdecode(b"\x80.avi"))
    (tmp_path / os.fsdecode(b"\x80")).write_bytes(b"any")
    for name in (b"\x80.avi", b"\x80"):
        with pytest.raises(SourceError, match="not UTF-8 cannot be opened; rename"):
            open_source(f"{tmp_path}/{os.fsdecode(name)}")


def test_no_decodable_frame_is_an_error_even_in_a_loop(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(b"any")
    with (
        VideoFile(path, loop=True, opener=lambda *_: FakeCapture([])) as source,
        pytest.raises(SourceError, match="no frame"),
    ):
        source.read()


def test_cut_off_video_gives_what_is_good_then_says_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    frames = []
    with VideoFile(path) as source, pytest.raises(SourceLost, match=r"cut off: \d+ of about 60 frames"):
        while (frame := source.read()) is not None:
            frames.append(frame)
    assert 10 < len(frames) < 40


@pytest.mark.parametrize("at", [30, 56], ids=["middle", "near the end"])
def test_a_damaged_picture_is_left_out_and_the_rest_is_read(tmp_path: Path, at: int) -> None:
    path = write_video(tmp_path / "a.avi")
    data = bytearray(path.read_bytes())
    starts = [found.start() for found in re.finditer(b"\xff\xd8\xff", data)]
    data[starts[at] : starts[at + 1] - 16] = bytes(starts[at + 1] - 16 - starts[at])
    path.write_bytes(data)
    frames = read_all(VideoFile(path))
    assert [f.time_ns // 1_000_000 for f in frames] == [50 * k for k in range(60) if k != at]


@pytest.mark.parametrize(
    ("n", "declared", "lost"),
    [
        pytest.param(10, 10, False, id="whole"),
        pytest.param(10, 0, False, id="nothing-declared"),
        pytest.param(10, -1e14, False, id="nonsense-declared"),
        pytest.param(19, 20, False, id="within-the-margin"),
        pytest.param(5, 10, True, id="half"),
    ],
)
def test_shortfall(tmp_path: Path, n: int, declared: float, lost: bool) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(b"any")
    source = VideoFile(path, opener=lambda *_: FakeCapture([100.0 * i for i in range(n)], 10, declared))
    if lost:
        with pytest.raises(SourceLost):
            read_all(source)
    else:
        assert len(read_all(source)) == n


def test_variable_rate_guess_of_the_frame_count_is_not_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.webm"
    path.write_bytes(b"any")
    capture = FakeCapture([0, 40, 80, 120, 995], fps=1000, declared=1000)  # one second, called 1000 fps
    assert len(read_all(VideoFile(path, opener=lambda *_: capture))) == 5
    assert capture.released


def test_loop_goes_on_with_index_and_time(tmp_path: Path) -> None:
    with open_source(f"{write_video(tmp_path / 'a.avi', n=3)}?loop=1") as source:
        frames = [source.read() for _ in range(7)]
    assert [f.index for f in frames if f] == list(range(7))
    assert [f.time_ns // 1_000_000 for f in frames if f] == [0, 50, 100, 150, 200, 250, 300]


def test_real_pace_is_live_and_waits_for_the_time_of_each_frame(tmp_path: Path) -> None:
    start_ns = time.monotonic_ns()
    with open_source(f"{write_video(tmp_path / 'a.avi', n=4)}?pace=real") as source:
        assert source.live
        frames = list(iter(source.read, None))
    assert len(frames) == 4
    assert all(f.captured_ns >= f.time_ns >= start_ns for f in frames)
    assert [(f.time_ns - frames[0].time_ns) // 1_000_000 for f in frames] == [0, 50, 100, 150]


def test_a_gap_at_real_pace_is_no_dead_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vedette.sources.live.CAMERA_TIMEOUT_S", 0.1)
    path = tmp_path / "x.mp4"
    path.write_bytes(b"any")
    with Live(VideoFile(path, real_time=True, opener=lambda *_: FakeCapture([0, 400]))) as source:
        frames = list(iter(source.read, None))
    assert [f.time_ns - frames[0].time_ns for f in frames] == [0, 400_000_000]


def test_a_long_gap_at_real_pace_is_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vedette.sources.video._LONGEST_WAIT_NS", 200_000_000)
    path = tmp_path / "x.mp4"
    path.write_bytes(b"any")
    captured = FakeCapture([0, 3_600_000, 3_600_100])
    start_s = time.monotonic()
    frames = read_all(VideoFile(path, real_time=True, opener=lambda *_: captured))
    assert time.monotonic() - start_s < 5
    cut_ns, next_ns = (b.time_ns - a.time_ns for a, b in pairwise(frames))
    assert 200_000_000 <= cut_ns < 5_000_000_000  # counted from when the picture was decoded
    assert next_ns == 100_000_000
    assert all(f.captured_ns >= f.time_ns for f in frames)


def test_after_close_there_is_no_frame(tmp_path: Path) -> None:
    source = VideoFile(write_video(tmp_path / "a.avi", n=3))
    source.close()
    source.close()
    assert source.read() is None


@pytest.mark.parametrize(
    ("options", "near"),
    [pytest.param("pase=real", "pace", id="name"), pytest.param("pace=reel", "real", id="value")],
)
def test_unknown_option_names_the_nearest(tmp_path: Path, options: str, near: str) -> None:
    with pytest.raises(SettingsError, match=f"did you mean '{near}'"):
        open_source(f"{write_video(tmp_path / 'a.avi', n=1)}?{options}")
