"""A virtual camera over real photographs, for a machine with no camera and no network.

::

    demo://?seed=0&size=1280x720&fps=30                 like a camera: 30 frames a second, whoever is late misses some
    demo://?pace=none&seconds=10                        like a file: every frame, as fast as it is read

The photographs are those inside the scikit-image package. One shows a face (Eileen Collins, NASA, public domain); it
is hung alone and in groups, larger and smaller, among a cat, a coffee, a motorcycle and a rocket. A hand-held camera
looks at them: it pans, zooms, rolls and trembles, its exposure drifts, its sensor has noise, quick moves blur, and
every few seconds it cuts to another wall.

Every frame is a pure function of the settings and its index, and `DemoSource.truth` says where its faces are.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.errors import SettingsError, SourceLost
from vedette.sources.demo_walls import WALL_WH, Scene, Wall, find_photographs, hang_all
from vedette.sources.uri import SourceURI
from vedette.types import Closing, Frame, Image

__all__ = ["DemoSettings", "DemoSource", "open_demo"]

_NOISE_MARGIN = 64
_NOISE_LEVELS = 4.0  # standard deviation, of 255
_HASTE = 4.0
_ROLL_DEG = 10.0
_SHUTTER = 0.5  # a frame is exposed for half of its time
_WALL_S = 3.0
# Of x, y, view, roll and stops, as in `_Pose`: how much, and how fast in radians a second.
_TREMBLE = ((3.0, 7.3), (3.0, 9.1), (12.0, 0.9), (0.8, 2.1), (0.25, 3.7))


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What the virtual camera does.

    Attributes:
        seed: chooses the order of the walls and every movement.
        size_wh: of the pictures, pixels.
        fps: frames a second.
        live: True: paced by the clock. False: every frame at once.
        seconds: length, math.inf for no end.
    """

    seed: int = 0
    size_wh: tuple[int, int] = (1280, 720)
    fps: float = 30.0
    live: bool = True
    seconds: float = math.inf


@dataclass(frozen=True, slots=True)
class _Pose:
    """Where the camera looks: centre `x`, `y` and width `view` in wall pixels; `roll`, degrees; exposure, `stops`."""

    x: float
    y: float
    view: float
    roll: float
    stops: float


@dataclass(frozen=True, slots=True)
class _Path:
    """How the camera moves before one wall: `begin` to `end`, each as in `_Pose`, with a tremble of this `phase`.

    The greater the `haste` (1 or more), the later it starts, the quicker it moves and the longer it rests at the end.
    """

    begin: tuple[float, ...]
    end: tuple[float, ...]
    phase: tuple[float, ...]
    haste: float

    def at(self, part: float, now_s: float) -> _Pose:
        """Return where the camera looks at `part` 0..1 of the way; the hand's tremble goes with `now_s`."""
        part = min(1.0, max(0.0, 0.5 + self.haste * (part - 0.5)))
        ease = part * part * (3 - 2 * part)
        x, y, view, roll, stops = (
            start * (1 - ease) + end * ease + size * math.sin(now_s * rate + phase)
            for start, end, phase, (size, rate) in zip(
                self.begin, self.end, self.phase, _TREMBLE, strict=True
            )
        )
        return _Pose(x, y, view, roll, stops)


class DemoSource(Closing):
    """The virtual camera. One thread reads; any thread may close.

    Attributes:
        name: the source as the user named it.
        live: as in the settings.
        settings: what it does.
        timeout_s: more than the longest wait for a frame.
    """

    def __init__(
        self,
        settings: DemoSettings,
        *,
        folder: Path,
        name: str = "demo://",
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Hang the photographs in `folder`.

        Raises:
            MissingDependencyError: one of them is not there.
        """
        self.name = name
        self.live = settings.live
        self.settings = settings
        self.timeout_s = 5.0 + 1 / settings.fps
        self._now_ns = now_ns
        self._next = 0
        self._start_ns: int | None = None
        self._closed = threading.Event()
        width, height = settings.size_wh
        scale = min(1.0, max(width / 1280, height / 720))  # painted no larger than it will be seen
        self._scenes = hang_all(folder, scale)
        self._noise = _noise(settings)

    def read(self) -> Frame | None:
        """Return the next frame, None at the end. A live camera skips what its reader is too late for.

        Raises:
            SourceLost: it was closed.
        """
        index = self._due()
        if index >= self.settings.seconds * self.settings.fps:
            return None
        time_ns = (self._start_ns or 0) + round(index * 1e9 / self.settings.fps)
        if self.live:
            self._closed.wait(max(0, time_ns - self._now_ns()) / 1e9)
        if self._closed.is_set():
            raise SourceLost(f"{self.name} is closed.")
        self._next = index + 1
        return Frame(self._picture(index), index, time_ns, self._now_ns(), self.name)

    def truth(self, index: int) -> NDArray[np.float32]:
        """Return where the faces are in frame `index`: (n, 4) float32 xyxy pixels, inside the picture.

        A face counts while at least half of its box is in the picture. The photograph's box is an ellipse, so a rolled
        face keeps a tight box.
        """
        scene, pose, _ = self._look(index)
        matrix = _matrix(scene, pose, self.settings.size_wh)
        middle, half = (
            (scene.faces[:, :2] + scene.faces[:, 2:]) / 2,
            (scene.faces[:, 2:] - scene.faces[:, :2]) / 2,
        )
        middle = middle @ matrix[:, :2].T + matrix[:, 2]
        half = np.sqrt(half**2 @ (matrix[:, :2] ** 2).T)
        boxes = np.hstack([middle - half, middle + half])
        inside = np.clip(boxes, 0, np.tile(self.settings.size_wh, 2))
        keep = _area(inside) >= 0.5 * _area(boxes)
        return np.asarray(inside[keep], np.float32).reshape(-1, 4)

    def close(self) -> None:
        """End reading."""
        self._closed.set()

    def _due(self) -> int:
        """Return the index of the frame to deliver: the next, or the one of now where the reader is late."""
        if not self.live:
            return self._next
        now_ns = self._now_ns()
        if self._start_ns is None:
            self._start_ns = now_ns
        return max(self._next, int((now_ns - self._start_ns) * self.settings.fps / 1e9))

    def _look(self, index: int) -> tuple[Scene, _Pose, _Pose]:
        """Return what frame `index` sees, where its camera looks, and where it looked one frame before."""
        now_s = index / self.settings.fps
        turn, rest_s = divmod(now_s, _WALL_S)
        scene = self._scenes[int(turn) % len(self._scenes)]
        path = _path(scene.wall, np.random.default_rng((self.settings.seed, int(turn))))
        before_s = max(0.0, rest_s - 1 / self.settings.fps)
        poses = (path.at(at_s / _WALL_S, now_s - rest_s + at_s) for at_s in (rest_s, before_s))
        pose, before = (_keep_inside(pose, self.settings.size_wh) for pose in poses)
        return scene, pose, before

    def _picture(self, index: int) -> Image:
        scene, pose, before = self._look(index)
        size_wh = self.settings.size_wh
        matrix = _matrix(scene, pose, size_wh)
        image = cv2.warpAffine(
            scene.image, matrix, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        per_px = size_wh[0] / pose.view * _SHUTTER
        blur = abs(pose.x - before.x) * per_px, abs(pose.y - before.y) * per_px
        if max(blur) >= 1.5:
            cv2.blur(
                image, (1 + round(blur[0]), 1) if blur[0] > blur[1] else (1, 1 + round(blur[1])), dst=image
            )
        cv2.convertScaleAbs(image, dst=image, alpha=2.0**pose.stops)
        brighter, darker = self._noise
        top, left = np.random.default_rng((self.settings.seed, index, 1)).integers(0, _NOISE_MARGIN, 2)
        window = np.s_[top : top + size_wh[1], left : left + size_wh[0]]
        cv2.add(image, brighter[window], dst=image)
        cv2.subtract(image, darker[window], dst=image)
        return np.asarray(image, np.uint8)


def open_demo(uri: SourceURI) -> DemoSource:
    """Open the virtual camera.

    Options: `seed` (whole number), `size` (WIDTHxHEIGHT, pixels), `fps`, `pace` (real or none), `seconds`.

    Raises:
        SettingsError: an option is not known or not allowed.
        MissingDependencyError: scikit-image, whose photographs it shows, is not installed.
    """
    uri.allow("seed", "size", "fps", "pace", "seconds")
    if uri.path.strip("/"):
        raise SettingsError(
            f"{uri}: demo:// names nothing after it; options follow a question mark: demo://?seed=1."
        )
    default = DemoSettings()
    seed = uri.number("seed", float(default.seed), high=2**32)
    if not seed.is_integer():
        raise SettingsError(f"{uri}: the seed must be a whole number, such as seed=1.")
    settings = DemoSettings(
        seed=int(seed),
        size_wh=uri.size_wh() or default.size_wh,
        fps=uri.fps() or default.fps,
        live=uri.choice("pace", ("real", "none"), "real") == "real",
        seconds=uri.number("seconds", 0.0, low=0.001) if "seconds" in uri.options else math.inf,
    )
    if min(settings.size_wh) < 32 or max(settings.size_wh) > 4096:
        raise SettingsError(f"{uri}: pictures are 32 to 4096 pixels wide and high.")
    return DemoSource(settings, folder=find_photographs(), name=str(uri))


def _noise(settings: DemoSettings) -> tuple[Image, Image]:
    """Return what a sensor's noise adds and what it takes away, each a little larger than a picture."""
    shape = settings.size_wh[1] + _NOISE_MARGIN, settings.size_wh[0] + _NOISE_MARGIN, 3
    noise = np.random.default_rng(settings.seed).standard_normal(shape, np.float32) * _NOISE_LEVELS
    return np.asarray(np.maximum(noise, 0), np.uint8), np.asarray(np.maximum(-noise, 0), np.uint8)


def _path(wall: Wall, rng: np.random.Generator) -> _Path:
    """Return a zoom out or in, between the outer thirds of what `wall` allows, so that sizes always vary."""
    low, high = np.log(wall.view_px)
    thirds = np.exp(low + (high - low) * rng.uniform((0, 2 / 3), (1 / 3, 1)))

    def pose(view: float) -> tuple[float, ...]:
        x, y = np.array(wall.look) + rng.uniform(-1, 1, 2) * wall.reach_px
        return x, y, view, rng.uniform(-_ROLL_DEG, _ROLL_DEG), wall.stops + rng.uniform(-0.5, 0.4)

    begin, end = (pose(view) for view in rng.permutation(thirds))
    return _Path(begin, end, tuple(rng.uniform(0, 2 * math.pi, len(_TREMBLE))), rng.uniform(1, _HASTE))


def _keep_inside(pose: _Pose, size_wh: tuple[int, int]) -> _Pose:
    """Return `pose` moved and narrowed so that the picture shows the wall and nothing beside it."""
    shape = size_wh[1] / size_wh[0]
    turn = abs(math.sin(math.radians(pose.roll)))
    across, down = 1 + turn * shape, shape + turn  # what a rolled picture covers, for a view of 1
    view = min(pose.view, WALL_WH[0] / across, WALL_WH[1] / down)
    x = min(max(pose.x, view * across / 2), WALL_WH[0] - view * across / 2)
    y = min(max(pose.y, view * down / 2), WALL_WH[1] - view * down / 2)
    return _Pose(x, y, view, pose.roll, pose.stops)


def _matrix(scene: Scene, pose: _Pose, size_wh: tuple[int, int]) -> NDArray[np.float64]:
    """Return the (2, 3) matrix from the scene's pixels to the picture's."""
    zoom = size_wh[0] / (pose.view * scene.scale)
    cos, sin = zoom * math.cos(math.radians(pose.roll)), zoom * math.sin(math.radians(pose.roll))
    turn = np.array([[cos, -sin], [sin, cos]])
    middle = turn @ (np.array([pose.x, pose.y]) * scene.scale)
    return np.hstack([turn, (np.array(size_wh) / 2 - middle)[:, None]])


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
