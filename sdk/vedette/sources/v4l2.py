"""USB cameras by Video4Linux. Unverified on hardware: tested on a stand-in for OpenCV's capture.

A camera module on the ribbon cable (CSI) has ``/dev/video*`` nodes too, but they give raw sensor data that nothing
has set up; such a node is refused, and the URI that works is named.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from vedette.errors import SourceError, SourceLost
from vedette.sources.capture import Capture, OpenCapture, open_capture, to_rgb
from vedette.sources.uri import LIVE_OPTIONS, SourceURI
from vedette.types import Closing, Frame

__all__ = ["V4L2Camera", "VideoNode", "list_nodes", "open_v4l2", "parse_capability", "query_node", "refusal"]

DEFAULT_SIZE_WH = (1280, 720)
TIMEOUT_S = 5.0

# linux/videodev2.h
_VIDIOC_QUERYCAP = 0x80685600
_CAPABILITY = struct.Struct("=16s32s32sIII12x")
_VIDEO_CAPTURE, _DEVICE_CAPS = 0x1, 0x80000000

# Receivers, image processors and codecs that libcamera drives on the Raspberry Pi; names as in the kernel.
_CSI_DRIVERS = (
    "unicam",
    "bcm2835-isp",
    "bcm2835-codec",
    "rp1-cfe",
    "pispbe",
    "pisp_be",
    "rpi-hevc-dec",
    "rpivid",
)
_SYS_FOLDER = Path("/sys/class/video4linux")
_RETRY_S = 0.01
_log = logging.getLogger("vedette")


@dataclass(frozen=True, slots=True)
class VideoNode:
    """A video node as its driver describes it: path, driver, card (product) name, bus, capability bits."""

    path: str
    driver: str
    card: str
    bus: str
    caps: int


def parse_capability(data: bytes, path: str) -> VideoNode:
    """Return what `data`, the 104 bytes of a `struct v4l2_capability`, says of the node at `path`.

    Source: linux/videodev2.h. Where the driver tells the node's own capabilities from the device's, the node's count.
    """
    driver, card, bus, _, caps, node_caps = _CAPABILITY.unpack(data)
    driver_name, card_name, bus_name = (
        p.split(b"\0")[0].decode(errors="replace") for p in (driver, card, bus)
    )
    return VideoNode(path, driver_name, card_name, bus_name, node_caps if caps & _DEVICE_CAPS else caps)


def refusal(node: VideoNode) -> str | None:
    """Return why `node` cannot serve as a USB camera and what to use instead; None where it can."""
    if node.driver.startswith(_CSI_DRIVERS):
        return (
            f"{node.path} belongs to the board's own camera interface (driver {node.driver}) and gives no pictures by "
            "itself; open the camera module with picamera2://0."
        )
    if not node.caps & _VIDEO_CAPTURE:
        return (
            f"{node.path} ({node.card}, driver {node.driver}) does not capture pictures: it is a metadata, output or "
            "codec node. A USB camera often has two nodes; try the one with the number below."
        )
    return None


def list_nodes(sys_folder: Path = _SYS_FOLDER) -> tuple[tuple[str, str], ...]:
    """Return path and card name of each video node, in the order of their numbers.

    Args:
        sys_folder: holds a folder for each video node, with its card name in the file ``name``.
    """
    nodes = []
    for folder in sys_folder.glob("video*"):
        try:
            nodes.append((f"/dev/{folder.name}", (folder / "name").read_text(errors="replace").strip()))
        except OSError:
            continue  # unplugged meanwhile
    return tuple(sorted(nodes, key=lambda node: (len(node[0]), node[0])))


def query_node(path: str) -> VideoNode:
    """Return what the driver says of the video node at `path`.

    Raises:
        SourceError: it does not exist, may not be opened, is in use, or is not a video node.
    """
    data = bytearray(_CAPABILITY.size)
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        try:
            fcntl.ioctl(handle, _VIDIOC_QUERYCAP, data)
        finally:
            os.close(handle)
    except OSError as error:
        raise SourceError(explain(path, error.errno or 0, list_nodes())) from error
    return parse_capability(bytes(data), path)


def explain(path: str, code: int, nodes: Sequence[tuple[str, str]]) -> str:
    """Return what the error number `code` (`errno`) means for the video node `path`, and what to do."""
    present = "; ".join(f"{p} ({card})" for p, card in nodes) or "none"
    if code in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return f"there is no camera {path}. Video devices here: {present}. Check its cable, or try another USB port."
    if code in (errno.EACCES, errno.EPERM):
        return f"no permission to open {path}: run 'sudo usermod -aG video $USER', then log in again."
    if code == errno.EBUSY:
        return f"{path} is in use by another program; 'fuser -v {path}' names it."
    if code in (errno.ENOTTY, errno.EINVAL, errno.EISDIR):
        return f"{path} is not a video device. Video devices here: {present}."
    return f"{path} cannot be opened: {os.strerror(code)}. Video devices here: {present}."


def open_v4l2(uri: SourceURI) -> V4L2Camera:
    """Open the USB camera that `uri` names: ``v4l2:///dev/video0?size=1280x720&fps=30&timeout=5``.

    Raises:
        SourceError: there is no such camera, it is in use, not permitted, or not a USB camera.
        SettingsError: an option is unknown or wrong.
    """
    uri.allow(*LIVE_OPTIONS)
    path = f"/dev/video{uri.path}" if uri.path.isdigit() else uri.path
    return V4L2Camera(
        path,
        name=str(uri),
        size_wh=uri.size_wh() or DEFAULT_SIZE_WH,
        fps=uri.fps(),
        timeout_s=uri.timeout_s(TIMEOUT_S),
    )


class V4L2Camera(Closing):
    """A USB camera. It is asked for motion JPEG, since raw pictures soon fill a USB 2 bus.

    Args:
        path: the node, ``/dev/video0``.
        name: what the user called it; the path when not given.
        size_wh: width and height to ask for; the camera gives the nearest that it has.
        fps: rate to ask for, its own default when not given.
        timeout_s: seconds without a good frame before it counts as lost.
        opener: opens the node, see `OpenCapture`.
        query: describes the node, see `query_node`.

    Attributes:
        size_wh: what the camera gives.
        fps: what the camera gives, 0 where it does not say.

    Raises:
        SourceError: there is no such camera, it is in use, not permitted, or not a USB camera.
    """

    live = True

    def __init__(
        self,
        path: str,
        *,
        name: str | None = None,
        size_wh: tuple[int, int] = DEFAULT_SIZE_WH,
        fps: float | None = None,
        timeout_s: float = TIMEOUT_S,
        opener: OpenCapture = open_capture,
        query: Callable[[str], VideoNode] = query_node,
    ) -> None:
        self.name = path if name is None else name
        self.timeout_s = timeout_s
        self._path = path
        self._query = query
        problem = refusal(query(path))
        if problem is not None:
            raise SourceError(problem)
        self._closed = threading.Event()
        self._index = 0
        self._capture: Capture | None = opener(path, cv2.CAP_V4L2, ())
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(explain(path, errno.EBUSY, ()))
        self.size_wh, self.fps = _negotiate(self._capture, size_wh, fps, self.name)

    def read(self) -> Frame | None:
        """Return the next frame, None after `close`. A broken picture is passed over.

        Raises:
            SourceError: the camera never gave a picture.
            SourceLost: it was unplugged, or gave no picture for `timeout_s`.
        """
        end_s = time.monotonic() + self.timeout_s
        while self._capture is not None and not self._closed.is_set():
            good, picture = self._capture.read()
            now_ns = time.monotonic_ns()
            if good and picture is not None and picture.size:
                index, self._index = self._index, self._index + 1
                stamp_ns = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
                return Frame(to_rgb(picture), index, _plausible(stamp_ns, now_ns), now_ns, self.name)
            if time.monotonic() >= end_s:
                raise self._lost()
            self._closed.wait(_RETRY_S)
        return None

    def close(self) -> None:
        """Free the camera."""
        self._closed.set()
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _lost(self) -> SourceError:
        try:
            self._query(self._path)
        except SourceError as error:
            return SourceLost(f"{self.name}: the camera went away: {error}")
        silent = f"{self.name}: no picture for {self.timeout_s:g} s."
        if self._index:
            return SourceLost(f"{silent} Check its cable and power supply; plug it in again.")
        return SourceError(
            f"{silent} Another program may hold the camera ('fuser -v {self._path}' names it); with several USB "
            "cameras the bus may be full ('No space left on device' in the system's log): ask for a smaller size or "
            "fps, or use a port of another USB controller."
        )


def _plausible(stamp_ns: int, now_ns: int) -> int:
    """Return the driver's time stamp where it is on the monotonic clock, else the time of arrival."""
    return stamp_ns if 0 <= now_ns - stamp_ns < 1_000_000_000 else now_ns


def _negotiate(
    capture: Capture, size_wh: tuple[int, int], fps: float | None, name: str
) -> tuple[tuple[int, int], float]:
    """Ask for motion JPEG, size and rate; return size and rate that the camera chose, and warn where they differ."""
    capture.set(
        cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")
    )  # before the size: it decides which there are
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, size_wh[0])
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size_wh[1])
    if fps is not None:
        capture.set(cv2.CAP_PROP_FPS, fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    got_wh = round(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    got_fps = capture.get(cv2.CAP_PROP_FPS)
    if got_wh != size_wh:
        _log.warning("%s: asked for %d x %d, the camera gives %d x %d", name, *size_wh, *got_wh)
    if fps is not None and abs(got_fps - fps) > 0.5:
        _log.warning("%s: asked for %g fps, the camera gives %g", name, fps, got_fps)
    return got_wh, got_fps
