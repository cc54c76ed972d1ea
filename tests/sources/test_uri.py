"""Names of sources: what they mean, what is refused, and that no password shows."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from vedette.errors import SettingsError, SourceError
from vedette.sources import uri as uri_module
from vedette.sources.images import ImageFiles
from vedette.sources.uri import is_csi_board, open_source, parse_source
from vedette.sources.video import VideoFile


@pytest.mark.parametrize(
    ("text", "scheme", "path", "options"),
    [
        ("0", "camera", "0", {}),
        ("1?fps=30", "camera", "1", {"fps": "30"}),
        ("/dev/video2", "v4l2", "/dev/video2", {}),
        ("/dev/video2?size=640x480", "v4l2", "/dev/video2", {"size": "640x480"}),
        ("picamera2://0?size=1280x720&fps=30", "picamera2", "0", {"size": "1280x720", "fps": "30"}),
        ("PiCamera2://0", "picamera2", "0", {}),
        ("v4l2:///dev/video0", "v4l2", "/dev/video0", {}),
        ("demo://", "demo", "", {}),
        ("rtsp://u:p@h:554/s?ch=1", "rtsp", "rtsp://u:p@h:554/s?ch=1", {}),
        (
            "http://h/v?res=1#timeout=3&give_up=60",
            "http",
            "http://h/v?res=1",
            {"timeout": "3", "give_up": "60"},
        ),
        ("file:///a%20b.mp4?loop=1", "file", "/a b.mp4", {"loop": "1"}),
        ("a b.mp4?pace=real&loop", "file", "a b.mp4", {"pace": "real", "loop": "1"}),
        ("clip.mp4?pace=real&loop=1", "file", "clip.mp4", {"pace": "real", "loop": "1"}),
        ("shot?.jpg", "file", "shot?.jpg", {}),
        ("shot?.jpg?fps=2", "file", "shot?.jpg", {"fps": "2"}),
        ("2024", "file", "2024", {}),
    ],
)
def test_parse(text: str, scheme: str, path: str, options: dict[str, str]) -> None:
    uri = parse_source(text)
    assert (uri.scheme, uri.path, dict(uri.options), uri.text) == (scheme, path, options, text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://admin:secret@10.0.0.1:554/s", "rtsp://admin:***@10.0.0.1:554/s"),
        ("RTSP://admin:secret@h/s", "RTSP://admin:***@h/s"),
        ("rtsp://secret@h/s", "rtsp://***@h/s"),
        ("rtsp://u:se@cr/et@h/s", "rtsp://u:***@h/s"),
        ("http://h/v?user=me&pwd=secret&x=1", "http://h/v?user=me&pwd=***&x=1"),
        ("http://h/v?access_token=secret", "http://h/v?access_token=***"),
        ("rtsp://h/user=a&password=secret&channel=1", "rtsp://h/user=a&password=***&channel=1"),
        ("rtsp://h/user=a_password=secret_channel=1.sdp", "rtsp://h/user=a_password=***"),
        ("http://h:8080/a@b", "http://h:8080/a@b"),
        ("me@home.mp4", "me@home.mp4"),
    ],
)
def test_passwords_do_not_show(text: str, shown: str) -> None:
    uri = parse_source(text)
    assert str(uri) == shown
    assert repr(uri) == f"SourceURI({shown!r})"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "no source is given", id="empty"),
        pytest.param("  ", "no source is given", id="blank"),
        pytest.param("rstp://h/s", "unknown kind of source 'rstp'; did you mean 'rtsp'", id="scheme"),
        pytest.param("picamera://0", "did you mean 'picamera2'", id="near-scheme"),
        pytest.param("demo://?fps=1&fps=2", "option 'fps' .* given twice", id="twice"),
        pytest.param("rtsp://u:secret@h/s#timeout=1&timeout=2", r"u:\*\*\*@h", id="twice-with-password"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_source(text)


def test_unknown_option_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="unknown option of v4l2 source 'siz'; did you mean 'size'"):
        parse_source("/dev/video0?siz=1x1").allow("size", "fps")


@pytest.mark.parametrize("value", ["1280", "0x10", "-1x5", "1280X720", "axb", "999999x1", ""])
def test_bad_size(value: str) -> None:
    with pytest.raises(SettingsError, match="a size such as 1280x720 is needed"):
        parse_source(f"demo://?size={value}").size_wh()


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "fast", "1e9", ""])
def test_bad_fps(value: str) -> None:
    with pytest.raises(SettingsError, match=r"a number, 0\.1 to 1000 is needed"):
        parse_source(f"demo://?fps={value}").fps()


def test_endless_is_no_number() -> None:
    with pytest.raises(SettingsError, match="a number, 0 or more is needed"):
        parse_source("demo://?give_up=inf").number("give_up", 0.0)


def test_options_have_types_and_defaults() -> None:
    full, bare = parse_source("demo://?size=640x480&fps=7.5&timeout=2&loop&mode=a"), parse_source("demo://")
    assert (full.size_wh(), full.fps(), full.timeout_s(5), full.flag("loop")) == ((640, 480), 7.5, 2.0, True)
    assert (bare.size_wh(), bare.fps(), bare.timeout_s(5), bare.flag("loop")) == (None, None, 5.0, False)
    assert (full.choice("mode", "ab", "b"), bare.choice("mode", "ab", "b")) == ("a", "b")
    with pytest.raises(SettingsError, match="unknown value of option 'mode' 'a'"):
        full.choice("mode", ("near", "far"), "far")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param({}, False, id="no-camera-at-all"),
        pytest.param({"video0": "HD Webcam C270\n"}, False, id="usb"),
        pytest.param({"video0": "unicam-image\n", "video10": "bcm2835-codec-decode\n"}, True, id="pi4"),
        pytest.param({"video0": "rp1-cfe-csi2_ch0\n", "video20": "pispbe-input\n"}, True, id="pi5"),
        pytest.param(
            {"video10": "bcm2835-codec-decode\n", "video13": "bcm2835-isp-output0\n"}, False, id="pi4-bare"
        ),
        pytest.param({"video0": "HD Webcam\n", "video1": "unicam-image\n"}, True, id="both"),
    ],
)
def test_camera_number_goes_by_what_the_kernel_has(
    tmp_path: Path, names: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for node, name in names.items():
        (tmp_path / node).mkdir()
        (tmp_path / node / "name").write_text(name)
    assert is_csi_board(tmp_path) is expected
    monkeypatch.setattr(uri_module, "is_csi_board", lambda: expected)
    chosen = uri_module._which_camera(parse_source("1?fps=5"))
    assert (chosen.scheme, chosen.path) == (("picamera2", "1") if expected else ("v4l2", "/dev/video1"))
    assert chosen.options == {"fps": "5"}


def test_file_kinds(tmp_path: Path) -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    (tmp_path / "noext").write_bytes((tmp_path / "a.png").read_bytes())
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    (tmp_path / "video").write_bytes((tmp_path / "a.avi").read_bytes())
    (tmp_path / "a.mjpeg").write_bytes(
        cv2.imencode(".jpg", picture)[1].tobytes() * 3
    )  # begins as a picture does
    kinds = {"a.png": ImageFiles, "noext": ImageFiles, "": ImageFiles, "*.png": ImageFiles,
             "a.avi": VideoFile, "video": VideoFile, "a.mjpeg": VideoFile}  # fmt: skip
    for name, kind in kinds.items():
        for text in (f"{tmp_path}/{name}", f"file://{tmp_path}/{name}"):
            with open_source(text) as source:
                assert type(source) is kind, text


@pytest.mark.parametrize("text", ["nowhere/clip.mp4", "file:///nowhere/photo.jpg", "mycamera"])
def test_what_is_not_there_is_one_clear_error(text: str) -> None:
    with pytest.raises(SourceError, match="there is no file or folder"):
        open_source(text)


def test_every_scheme_has_its_opener() -> None:
    import importlib

    for home in uri_module._HOMES.values():
        module, _, function = home.partition(":")
        assert callable(getattr(importlib.import_module(module), function))
