"""Frames of a video file, each with its own time; on demand at the pace at which they were taken."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import cv2

from vedette.errors import SourceError, SourceLost
from vedette.sources.capture import Capture, OpenCapture, open_capture, read_on, to_rgb
from vedette.sources.uri import SourceURI
from vedette.types import Closing, Frame, Image

__all__ = ["VideoFile", "open_video"]

_DEFAULT_FPS = 30.0
_JUMP_NS = 1_000_000_000
_LONGEST_WAIT_NS = 10_000_000_000
_TIMEOUT_S = 60.0  # of decoding, and more than the longest wait
_SHORTFALL = 0.1
"""Share of a video, in frames and in time, that may be missing at its end: containers estimate their length."""


def open_video(uri: SourceURI) -> VideoFile:
    """Open the video file that `uri` names. Options: ``pace=real`` (or ``fast``), ``loop=1``.

    Raises:
        SourceError: there is no such file, or no video in it.
        SettingsError: an option is unknown or wrong.
    """
    uri.allow("pace", "loop")
    real_time = uri.choice("pace", ("fast", "real"), "fast") == "real"
    return VideoFile(uri.path, name=str(uri), real_time=real_time, loop=uri.flag("loop"))


class VideoFile(Closing):
    """A source of the frames of a video file, turned upright.

    Time stamps are those of the file, made to grow strictly where they do not. A frame that cannot be decoded is left
    out. Where the picture changes its size in the middle, OpenCV brings it to the size of the first.

    Args:
        path: the file.
        name: what the user called it; the path when not given.
        real_time: deliver each frame at its time, as a camera would (`live`), and stamp it with the monotonic clock.
            A gap of more than 10 s is cut to that.
        loop: begin anew at the end; indices and times go on.
        opener: opens the file, see `OpenCapture`.

    Attributes:
        timeout_s: more than the longest wait for a frame.

    Raises:
        SourceError: there is no such file, or no video in it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        name: str | None = None,
        real_time: bool = False,
        loop: bool = False,
        opener: OpenCapture = open_capture,
    ) -> None:
        self.name = str(path) if name is None else name
        self.live = real_time
        self.timeout_s = _TIMEOUT_S
        self._path = _existing(path)
        self._loop = loop
        self._opener = opener
        self._closed = threading.Event()
        self._index = 0
        self._read_now = 0  # frames read since the file was last opened
        self._time_ns = -1  # media time of the last frame
        self._began_ns = 0  # media time at which the file was last opened
        self._offset_ns = 0  # what to add to the file's own times
        self._start_ns: int | None = None  # monotonic clock at media time 0
        self._capture: Capture | None = self._open()

    def read(self) -> Frame | None:
        """Return the next frame, None at the end.

        Raises:
            SourceError: not one frame can be decoded.
            SourceLost: the file is damaged or cut off: the frames end well before the time that it declares.
        """
        while self._capture is not None:
            good, picture = read_on(self._capture)
            if good:
                image = to_rgb(picture)
                self._time_ns = self._media_time_ns(self._capture)
                self._read_now += 1
                return self._frame(image)
            self._check_end(self._capture)
            self._capture.release()
            self._capture = None
            if self._loop and not self._closed.is_set():
                self._began_ns = self._offset_ns = self._time_ns + self._step_ns
                self._read_now = 0
                self._capture = self._open()
        return None

    def close(self) -> None:
        """Close the file; a `read` that waits for its time returns at once."""
        self._closed.set()
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _open(self) -> Capture:
        # An absolute path, since FFmpeg takes what stands before a colon for a protocol.
        capture = self._opener(str(self._path), cv2.CAP_FFMPEG, ())
        if not capture.isOpened():
            capture.release()
            raise SourceError(
                f"{self._path} is not a video that can be decoded, or is cut off before its index (MP4 files that "
                "were not closed are); play it elsewhere to check, or convert it to H.264 in MP4."
            )
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        fps = capture.get(cv2.CAP_PROP_FPS)
        self._fps = fps if 0 < fps <= 1000 else _DEFAULT_FPS
        self._step_ns = round(1e9 / self._fps)
        return capture

    def _media_time_ns(self, capture: Capture) -> int:
        stamp_ns = round(capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        if stamp_ns <= 0:  # the first frame, or a container without times
            stamp_ns = round(self._read_now * 1e9 / self._fps)
        if (
            self._offset_ns + stamp_ns < self._time_ns - _JUMP_NS
        ):  # recordings joined end to end begin at 0 anew
            self._offset_ns = self._time_ns + self._step_ns - stamp_ns
        return max(self._offset_ns + stamp_ns, self._time_ns + 1)

    def _frame(self, image: Image) -> Frame:
        index, self._index = self._index, self._index + 1
        if not self.live:
            return Frame(image, index, self._time_ns, time.monotonic_ns(), self.name)
        if self._start_ns is None:
            self._start_ns = time.monotonic_ns() - self._time_ns
        too_long_ns = self._start_ns + self._time_ns - time.monotonic_ns() - _LONGEST_WAIT_NS
        self._start_ns -= max(0, too_long_ns)
        due_ns = self._start_ns + self._time_ns
        self._closed.wait(max(0, due_ns - time.monotonic_ns()) / 1e9)
        return Frame(image, index, due_ns, time.monotonic_ns(), self.name)

    def _check_end(self, capture: Capture) -> None:
        if self._read_now == 0:
            raise SourceError(f"{self._path} holds no frame that can be decoded; convert it to H.264 in MP4.")
        declared = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        # Both must fall short: with a variable rate the number is a guess, with gaps the time says more.
        seen_s = (self._time_ns - self._began_ns + self._step_ns) / 1e9
        least = 1.0 - _SHORTFALL
        if self._read_now < declared * least and seen_s < declared / self._fps * least:
            raise SourceLost(
                f"{self._path} is damaged or cut off: {self._read_now} of about {declared:.0f} frames could be read. "
                "The results up to there stand; copy the file again for the rest."
            )


def _existing(path: str | Path) -> Path:
    file = Path(path).expanduser().resolve()
    if not file.exists():
        raise SourceError(f"there is no file {path}; check the path.")
    if not file.is_file():
        raise SourceError(f"{path} is not a file but a {'folder' if file.is_dir() else 'device or pipe'}.")
    try:
        with file.open("rb") as opened:
            empty = not opened.read(1)
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read: {error.strerror}; check its permissions and the disk."
        ) from error
    if empty:
        raise SourceError(f"{path} is empty (0 bytes); copy or record the video again.")
    return file
