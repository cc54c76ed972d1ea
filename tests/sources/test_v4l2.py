"""USB cameras on a stand-in for OpenCV's capture; the kernel's structures from tables."""

import errno
import struct
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from vedette.errors import SettingsError, SourceError, SourceLost
from vedette.sources import v4l2
from vedette.sources.uri import parse_source
from vedette.sources.v4l2 import (
    V4L2Camera,
    VideoNode,
    explain,
    list_nodes,
    open_v4l2,
    parse_capability,
    query_node,
    refusal,
)

CAPTURE, META, M2M, STREAMING, DEVICE_CAPS = 0x1, 0x00800000, 0x00008000, 0x04000000, 0x80000000
WEBCAM = VideoNode("/dev/video0", "uvcvideo", "HD Webcam C270", "usb-1", CAPTURE | STREAMING)


def capability(driver: str, card: str, caps: int, device_caps: int) -> bytes:
    return struct.pack(
        "=16s32s32sIII3I",
        driver.encode(),
        card.encode(),
        b"usb-0000:01:00.0-1.2",
        0x060100,
        caps,
        device_caps,
        0,
        0,
        0,
    )


class FakeCapture:
    """A webcam; keeps `cv2.VideoCapture`'s own signatures."""

    def __init__(
        self, frames: list[object], *, opens: bool = True, best_wh: tuple[int, int] = (1920, 1080)
    ) -> None:
        self.frames, self.opens, self.best_wh = list(frames), opens, best_wh
        self.asked: list[tuple[int, float]] = []
        self.props: dict[int, float] = {cv2.CAP_PROP_FPS: 30.0}
        self.stamp_ms = 0.0
        self.released = 0

    def isOpened(self) -> bool:
        return self.opens

    def read(self) -> tuple[bool, object]:
        frame = self.frames.pop(0) if self.frames else None
        return frame is not None, frame

    def get(self, propId: int) -> float:
        return self.stamp_ms if propId == cv2.CAP_PROP_POS_MSEC else self.props.get(propId, 0.0)

    def set(self, propId: int, value: float) -> bool:
        self.asked.append((propId, value))
        limits = {cv2.CAP_PROP_FRAME_WIDTH: self.best_wh[0], cv2.CAP_PROP_FRAME_HEIGHT: self.best_wh[1]}
        self.props[propId] = min(value, limits.get(propId, value))
        return True

    def release(self) -> None:
        self.released += 1


def camera(capture: FakeCapture, **options: object) -> V4L2Camera:
    return V4L2Camera("/dev/video0", opener=lambda *_: capture, query=lambda _: WEBCAM, **options)  # type: ignore[arg-type]


PICTURE = np.full((4, 6, 3), (10, 20, 30), np.uint8)


@pytest.mark.parametrize(
    ("driver", "caps", "device_caps", "expected"),
    [
        pytest.param("uvcvideo", CAPTURE | META | DEVICE_CAPS, CAPTURE, CAPTURE, id="node-tells-its-own"),
        pytest.param("uvcvideo", CAPTURE | META | DEVICE_CAPS, META, META, id="metadata-node"),
        pytest.param("gspca", CAPTURE, 0, CAPTURE, id="old-driver"),
    ],
)
def test_capability(driver: str, caps: int, device_caps: int, expected: int) -> None:
    data = capability(driver, "HD Webcam", caps, device_caps)
    assert len(data) == 104
    node = parse_capability(data, "/dev/video3")
    assert node == VideoNode("/dev/video3", driver, "HD Webcam", "usb-0000:01:00.0-1.2", expected)


@pytest.mark.parametrize(
    ("driver", "caps", "message"),
    [
        ("uvcvideo", CAPTURE, None),
        ("vivid", CAPTURE, None),
        ("bm2835 mmal", CAPTURE, None),  # the old camera stack works by V4L2
        ("unicam", CAPTURE, "picamera2://0"),
        ("bcm2835-isp", CAPTURE, "picamera2://0"),
        ("bcm2835-codec", M2M, "picamera2://0"),
        ("rp1-cfe", CAPTURE, "picamera2://0"),
        ("pispbe", CAPTURE, "picamera2://0"),
        ("uvcvideo", META, "metadata"),
        ("hantro-vpu", M2M, "codec"),
    ],
)
def test_refusal(driver: str, caps: int, message: str | None) -> None:
    reason = refusal(VideoNode("/dev/video0", driver, "card", "bus", caps))
    assert reason is None if message is None else message in (reason or "")


def test_csi_node_is_refused_before_it_is_opened() -> None:
    csi = VideoNode("/dev/video0", "unicam", "unicam", "platform", CAPTURE)
    with pytest.raises(SourceError, match="picamera2://0"):
        V4L2Camera("/dev/video0", opener=lambda *_: pytest.fail("opened"), query=lambda _: csi)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOENT, r"no camera /dev/video9\. Video devices here: /dev/video0 \(HD Webcam\)"),
        (errno.EACCES, "usermod -aG video"),
        (errno.EBUSY, "fuser -v /dev/video9"),
        (errno.ENOTTY, "not a video device"),
        (errno.EIO, "cannot be opened"),
    ],
)
def test_each_error_number_is_a_sentence(code: int, message: str) -> None:
    text = explain("/dev/video9", code, [("/dev/video0", "HD Webcam")])
    with pytest.raises(SourceError, match=message):
        raise SourceError(text)
    assert "devices here: none" in explain("/dev/video9", errno.ENOENT, [])


def test_nodes_are_listed_in_order(tmp_path: Path) -> None:
    for number, name in ((10, "codec\n"), (2, "HD Webcam\n")):
        (tmp_path / f"video{number}").mkdir()
        (tmp_path / f"video{number}" / "name").write_text(name)
    (tmp_path / "video3").mkdir()  # went away meanwhile
    assert list_nodes(tmp_path) == (("/dev/video2", "HD Webcam"), ("/dev/video10", "codec"))
    assert list_nodes(tmp_path / "none") == ()


@pytest.mark.parametrize(
    ("path", "message"), [("/dev/video987", "there is no camera"), ("/dev/null", "not a video device")]
)
def test_real_nodes_that_are_no_cameras(path: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        query_node(path)


def test_asks_for_motion_jpeg_before_the_size(caplog: pytest.LogCaptureFixture) -> None:
    capture = FakeCapture([PICTURE])
    with camera(capture, size_wh=(1280, 720), fps=15) as source:
        assert (source.size_wh, source.fps) == ((1280, 720), 15)
        frame = source.read()
    assert [prop for prop, _ in capture.asked] == [
        cv2.CAP_PROP_FOURCC, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS,
        cv2.CAP_PROP_BUFFERSIZE,
    ]  # fmt: skip
    assert int(capture.asked[0][1]).to_bytes(4, "little") == b"MJPG"
    assert frame is not None
    assert frame.image[0, 0].tolist() == [30, 20, 10]
    assert not caplog.records
    assert capture.released == 1


def test_what_the_camera_gives_instead_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with camera(FakeCapture([], best_wh=(640, 480)), size_wh=(1280, 720)) as source:
        assert source.size_wh == (640, 480)
    assert "asked for 1280 x 720, the camera gives 640 x 480" in caplog.text


@pytest.mark.parametrize(
    ("age_ms", "taken"),
    [
        pytest.param(20, True, id="driver's"),
        pytest.param(-1000, False, id="future"),
        pytest.param(1e9, False, id="other-clock"),
    ],
)
def test_time_is_the_drivers_where_it_can_be(age_ms: float, taken: bool) -> None:
    capture = FakeCapture([PICTURE])
    capture.stamp_ms = time.monotonic_ns() / 1e6 - age_ms
    with camera(capture) as source:
        frame = source.read()
    assert frame is not None
    assert (abs(frame.time_ns - capture.stamp_ms * 1e6) < 1000) is taken
    assert (frame.time_ns == frame.captured_ns) is not taken


def test_broken_picture_is_passed_over() -> None:
    with camera(FakeCapture([None, np.zeros((0, 0, 3), np.uint8), PICTURE])) as source:
        frame = source.read()
    assert frame is not None
    assert frame.index == 0


def test_camera_in_use() -> None:
    capture = FakeCapture([], opens=False)
    with pytest.raises(SourceError, match="in use by another program"):
        camera(capture)
    assert capture.released == 1


def test_camera_that_never_gives_a_picture_hints_at_the_bus() -> None:
    with (
        camera(FakeCapture([]), timeout_s=0.03) as source,
        pytest.raises(SourceError, match="No space left on device") as caught,
    ):
        source.read()
    assert not isinstance(caught.value, SourceLost)


def test_camera_that_stops() -> None:
    with camera(FakeCapture([PICTURE]), timeout_s=0.03) as source:
        assert source.read() is not None
        with pytest.raises(SourceLost, match=r"no picture for 0\.03 s"):
            source.read()


def test_unplugged_camera_says_so() -> None:
    source = camera(FakeCapture([PICTURE]), timeout_s=0.03)
    assert source.read() is not None
    source._query = query_node
    source._path = "/dev/video987"
    with source, pytest.raises(SourceLost, match="went away: there is no camera"):
        source.read()


def test_after_close_there_is_no_frame() -> None:
    source = camera(FakeCapture([PICTURE]))
    source.close()
    source.close()
    assert source.read() is None


def test_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = FakeCapture([])
    opened: list[tuple[str, int]] = []
    monkeypatch.setattr(V4L2Camera.__init__, "__kwdefaults__", {
        **V4L2Camera.__init__.__kwdefaults__,
        "opener": lambda path, backend, _: opened.append((path, backend)) or capture,
        "query": lambda _: WEBCAM,
    })  # fmt: skip
    with open_v4l2(parse_source("v4l2://2?size=640x480&timeout=3")) as source:
        assert (source.size_wh, source.timeout_s) == ((640, 480), 3.0)
    assert opened == [("/dev/video2", cv2.CAP_V4L2)]
    with pytest.raises(SettingsError, match="did you mean 'size'"):
        v4l2.open_v4l2(parse_source("/dev/video0?sise=640x480"))
