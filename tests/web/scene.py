"""Made-up results, a pump that writes them to a dashboard, and ways to ask it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MappingProxyType

import httpx
import numpy as np

from vedette.types import Faces, Frame, ModelInfo, Results
from vedette.web.dashboard import Dashboard

__all__ = ["MODEL", "STREAM", "TOKEN", "Pump", "eventually", "get", "make_results", "viewer"]

TOKEN = "correct-horse-battery"
STREAM = b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n"

MODEL = ModelInfo("face-detector", "1.2.3", "0123456789abcdef" * 4, "LiteRT 9")


def make_results(index: int, *, size_wh: tuple[int, int] = (320, 240), drops: int = 0) -> Results:
    """Return a frame whose bright bar moves with `index`, one face in it, 30 ms old."""
    width, height = size_wh
    image = np.full((height, width, 3), (20, 40, 90), np.uint8)
    left = index * 16 % width
    image[:, left : left + 16] = (250, 200, 40)
    box = np.array([[width * 0.4, height * 0.3, width * 0.6, height * 0.7]], np.float32)
    points = np.full((1, 5, 2), (width * 0.5, height * 0.5), np.float32)
    face = Faces(
        box, np.ones(1, np.float32), np.zeros(1, np.int32), np.full(1, -1, np.int32), ("face",), points
    )
    now_ns = time.monotonic_ns()
    frame = Frame(image, index, now_ns, now_ns - 30_000_000, "made up")
    return Results(
        frame,
        MappingProxyType({"faces": face}),
        MappingProxyType({"faces": MODEL}),
        MappingProxyType({"faces": 12_000_000}),
        now_ns,
        MappingProxyType({"late": drops}),
    )


class Pump:
    """Writes results to a dashboard, 25 a second, until it is stopped; goes on where it was."""

    def __init__(self, dashboard: Dashboard, size_wh: tuple[int, int]) -> None:
        self.index = 0
        self._dashboard, self._size_wh = dashboard, size_wh
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None

    def _run(self) -> None:
        while not self._stop.wait(0.04):
            self._dashboard.write(make_results(self.index, size_wh=self._size_wh, drops=self.index // 10))
            self.index += 1


def eventually(condition: Callable[[], bool], *, within_s: float = 3.0) -> bool:
    """Return whether `condition` becomes true in time."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def get(dashboard: Dashboard, path: str, **headers: str) -> httpx.Response:
    port = dashboard.address[1]
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(f"http://127.0.0.1:{port}{path}", headers=names, timeout=5, trust_env=False)


@contextmanager
def viewer(dashboard: Dashboard, request: bytes = STREAM) -> Iterator[socket.socket]:
    """Watch, and never read unless told to."""
    with socket.create_connection(dashboard.address, timeout=60) as connection:
        connection.sendall(request)
        yield connection
