"""Pictures from a camera module through picamera2 and libcamera, on a Raspberry Pi.

::

    picamera2://0?size=1280x720&fps=30
    picamera2://0?size=1280x720&lores=320x180&stream=lores     scaled by the camera's own processor

picamera2 always has a ``main`` stream, and can have a smaller ``lores`` stream of the same moment that the
image processor scales at no cost to the CPU. A `Frame` holds one picture, so `stream` says which of the two
it is: main (what people look at), or lores, where only the models look.

picamera2 names formats by the bits of a word, highest first: its "RGB888" lies in memory as B, G, R, and its
"BGR888" as R, G, B. So main is asked for as BGR888 and arrives as RGB with no conversion; lores, which on
many boards can only be YUV, is converted here.

Seen to work with the real picamera2 0.3.38 on libcamera 0.7.1's virtual camera (``make test-camera``):
opening, NV12 pictures in the right colours, times and numbers of frames, closing, opening again, a missing
camera, a taken camera. Unverified on hardware: BGR888 and YUV420 as an image processor delivers them, main
and lores together, frame rates, exposure, `rotate`, and everything about the CSI cable.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.errors import MissingDependencyError, SettingsError, SourceError, SourceLost
from vedette.sources.uri import LIVE_OPTIONS, SourceURI
from vedette.types import Closing, Frame, Image

__all__ = ["Picamera2Source", "open_picamera2", "to_rgb"]

_log = logging.getLogger(__name__)

_SIZE_WH = (1280, 720)
_TIMEOUT_S = 5.0
_CLOSE_S = 5.0
# One read, one filled, two under way; each is a picture of contiguous memory, scarce on small boards.
_BUFFERS = 4

_CONVERSIONS: Mapping[str, int | None] = MappingProxyType(
    {  # None: already R, G, B in memory
        "BGR888": None,
        "MJPEG": None,
        "RGB888": cv2.COLOR_BGR2RGB,
        "XBGR8888": cv2.COLOR_RGBA2RGB,
        "XRGB8888": cv2.COLOR_BGRA2RGB,
        "YUV420": cv2.COLOR_YUV2RGB_I420,
        "YVU420": cv2.COLOR_YUV2RGB_YV12,
        "NV12": cv2.COLOR_YUV2RGB_NV12,
        "NV21": cv2.COLOR_YUV2RGB_NV21,
        "YUYV": cv2.COLOR_YUV2RGB_YUYV,
        "YVYU": cv2.COLOR_YUV2RGB_YVYU,
        "UYVY": cv2.COLOR_YUV2RGB_UYVY,
    }
)


class Picamera2Source(Closing):
    """A started camera. One thread reads; any thread may close.

    Attributes:
        name: the source as the user named it.
        live: True.
        size_wh: of the pictures in pixels, as the camera agreed to it.
        format: picamera2's name of the format in which they arrive.
        timeout_s: longest wait for a picture.
    """

    live = True

    def __init__(self, camera: Any, *, name: str, stream: str, timeout_s: float) -> None:
        """Take over `camera`, a started picamera2.Picamera2 whose `stream` is read; it is closed here."""
        agreed = camera.stream_configuration(stream)
        self.name = name
        self.size_wh: tuple[int, int] = (int(agreed["size"][0]), int(agreed["size"][1]))
        self.format = str(agreed["format"])
        self._camera = camera
        self._stream = stream
        self.timeout_s = timeout_s
        self._count = _Count()
        self._clock = _SensorClock()
        self._closed = threading.Event()

    def read(self) -> Frame:
        """Return the next picture that the camera completes; those it completed meanwhile are dropped.

        Raises:
            SourceLost: none came within `timeout_s`, or the camera was closed or failed.
        """
        request = self._next_request()
        captured_ns = time.monotonic_ns()
        try:
            sequence = getattr(request.request, "sequence", None)
            sensor_ns = request.get_metadata().get("SensorTimestamp")
            array = request.make_array(self._stream)
        except Exception as error:
            raise SourceLost(f"{self.name}: a picture could not be taken from the camera: {error}") from error
        finally:
            request.release()  # a request that is kept starves the camera of buffers
        image = to_rgb(array, self.format, size_wh=self.size_wh)
        time_ns = self._clock.time_ns(sensor_ns, captured_ns)
        return Frame(image, self._count.index(sequence), time_ns, captured_ns, self.name)

    def close(self) -> None:
        """Stop and free the camera. Returns within 5 s, even if the camera stack hangs."""
        if not self._closed.is_set():
            self._closed.set()
            _shut(self._camera, self.name)

    def _next_request(self) -> Any:
        if self._closed.is_set():
            raise SourceLost(f"{self.name} is closed.")
        try:
            return self._camera.capture_request(wait=False).get_result(timeout=self.timeout_s)
        except TimeoutError as error:
            raise SourceLost(
                f"{self.name}: the camera has delivered no picture for {self.timeout_s:g} s. Check its "
                "cable at both ends, and whether 'rpicam-hello --list-cameras' (older: libcamera-hello) finds it."
            ) from error
        except Exception as error:
            what = "is closed." if self._closed.is_set() else f"failed: {error}"
            raise SourceLost(f"{self.name} {what}") from error


class _Count:
    """Numbers frames from the camera's own sequence, so that frames it dropped show as gaps."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._last = -1

    def index(self, sequence: int | None) -> int:
        """Return the index of the frame with the camera's `sequence`, None where the camera gives none."""
        if sequence is None:
            self._last += 1
            return self._last
        if self._first is None:
            self._first = sequence - (self._last + 1)
        # A camera that starts to count anew must not make frames run backwards.
        if sequence - self._first <= self._last:
            self._first = sequence - (self._last + 1)
        self._last = sequence - self._first
        return self._last


def _boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class _SensorClock:
    """Turns SensorTimestamp into strictly increasing time on the monotonic clock.

    libcamera documents CLOCK_BOOTTIME, video drivers stamp CLOCK_MONOTONIC; the two differ by the time spent
    asleep. A time that lies in the monotonic clock's future can only be boot time.
    """

    def __init__(self, boot_ns: Callable[[], int] = _boot_ns) -> None:
        self._boot_ns = boot_ns
        self._is_boot = False
        self._last_ns = -1

    def time_ns(self, sensor_ns: int | None, now_ns: int) -> int:
        """Return when the scene was seen; `now_ns`, the monotonic clock, where the camera does not say."""
        seen_ns = sensor_ns or now_ns
        self._is_boot = self._is_boot or seen_ns > now_ns
        if self._is_boot and sensor_ns:
            seen_ns = min(sensor_ns - (self._boot_ns() - now_ns), now_ns)
        self._last_ns = max(seen_ns, self._last_ns + 1)
        return self._last_ns


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the URI asks for, checked before any camera is touched."""

    name: str
    number: int
    main_wh: tuple[int, int]
    lores_wh: tuple[int, int] | None
    fps: float | None
    turned: bool
    timeout_s: float


def open_picamera2(uri: SourceURI) -> Picamera2Source:
    """Open and start the camera with the number in `uri`'s path.

    Options: `size` and `lores` (WIDTHxHEIGHT, pixels), `stream` (main or lores), `fps`, `rotate` (0 or 180
    degrees), `timeout` (seconds without a picture).

    Raises:
        SettingsError: an option is not known or not allowed.
        MissingDependencyError: picamera2 cannot be imported; the message has the commands that mend it.
        SourceError: no such camera, it is in use, or it does not accept the size or rate.
    """
    wish = _wish(uri)
    picamera2, libcamera = _import_stack()
    camera = _take(picamera2.Picamera2, wish)
    try:
        camera.configure(_configuration(camera, libcamera, wish))
        _check_rate(camera, wish)
        source = Picamera2Source(
            camera, name=wish.name, stream="lores" if wish.lores_wh else "main", timeout_s=wish.timeout_s
        )
        if source.format not in _CONVERSIONS:
            known = ", ".join(_CONVERSIONS)
            raise SourceError(f"{wish.name} delivers {source.format} pictures, which are not among {known}.")
        camera.start()
    except SourceError:
        _shut(camera, wish.name)
        raise
    except Exception as error:
        _shut(camera, wish.name)
        raise SourceError(f"{wish.name}: the camera refuses this size or rate: {error}.") from error
    return source


def to_rgb(array: NDArray[np.uint8], fmt: str, *, size_wh: tuple[int, int]) -> Image:
    """Return the picture in `array` as (H, W, 3) uint8 RGB, contiguous.

    Args:
        array: as picamera2's make_array gives it: (H, W, 3 or 4); (H*3/2, stride) for planar YUV;
            (H, stride/2, 2) for packed YUV.
        fmt: picamera2's name of the format, a key of the table above.
        size_wh: W, H in pixels; what a row has beyond W is padding.
    """
    code = _CONVERSIONS[fmt]
    image = array if code is None else cv2.cvtColor(array, code)
    return np.ascontiguousarray(image[: size_wh[1], : size_wh[0]], dtype=np.uint8)


def _wish(uri: SourceURI) -> _Wish:
    uri.allow(*LIVE_OPTIONS, "lores", "stream", "rotate")
    if not uri.path.isdecimal():
        raise SettingsError(
            f"{uri}: '{uri.path}' is not a camera's number; the first camera is picamera2://0."
        )
    wish = _Wish(
        name=str(uri),
        number=int(uri.path),
        main_wh=uri.size_wh() or _SIZE_WH,
        lores_wh=uri.size_wh("lores"),
        fps=uri.fps(),
        turned=uri.choice("rotate", ("0", "180"), "0") == "180",
        timeout_s=uri.timeout_s(_TIMEOUT_S),
    )
    if (uri.choice("stream", ("main", "lores"), "main") == "lores") != (wish.lores_wh is not None):
        raise SettingsError(
            f"{uri}: 'lores' and 'stream=lores' belong together. A frame holds one picture: give both to get "
            "the small one (lores=320x180&stream=lores), or neither to get the main one."
        )
    (width, height), lores_wh = wish.main_wh, wish.lores_wh or (0, 0)
    if lores_wh[0] > width or lores_wh[1] > height:
        raise SettingsError(f"{uri}: lores must not be larger than size, {width}x{height}.")
    return wish


def _configuration(camera: Any, libcamera: Any, wish: _Wish) -> Any:
    return camera.create_video_configuration(
        main={"size": wish.main_wh, "format": "BGR888"},
        lores=None if wish.lores_wh is None else {"size": wish.lores_wh, "format": "YUV420"},
        transform=libcamera.Transform(hflip=wish.turned, vflip=wish.turned),
        colour_space=libcamera.ColorSpace.Smpte170m(),  # the matrix and range of OpenCV's YUV conversions
        buffer_count=_BUFFERS,
        controls={} if wish.fps is None else {"FrameDurationLimits": (round(1e6 / wish.fps),) * 2},
        queue=False,  # else a slow reader is handed the picture that has waited, not the newest
        display=None,
        encode=None,
    )


def _check_rate(camera: Any, wish: _Wish) -> None:
    if wish.fps is None:
        return
    limits = camera.camera_controls.get("FrameDurationLimits")
    if limits is None:
        raise SourceError(f"{wish.name}: this camera's frame rate cannot be set; leave 'fps' out.")
    slowest, fastest = 1e6 / max(limits[1], 1), 1e6 / max(limits[0], 1)
    if not slowest * 0.99 <= wish.fps <= fastest * 1.01:  # limits are whole microseconds
        raise SourceError(
            f"{wish.name}: at this size the camera delivers {slowest:.3g} to {fastest:.3g} frames/s, "
            f"not {wish.fps:g}."
        )


def _take(picamera2: Any, wish: _Wish) -> Any:
    found = picamera2.global_camera_info()
    if wish.number >= len(found):
        raise SourceError(_no_camera(wish, found))
    try:
        return picamera2(wish.number)
    except IndexError as error:  # what older picamera2 says of a camera that is not there
        raise SourceError(_no_camera(wish, found)) from error
    except RuntimeError as error:
        causes = _causes(error)
        if "no camera number" in causes.lower() or "not found" in causes.lower():
            raise SourceError(_no_camera(wish, found)) from error
        raise SourceError(
            f"{wish.name}: the camera cannot be taken; most likely another program has it. "
            f"'sudo fuser -v /dev/media* /dev/video*' names the programs that hold cameras. ({causes})"
        ) from error


def _shut(camera: Any, name: str) -> None:
    """Close `camera`, or give up after 5 s.

    After "Camera frontend has timed out", libcamera's stop can block for ever, and a process must still end.
    """
    worker = threading.Thread(target=_close, args=(camera, name), name="picamera2-close", daemon=True)
    worker.start()
    worker.join(_CLOSE_S)
    if worker.is_alive():
        _log.warning("%s: the camera does not stop; it stays taken until this process ends.", name)


def _close(camera: Any, name: str) -> None:
    try:
        camera.cancel_all_and_flush()  # wakes a reader
        camera.close()
    except Exception as error:  # the camera is gone either way, and nobody can do more about it
        _log.warning("%s: closing the camera failed: %s", name, error)


def _no_camera(wish: _Wish, found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return (
            f"{wish.name}: libcamera finds no camera. Check the cable at both ends (contacts facing the "
            "right way), run 'rpicam-hello --list-cameras', and open a USB camera as v4l2:///dev/video0."
        )
    known = ", ".join(f"{n} ({camera.get('Model', camera.get('Id', '?'))})" for n, camera in enumerate(found))
    return f"{wish.name}: there is no camera {wish.number}; libcamera finds {known}."


def _causes(error: BaseException | None) -> str:
    """Return the messages of `error` and of its causes; picamera2 says what happened only in the last."""
    said: list[str] = []
    while error is not None:
        said.append(str(error).rstrip("."))
        error = error.__cause__
    return ": ".join(said)


def _import_stack() -> tuple[Any, Any]:
    try:
        return importlib.import_module("picamera2"), importlib.import_module("libcamera")
    except Exception as error:  # an extension built for another Python or NumPy raises nearly anything
        raise MissingDependencyError(_how_to_install(error)) from error


def _how_to_install(error: Exception) -> str:
    apt = "sudo apt install -y python3-picamera2"
    if sys.prefix != sys.base_prefix and not _sees_system_packages(Path(sys.prefix)):
        return (
            f"picamera2 cannot be seen from the virtual environment {sys.prefix}: it comes with the system. "
            "Run these; what is installed in the environment stays:\n"
            f"  {apt}\n"
            f"  /usr/bin/python3 -m venv --system-site-packages {sys.prefix}"
        )
    if isinstance(error, ModuleNotFoundError) and error.name == "picamera2":
        return (
            f"picamera2 is not installed for {sys.executable}. On Raspberry Pi OS run:\n  {apt}\n"
            "and use the system's Python, /usr/bin/python3, or an environment made with "
            "'/usr/bin/python3 -m venv --system-site-packages'."
        )
    return (
        f"picamera2 is installed but cannot be imported: {error}. It is built for the system's Python and "
        f"NumPy: use /usr/bin/python3 (this is {sys.executable}), and if the environment has a NumPy of its own, "
        "run:\n"
        f"  {sys.executable} -m pip uninstall -y numpy"
    )


def _sees_system_packages(prefix: Path) -> bool:
    try:
        text = (prefix / "pyvenv.cfg").read_text().lower()
    except OSError:
        return False
    return any(line.replace(" ", "") == "include-system-site-packages=true" for line in text.splitlines())
