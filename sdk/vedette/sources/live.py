"""Capture in a thread of its own: the newest frame of a camera, every frame of a file.

A camera's world does not wait. Its frames go through one slot in which the newest wins, so that what is read
is never older than one frame; each overwritten frame is counted. A file waits: its frames are handed over two
ahead, and none is lost.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from vedette.errors import SourceError, SourceLost
from vedette.sources.uri import open_source, parse_source
from vedette.types import Closing, Frame, Source

__all__ = ["Live", "open_live"]

CAMERA_TIMEOUT_S = 5.0
FILE_TIMEOUT_S = 60.0
CLOSE_TIMEOUT_S = 3.0
RETRY_FIRST_S = 0.5
RETRY_LONGEST_S = 30.0
_AHEAD = 2
_log = logging.getLogger("vedette")


def open_live(text: str) -> Live:
    """Open the source that `text` names and start capturing; with the option ``give_up``, retry it when lost.

    Raises:
        SourceError: it does not exist, cannot be opened, or is not what it seems.
        SettingsError: an unknown scheme or option; the nearest known is named.
        MissingDependencyError: the source needs a package that is not installed.
    """
    give_up_s = parse_source(text).number("give_up", 0.0)
    return Live(open_source(text), reopen=lambda: open_source(text), give_up_s=give_up_s)


class Live(Closing):
    """A source read by a thread of its own, which starts at once. It owns the inner source and closes it.

    Args:
        source: where the frames come from; only that thread reads and closes it from now on.
        timeout_s: longest wait of `read`; the inner source's own `timeout_s`, or 5 s (file: 60 s) when not given.
        reopen: opens the source anew after it was lost.
        give_up_s: how long to try `reopen`, counted from the loss, but at least once; 0 never tries.
        close_timeout_s: longest wait of `close` for a hung driver.

    Attributes:
        name: the inner source's.
        live: the inner source's.
        reconnects: how often a lost source came back.
        prepare: called with each frame in the capture thread; what it returns becomes the frame's `ahead`.
    """

    def __init__(
        self,
        source: Source,
        *,
        timeout_s: float | None = None,
        reopen: Callable[[], Source] | None = None,
        give_up_s: float = 0.0,
        close_timeout_s: float = CLOSE_TIMEOUT_S,
    ) -> None:
        self.name = source.name
        self.live = source.live
        self.reconnects = 0
        self.prepare: Callable[[Frame], object] | None = None
        own_s: float = getattr(source, "timeout_s", CAMERA_TIMEOUT_S if source.live else FILE_TIMEOUT_S)
        self._timeout_s = own_s if timeout_s is None else timeout_s
        self._reopen = reopen
        self._give_up_s = give_up_s if reopen is not None else 0.0
        self._close_timeout_s = close_timeout_s
        self._changed = threading.Condition()  # guards the next four
        self._frames: deque[Frame] = deque()
        self._ended = False
        self._error: BaseException | None = None
        self._drops: Mapping[str, int] = MappingProxyType({})
        self._stop = threading.Event()
        # The capture thread's own from here on.
        self._source: Source | None = source
        self._inner_index: int | None = None
        self._last: Frame | None = None
        self._lost_s: float | None = None  # monotonic clock at the loss since which no frame came
        self._retry_s = RETRY_FIRST_S
        self._thread = threading.Thread(target=self._capture, name=f"vedette {self.name}", daemon=True)
        self._thread.start()

    @property
    def drops(self) -> Mapping[str, int]:
        """Frames lost so far by cause.

        ``late``: overwritten by a newer one before it was read. ``camera``: lost before they reached us, seen as
        gaps in the camera's count. ``time``: dropped since their time stamp did not grow.
        """
        return self._drops

    def read(self, *, within_s: float | None = None) -> Frame | None:
        """Return the newest frame (of a file: the next), waiting for one; None at the end or after `close`.

        Args:
            within_s: return None as well when there is none after so long; only `timeout_s` counts when not given.

        Raises:
            SourceLost: no frame came in time.
            SourceError: what the inner source raised, as it raised it.
        """
        # A last attempt, begun just in time, may open the source and wait for its first frame.
        wait_s = self._timeout_s + (self._give_up_s + self._timeout_s if self._give_up_s else 0.0)
        short = within_s is not None and within_s < wait_s
        with self._changed:
            if not self._changed.wait_for(lambda: self._frames or self._ended, within_s if short else wait_s):
                if short:
                    return None
                raise SourceLost(
                    f"{self.name}: no picture for {wait_s:g} s. Check its cable, power and network, and that no "
                    "other program holds it; a slow source needs a longer 'timeout'."
                )
            if self._frames:
                self._changed.notify_all()
                return self._frames.popleft()
            if self._error is not None:
                raise self._error
            return None

    def close(self) -> None:
        """Stop capturing and close the inner source. Waits a bounded time, even for a driver that hangs."""
        self._stop.set()
        with self._changed:
            self._frames.clear()
            self._ended = True
            self._changed.notify_all()
        if self._thread is threading.current_thread():
            return
        self._thread.join(self._close_timeout_s)
        if self._thread.is_alive():
            _log.warning(
                "%s does not answer; left behind after %g s. It is closed should it ever answer.",
                self.name,
                self._close_timeout_s,
            )

    def _capture(self) -> None:
        error: BaseException | None = None
        try:
            self._pump()
        except BaseException as raised:  # owed to the reader, whatever it is
            error = raised
        try:
            self._close_source()
        except Exception as raised:
            error = error or raised
        with self._changed:
            self._error = None if self._stop.is_set() else error
            self._ended = True
            self._changed.notify_all()

    def _pump(self) -> None:
        while not self._stop.is_set():
            try:
                frame = self._source.read() if self._source is not None else None
            except SourceError as error:
                self._recover(error)
                continue
            if frame is None:
                return
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        """Put `frame` where `read` finds it, unless its time did not grow; its index never falls."""
        gap = 0 if self._inner_index is None else frame.index - self._inner_index - 1
        index = frame.index if self._last is None else self._last.index + 1 + max(0, gap)
        self._inner_index = frame.index
        self._lost_s, self._retry_s = None, RETRY_FIRST_S
        if gap > 0 and self.live:
            self._count("camera", gap)
        if self._last is not None and frame.time_ns <= self._last.time_ns:
            self._last = replace(self._last, index=index)
            self._count("time", 1)
            return
        self._last = frame if frame.index == index else replace(frame, index=index)
        prepare = self.prepare
        self._hand_over(self._last if prepare is None else replace(self._last, ahead=prepare(self._last)))

    def _hand_over(self, frame: Frame) -> None:
        with self._changed:
            if self.live and self._frames:
                self._frames.clear()
                self._count("late", 1)
            self._changed.wait_for(lambda: len(self._frames) < _AHEAD or self._stop.is_set())
            if not self._stop.is_set():
                self._frames.append(frame)
                self._changed.notify_all()

    def _count(self, cause: str, n: int) -> None:
        self._drops = MappingProxyType({**self._drops, cause: self._drops.get(cause, 0) + n})

    def _recover(self, error: SourceError) -> None:
        """Open the source anew, waiting ever longer between attempts.

        Raises:
            SourceError: `error`, where it is not to be tried; or the source did not come back in time.
        """
        if self._give_up_s <= 0 or self._reopen is None:
            raise error
        _log.warning("%s; trying again for %g s", error, self._give_up_s)
        self._close_source()
        if self._lost_s is None:
            self._lost_s = time.monotonic()
        while not self._stop.is_set():
            left_s = self._lost_s + self._give_up_s - time.monotonic()
            if left_s <= 0:
                tried = f"{self.name}: lost, and not back after {self._give_up_s:g} s"
                raise SourceLost(f"{tried}: {error}") from error
            self._stop.wait(min(left_s, self._retry_s * random.uniform(0.5, 1.0)))
            self._retry_s = min(RETRY_LONGEST_S, 2 * self._retry_s)
            try:
                self._source = self._reopen()
            except SourceError as again:
                error = again
                continue
            self._inner_index = None
            self.reconnects += 1
            return

    def _close_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()
