"""The camera-module source, on a fake that keeps picamera2's signatures. The real one: `make test-camera`."""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sources import fake_picamera2
from sources.fake_picamera2 import World
from vedette.errors import MissingDependencyError, SettingsError, SourceError, SourceLost, VedetteError
from vedette.sources import picamera2 as adapter
from vedette.sources.picamera2 import Picamera2Source, open_picamera2, to_rgb
from vedette.sources.uri import parse_source
from vedette.types import Source

Opener = Callable[[str], Picamera2Source]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    for name, module in fake_picamera2.modules(world).items():
        monkeypatch.setitem(sys.modules, name, module)
    return world


@pytest.fixture
def opened(world: World):  # type: ignore[no-untyped-def]
    sources: list[Picamera2Source] = []

    def opener(text: str = "picamera2://0?size=64x48") -> Picamera2Source:
        sources.append(open_picamera2(parse_source(text)))
        return sources[-1]

    yield opener
    if world.stop_blocks is not None:
        world.stop_blocks.set()
    for source in sources:
        source.close()


def test_it_keeps_the_protocol_of_a_source(opened: Opener) -> None:
    source = opened("picamera2://0?size=64x48")
    assert isinstance(source, Source)
    assert source.timeout_s == 5.0  # Live waits as long
    assert source.live
    assert (source.name, source.size_wh, source.format) == ("picamera2://0?size=64x48", (64, 48), "BGR888")


FORMATS = [
    "BGR888",
    "RGB888",
    "XBGR8888",
    "XRGB8888",
    "MJPEG",
    "YUV420",
    "YVU420",
    "NV12",
    "NV21",
    "YUYV",
    "UYVY",
]


@pytest.mark.parametrize("padding", [0, 16], ids=["tight", "padded"])
@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_arrives_as_rgb(world: World, opened: Opener, fmt: str, padding: int) -> None:
    world.delivers_format, world.stride_padding = fmt, padding
    frame = opened("picamera2://0?size=64x48").read()
    assert frame.image.shape == (48, 64, 3)
    assert frame.image.dtype == np.uint8
    assert frame.image.flags.c_contiguous
    # Eight-bit YUV in limited range and back: within 3 levels. Channels swapped: 80 and more.
    assert np.abs(frame.image.astype(int) - world.colour).max() <= 3


def test_main_is_asked_for_so_that_no_conversion_is_needed(world: World, opened: Opener) -> None:
    opened("picamera2://0?size=64x48")
    assert world.configured["main"] == {"format": "BGR888", "size": (64, 48)}
    array = np.zeros((48, 64, 3), np.uint8)
    assert np.shares_memory(to_rgb(array, "BGR888", size_wh=(64, 48)), array)


def test_it_asks_for_the_newest_frame_and_few_buffers(world: World, opened: Opener) -> None:
    opened("picamera2://0?fps=25&rotate=180")
    got = world.configured
    assert got["main"]["size"] == (1280, 720)
    assert got["queue"] is False
    assert got["buffer_count"] == 4
    assert got["controls"] == {"FrameDurationLimits": (40000, 40000)}
    assert got["transform"].hflip
    assert got["transform"].vflip
    assert got["lores"] is None


def test_lores_is_scaled_by_the_camera_and_read_instead_of_main(world: World, opened: Opener) -> None:
    source = opened("picamera2://0?size=640x480&lores=64x48&stream=lores")
    assert world.configured["lores"] == {"format": "YUV420", "size": (64, 48)}
    assert world.configured["colour_space"] == "Smpte170m"  # what cv2's YUV conversion assumes
    frame = source.read()
    assert frame.size_wh == (64, 48)
    assert np.abs(frame.image.astype(int) - world.colour).max() <= 3


@pytest.mark.parametrize(
    ("sequences", "indices"),
    [
        ([7, 8, 9], [0, 1, 2]),
        ([0, 3, 4], [0, 3, 4]),
        ([None, None, None], [0, 1, 2]),
        ([5, 6, 0, 1], [0, 1, 2, 3]),
        ([5, 5, 8], [0, 1, 4]),
        ([5, None, 8], [0, 1, 3]),
    ],
    ids=["from-zero", "drops-are-gaps", "no-sequence", "camera-counts-anew", "same-twice", "one-missing"],
)
def test_index_counts_what_the_camera_captured(
    world: World, opened: Opener, sequences: list[int | None], indices: list[int]
) -> None:
    world.sequences = list(sequences)
    source = opened("picamera2://0?size=16x16")
    assert [source.read().index for _ in sequences] == indices


SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("stamps", "times"),
    [
        ([90, 95, 99], [90, 95, 99]),
        ([90 + 40, 95 + 40, 99 + 40], [90, 95, 99]),
        ([None, None], [100, 101]),
        ([90, 90, 85, 99], [90, 91, 92, 99]),
        ([130, 60 + 40], [90, 91]),
        ([0, 95], [100, 101]),
    ],
    ids=["monotonic", "boot-time", "no-stamp", "never-backwards", "boot-time-for-good", "zero-is-no-stamp"],
)
def test_sensor_time_becomes_increasing_monotonic_time(stamps: list[int | None], times: list[int]) -> None:
    # The monotonic clock stands at 100, boot time at 140: the board slept for 40.
    clock = adapter._SensorClock(boot_ns=lambda: 140)
    assert [clock.time_ns(stamp, 100) for stamp in stamps] == times


def test_time_is_when_the_sensor_saw_it_and_capture_when_it_arrived(world: World, opened: Opener) -> None:
    seen_ns = time.monotonic_ns() - 50_000_000
    world.stamps_ns = [seen_ns]
    frame = opened("picamera2://0?size=16x16").read()
    assert frame.time_ns == seen_ns
    assert 50_000_000 <= frame.captured_ns - frame.time_ns < SECOND


def test_buffers_always_go_back_to_the_camera(world: World, opened: Opener) -> None:
    source = opened("picamera2://0?size=16x16")
    source.read()
    assert world.held == 0
    world.array_error = RuntimeError("failed to find buffer")
    with pytest.raises(SourceLost, match="failed to find buffer"):
        source.read()
    assert world.held == 0


def test_a_camera_that_falls_silent_is_lost_in_time(world: World, opened: Opener) -> None:
    world.sequences = []
    source = opened("picamera2://0?size=16x16&timeout=0.1")
    began = time.monotonic()
    with pytest.raises(SourceLost, match=r"no picture for 0\.1 s.*cable.*rpicam-hello --list-cameras"):
        source.read()
    assert time.monotonic() - began < 2


def test_close_wakes_a_reader(world: World, opened: Opener) -> None:
    world.sequences = []
    source = opened("picamera2://0?size=16x16&timeout=30")
    raised: list[Exception] = []

    def read() -> None:
        try:
            source.read()
        except SourceLost as error:
            raised.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    time.sleep(0.05)
    source.close()
    reader.join(2)
    assert not reader.is_alive()
    assert "is closed" in str(raised[0])


def test_close_frees_the_camera_once_and_ends_reading(world: World, opened: Opener) -> None:
    source = opened("picamera2://0?size=16x16")
    with source:
        source.read()
    source.close()
    assert world.closed == 1
    with pytest.raises(SourceLost, match="is closed"):
        source.read()


def test_close_returns_even_if_the_camera_never_stops(
    world: World, opened: Opener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(adapter, "_CLOSE_S", 0.1)
    world.stop_blocks = threading.Event()
    source = opened("picamera2://0?size=16x16")
    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        source.close()
    assert time.monotonic() - began < 2
    assert "does not stop" in caplog.text


CAMERAS = [{"Model": "imx708", "Id": "/a", "Num": 0}, {"Model": "ov5647", "Id": "/b", "Num": 1}]


@pytest.mark.parametrize(
    ("change", "text", "wanted"),
    [
        ({"cameras": []}, "picamera2://0", "finds no camera.*cable.*v4l2:///dev/video0"),
        ({"cameras": CAMERAS}, "picamera2://2", r"no camera 2; libcamera finds 0 \(imx708\), 1 \(ov5647\)"),
        (
            {"init_error": IndexError("list index out of range")},
            "picamera2://0",
            r"no camera 0; .* 0 \(imx708\)",
        ),
        ({"init_error": RuntimeError("Camera(s) not found (Do not")}, "picamera2://0", "no camera 0"),
        (
            {"init_error": RuntimeError("Camera __init__ sequence did not complete.")},
            "picamera2://0",
            "another program has it.*fuser -v.*__init__ sequence did not complete",
        ),
        (
            {"configure_error": RuntimeError("Configuration failed")},
            "picamera2://0",
            "refuses.*Configuration failed",
        ),
        ({"delivers_format": "SBGGR10"}, "picamera2://0", "delivers SBGGR10 pictures"),
        ({"frame_duration_us": None}, "picamera2://0?fps=30", "cannot be set; leave 'fps' out"),
        ({}, "picamera2://0?fps=500", r"delivers 1 to 120 frames/s, not 500"),
    ],
    ids=["none", "number", "vanished", "not-found", "busy", "size", "format", "no-rate", "too-fast"],
)
def test_a_camera_that_cannot_be_opened_says_why(
    world: World, opened: Opener, change: dict[str, object], text: str, wanted: str
) -> None:
    for name, value in change.items():
        setattr(world, name, value)
    with pytest.raises(SourceError, match=wanted):
        opened(text)
    assert world.closed == (0 if "init_error" in change or "no camera" in wanted or not world.cameras else 1)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("picamera2://front", "'front' is not a camera's number; .* picamera2://0"),
        ("picamera2://0?lores=320x180", "stream=lores"),
        ("picamera2://0?stream=lores", "lores=320x180&stream=lores"),
        ("picamera2://0?size=320x240&lores=640x480&stream=lores", "not be larger than size, 320x240"),
        ("picamera2://0?sise=320x240", "did you mean 'size'"),
        ("picamera2://0?rotate=90", "unknown value of option 'rotate' '90'"),
        ("picamera2://0?fps=fast", "'fps'"),
    ],
    ids=["path", "lores-alone", "stream-alone", "lores-larger", "typo", "rotate", "fps"],
)
def test_bad_settings_are_refused_before_the_camera_is_touched(
    world: World, opened: Opener, text: str, wanted: str
) -> None:
    world.init_error = AssertionError("touched")
    with pytest.raises(SettingsError, match=wanted):
        opened(text)


def _environment(folder: Path, monkeypatch: pytest.MonkeyPatch, *, system: bool) -> None:
    (folder / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = {str(system).lower()}\n"
    )
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "base_prefix", "/usr")


def _fail_import(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(name: str) -> None:
        raise error

    monkeypatch.setattr(adapter.importlib, "import_module", refuse)


NO_MODULE = ModuleNotFoundError("No module named 'picamera2'", name="picamera2")
BAD_NUMPY = ValueError("numpy.dtype size changed, may indicate binary incompatibility")


@pytest.mark.parametrize(
    ("error", "system", "wanted"),
    [
        (NO_MODULE, False, ["apt install -y python3-picamera2", "-m venv --system-site-packages {prefix}"]),
        (NO_MODULE, True, ["not installed", "apt install -y python3-picamera2"]),
        (BAD_NUMPY, True, ["numpy.dtype size changed", "-m pip uninstall -y numpy"]),
    ],
    ids=["closed-environment", "not-installed", "wrong-numpy"],
)
def test_a_missing_picamera2_names_the_commands_that_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, system: bool, wanted: list[str]
) -> None:
    _environment(tmp_path, monkeypatch, system=system)
    _fail_import(monkeypatch, error)
    with pytest.raises(MissingDependencyError) as caught:
        open_picamera2(parse_source("picamera2://0"))
    for text in wanted:
        assert text.format(prefix=tmp_path) in str(caught.value)
    assert isinstance(caught.value, VedetteError)
    assert caught.value.__cause__ is error


def test_the_fake_has_the_parameters_of_the_real_one() -> None:
    try:
        real = importlib.import_module("picamera2").Picamera2
    except ImportError as error:
        pytest.skip(f"picamera2 cannot be imported here ({error}); make test-camera compares the two")
    for name in fake_picamera2.MIRRORED:
        parameters = [
            list(inspect.signature(getattr(c, name)).parameters) for c in (real, fake_picamera2.Picamera2)
        ]
        assert parameters[0] == parameters[1], name
