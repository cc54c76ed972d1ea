"""An annotated video file that plays at the speed of the world, and is in place only when it is whole."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from vedette.errors import SettingsError, SinkError
from vedette.ops.draw import annotate
from vedette.ops.images import letterbox
from vedette.sinks.files import check_folder, part_of, sink_error
from vedette.types import Closing, Image, Results

__all__ = ["CODECS", "MAX_FPS", "VideoSink", "choose_fps"]

CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
"""File name ending -> the codec that every OpenCV wheel can write into it."""

MAX_FPS = 240.0
_DEFAULT_FPS = 25.0  # of a video of one picture
_STANDARD_FPS = (*(float(n) for n in range(1, 241)), 24_000 / 1001, 30_000 / 1001, 60_000 / 1001)
_MAX_HOLD_S = 10.0  # a longer silence is cut to this
_BURST_S = 1.0  # a silence is made up for in writes of about this length, since nobody waits longer for one
_WAIT_NS, _WAIT_BYTES, _WAIT_LEAST = 1_000_000_000, 64_000_000, 3
_LEAST_SIDE = 16  # smaller, OpenCV's Motion JPEG writes beyond its buffer
_SPARE_BYTES = 16_000_000  # OpenCV tells nobody that the disk is full, so stop before


def choose_fps(times_ns: Sequence[int]) -> float:
    """Return frames per second for pictures seen at `times_ns`: the median interval, at a usual rate within 0.5 %."""
    intervals = np.diff(np.asarray(times_ns, np.float64))
    if not len(intervals) or np.median(intervals) <= 0:
        return _DEFAULT_FPS
    fps = float(1e9 / np.median(intervals))
    near = min(_STANDARD_FPS, key=lambda standard: abs(standard - fps))
    return near if abs(near - fps) <= 0.005 * fps else min(MAX_FPS, max(0.1, round(fps, 3)))


class VideoSink(Closing):
    """Annotated frames as a video of constant rate (docs/results.md says how names, gaps and sizes are treated).

    Attributes:
        name: ``video:PATH``.
    """

    def __init__(self, path: str | Path, *, fps: float | None = None) -> None:
        """Check that `path` can be written; the file is begun with the first frames.

        Args:
            path: ends in one of `CODECS`; an older file is replaced when the new one is whole.
            fps: 0.1..240; that of the first second of frames when not given.

        Raises:
            SettingsError: unknown ending, or a rate out of range.
            SinkError: it cannot be written, or another sink or program writes it.
        """
        self._path = Path(path)
        self.name = f"video:{path}"
        if self._path.suffix.lower() not in CODECS:
            raise SettingsError(
                f"cannot write {path}: a video's name ends in one of {', '.join(sorted(CODECS))}"
            )
        if fps is not None and not 0.1 <= fps <= MAX_FPS:
            raise SettingsError(f"fps={fps:g} for {path}: a rate is 0.1 to {MAX_FPS:g} frames per second")
        _check_text(self._path)
        check_folder(self._path)
        self._part = part_of(self._path)
        try:
            self._claim = _claim(self._part)  # an error now is better than after the first second
        except OSError as error:
            raise sink_error(self._path, error) from error
        self._fps = fps
        self._waiting: list[tuple[int, Image]] = []
        self._writer: _Writer | None = None
        self._closed = False

    def write(self, results: Results) -> None:
        """Add one frame.

        Raises:
            SinkError: the disk is full, or the codec fails.
        """
        if self._closed:
            raise SinkError(f"{self.name} is closed")
        picture, time_ns = (
            annotate(results.frame.image, results.found, zones=results.zones),
            results.frame.time_ns,
        )
        if self._writer is not None:
            self._writer.add(picture, time_ns)
            return
        self._waiting.append((time_ns, picture))
        if self._fps is not None or self._enough():
            self._begin()

    def close(self) -> None:
        """Finish the video and put it in place; without a frame there is none.

        Raises:
            SinkError: it could not be finished; what there is stays in the ``.part`` file.
        """
        if self._closed:
            return
        self._closed = True
        with self._claim:
            self._finish()

    def _finish(self) -> None:
        if self._waiting:
            self._begin()
        if self._writer is None:
            with contextlib.suppress(OSError):  # gone, or the disk is read-only by now
                self._part.unlink()
            return
        if self._writer.finish():
            try:
                self._part.replace(self._path)
            except OSError as error:
                raise sink_error(self._path, error) from error

    def _enough(self) -> bool:
        """Return whether the rate can be told, or no more pictures can wait."""
        count = len(self._waiting)
        whole = self._waiting[-1][0] - self._waiting[0][0] >= _WAIT_NS
        return count >= _WAIT_LEAST and (whole or sum(p.nbytes for _, p in self._waiting) >= _WAIT_BYTES)

    def _begin(self) -> None:
        waiting, self._waiting = self._waiting, []
        fps = choose_fps([t for t, _ in waiting]) if self._fps is None else self._fps
        height, width = waiting[0][1].shape[:2]
        size_wh = max(_LEAST_SIDE, width // 2 * 2), max(_LEAST_SIDE, height // 2 * 2)
        self._writer = _Writer(self._part, fps, size_wh)
        for time_ns, picture in waiting:
            self._writer.add(picture, time_ns)


def _check_text(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError as error:  # OpenCV crashes at it
        raise SettingsError(
            f"cannot write {path}: a video's name must be UTF-8; name another file"
        ) from error


def _claim(part: Path) -> BinaryIO:
    """Make `part`, and keep other sinks and programs off it until the returned file is closed.

    Raises:
        SinkError: one of them has it.
        OSError: it cannot be written.
    """
    file = part.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise SinkError(
            f"cannot write {part}: another sink or program is writing it; name another file"
        ) from error
    except OSError:
        pass  # a file system without locks
    return file


class _Writer:
    """OpenCV's writer, fed so that picture k is what was seen k / fps after the first."""

    def __init__(self, part: Path, fps: float, size_wh: tuple[int, int]) -> None:
        self._part, self._fps, self._size_wh = part, fps, size_wh
        codec = CODECS[part.suffix.lower()]
        self._video = cv2.VideoWriter(str(part), cv2.VideoWriter.fourcc(*codec), fps, size_wh)
        self._failed = not self._video.isOpened()
        if self._failed:
            raise SinkError(
                f"cannot write {part}: OpenCV has no {codec} encoder for {size_wh[0]} x {size_wh[1]} pixels here; "
                "name an .avi file"
            )
        self._start_ns: int | None = None
        self._count = 0
        self._last: Image | None = None

    def add(self, picture: Image, time_ns: int) -> None:
        """Take `picture` (it may be changed), and hold the last one until its time."""
        if self._start_ns is None:
            self._start_ns = time_ns
        slot = round((time_ns - self._start_ns) * self._fps / 1e9)
        if slot < self._count:
            return  # more frames than the rate has places for
        most = max(1, round(_MAX_HOLD_S * self._fps))
        too_long = slot - (self._count - 1) - most
        if too_long > 0:
            self._start_ns += round(too_long * 1e9 / self._fps)
            slot -= too_long
        self._check_room()
        end_s = time.monotonic() + _BURST_S
        while self._last is not None and self._count < slot and time.monotonic() < end_s:
            self._put(self._last)
        self._last = self._fit(picture)
        self._put(self._last)

    def finish(self) -> bool:
        """Close the file; return whether it is worth its place."""
        self._video.release()
        if self._failed:
            return False
        check = cv2.VideoCapture(str(self._part))
        whole, _ = check.read()
        check.release()
        if not whole:
            raise SinkError(f"{self._part} cannot be read back; is the disk full or gone?")
        return True

    def _put(self, picture: Image) -> None:
        self._video.write(picture)
        self._count += 1

    def _fit(self, picture: Image) -> Image:
        """Return `picture` as BGR in the size of the video."""
        if (picture.shape[1], picture.shape[0]) != self._size_wh:
            picture, _ = letterbox(picture, self._size_wh, pad_value=0)
        cv2.cvtColor(picture, cv2.COLOR_RGB2BGR, dst=picture)
        return picture

    def _check_room(self) -> None:
        try:
            free = shutil.disk_usage(self._part.parent).free
        except OSError as error:
            self._failed = True
            raise sink_error(self._part, error) from error
        if free < _SPARE_BYTES:
            self._failed = True
            raise SinkError(f"cannot write {self._part}: the disk is full ({free / 1e6:.1f} MB free); "
                            "make room or write to another disk")  # fmt: skip
