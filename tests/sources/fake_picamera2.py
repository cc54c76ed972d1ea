"""A fake of picamera2 0.3.38 and of the little of libcamera used with it: same names, same parameters.

Formats lie in memory as picamera2's do: "RGB888" is B, G, R. `MIRRORED` names the methods whose parameters are
compared with the real package's wherever that can be imported, and always by `make test-camera`.
"""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np

__all__ = ["MIRRORED", "CompletedRequest", "Job", "Picamera2", "World", "modules"]

MIRRORED = (
    "__init__",
    "cancel_all_and_flush",
    "capture_request",
    "close",
    "configure",
    "create_video_configuration",
    "global_camera_info",
    "start",
    "stream_configuration",
)


@dataclass
class World:
    """What surrounds the cameras, and what became of them."""

    cameras: list[dict[str, Any]] = field(
        default_factory=lambda: [{"Model": "imx708", "Id": "/base", "Num": 0}]
    )
    colour: tuple[int, int, int] = (200, 120, 40)
    init_error: Exception | None = None
    configure_error: Exception | None = None
    delivers_format: str | None = None
    stride_padding: int = 0
    sequences: list[int | None] = field(default_factory=lambda: list(range(100)))
    stamps_ns: list[int | None] = field(default_factory=lambda: [None] * 100)
    frame_duration_us: tuple[int, int, int] | None = (8333, 1_000_000, 33333)
    array_error: Exception | None = None
    stop_blocks: threading.Event | None = None
    configured: dict[str, Any] = field(default_factory=dict)
    held: int = 0
    closed: int = 0


class Job:
    """As picamera2.job.Job."""

    def __init__(self) -> None:
        self._future: Future[Any] = Future()

    def get_result(self, timeout: float | None = None) -> Any:
        return self._future.result(timeout=timeout)

    def cancel(self) -> None:
        self._future.set_exception(CancelledError())


class CompletedRequest:
    """As picamera2.request.CompletedRequest."""

    def __init__(self, world: World, sequence: int | None, stamp_ns: int | None) -> None:
        self.request: Any = SimpleNamespace(sequence=sequence) if sequence is not None else SimpleNamespace()
        self._world, self._stamp_ns = world, stamp_ns
        world.held += 1

    def get_metadata(self) -> dict[str, Any]:
        assert self.request is not None
        return {} if self._stamp_ns is None else {"SensorTimestamp": self._stamp_ns}

    def make_array(self, name: str) -> np.ndarray:
        assert self.request is not None
        if self._world.array_error is not None:
            raise self._world.array_error
        config = self._world.configured[name]
        width, height = config["size"]
        image = np.full((height, width, 3), self._world.colour, np.uint8)
        return in_memory(image, config["format"], padding=self._world.stride_padding)

    def release(self) -> None:
        self.request = None
        self._world.held -= 1


class Picamera2:
    """As picamera2.Picamera2. `world` is set by `modules`."""

    world: World

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        raise NotImplementedError

    def __init__(
        self, camera_num: int = 0, verbose_console: Any = None, tuning: Any = None, allocator: Any = None
    ) -> None:
        if self.world.init_error is not None:
            raise self.world.init_error
        self._jobs: list[Job] = []
        self._started = False
        self.camera_controls: dict[str, Any] = {}
        if self.world.frame_duration_us is not None:
            self.camera_controls["FrameDurationLimits"] = self.world.frame_duration_us

    def create_video_configuration(
        self,
        main: Any = {},  # noqa: B006 - as the real one
        lores: Any = None,
        raw: Any = {},  # noqa: B006
        transform: Any = None,
        colour_space: Any = None,
        buffer_count: int = 6,
        controls: Any = {},  # noqa: B006
        display: str | None = "main",
        encode: str | None = "main",
        queue: bool = True,
        sensor: Any = {},  # noqa: B006
        use_case: str = "video",
    ) -> dict[str, Any]:
        return {
            "main": {"format": "XBGR8888", "size": (1280, 720)} | main,
            "lores": None if lores is None else {"format": "YUV420", "size": (1280, 720)} | lores,
            "transform": transform,
            "colour_space": colour_space,
            "buffer_count": buffer_count,
            "controls": controls,
            "queue": queue,
        }

    def configure(self, camera_config: Any = None) -> None:
        if self.world.configure_error is not None:
            raise self.world.configure_error
        if self.world.delivers_format is not None:
            camera_config["main"]["format"] = self.world.delivers_format
        self.world.configured = camera_config

    def stream_configuration(self, name: str = "main") -> dict[str, Any]:
        return dict(self.world.configured[name])

    def start(self, config: Any = None, show_preview: bool = False) -> None:
        self._started = True

    def capture_request(self, wait: Any = None, signal_function: Any = None, flush: Any = None) -> Any:
        assert self._started, "Camera has not been started"
        job = Job()
        self._jobs.append(job)
        if self.world.sequences:
            stamp_ns = self.world.stamps_ns.pop(0) if self.world.stamps_ns else None
            job._future.set_result(CompletedRequest(self.world, self.world.sequences.pop(0), stamp_ns))
            self._jobs.remove(job)
        return job.get_result() if wait is None or wait is True else job

    def cancel_all_and_flush(self) -> None:
        for job in self._jobs:
            job.cancel()
        self._jobs = []

    def close(self) -> None:
        if self.world.stop_blocks is not None:
            self.world.stop_blocks.wait()
        self._started = False
        self.world.closed += 1


def modules(world: World) -> dict[str, ModuleType]:
    """Return the modules ``picamera2`` and ``libcamera`` of `world`, for sys.modules."""
    picamera2, libcamera = ModuleType("picamera2"), ModuleType("libcamera")
    members = {"world": world, "global_camera_info": staticmethod(lambda: list(world.cameras))}
    picamera2.Picamera2 = type("Picamera2", (Picamera2,), members)  # type: ignore[attr-defined]
    libcamera.Transform = SimpleNamespace  # type: ignore[attr-defined]
    libcamera.ColorSpace = SimpleNamespace(Smpte170m=lambda: "Smpte170m")  # type: ignore[attr-defined]
    return {"picamera2": picamera2, "libcamera": libcamera}


def in_memory(rgb: np.ndarray, fmt: str, *, padding: int) -> np.ndarray:
    """Return (H, W, 3) `rgb` as picamera2's make_array gives it in `fmt`, planar rows `padding` bytes longer."""
    alpha = np.full((*rgb.shape[:2], 1), 255, np.uint8)
    if fmt in ("BGR888", "MJPEG"):
        return rgb.copy()
    if fmt == "RGB888":
        return np.ascontiguousarray(rgb[..., ::-1])
    if fmt == "XBGR8888":
        return np.dstack([rgb, alpha])
    if fmt == "XRGB8888":
        return np.dstack([rgb[..., ::-1], alpha])
    planar = cv2.cvtColor(np.pad(rgb, ((0, 0), (0, padding), (0, 0)), "edge"), cv2.COLOR_RGB2YUV_I420)
    height, width = rgb.shape[:2]
    if fmt == "YUV420":
        return planar
    u, v = planar[height : height * 5 // 4].reshape(-1), planar[height * 5 // 4 :].reshape(-1)
    if fmt == "YVU420":
        return np.concatenate([planar[:height].reshape(-1), v, u]).reshape(planar.shape)
    pairs = {"NV12": (u, v), "NV21": (v, u)}
    if fmt in pairs:
        mixed = np.stack(pairs[fmt], -1).reshape(height // 2, width + padding)
        return np.ascontiguousarray(np.vstack([planar[:height], mixed])[:, :width])
    chroma = np.stack([u, v], -1).reshape(height // 2, -1).repeat(2, 0).reshape(height, width + padding)
    order = {"YUYV": (0, 1), "UYVY": (1, 0)}[fmt]
    return np.stack([(planar[:height], chroma)[k] for k in order], -1)
