"""The newest picture for each viewer, however slow: one slot each, and one between the threads.

Pictures come from the sink's thread; viewers live in the server's loop. Neither waits for the other.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["Feed", "FeedFull", "Picture", "Viewer"]


class FeedFull(Exception):
    """As many viewers as allowed are watching already."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture.

    Attributes:
        jpeg: the file.
        index: of the frame.
        written_ns: monotonic clock when it came to the dashboard.
        before: the file of the same frame before it was enhanced; empty where nobody asked, or nothing enhances.
    """

    jpeg: bytes
    index: int
    written_ns: int
    before: bytes = b""


class Viewer:
    """Somebody who watches: one slot, newest wins. Used in the server's loop only.

    Attributes:
        boxes: whether what was found is drawn on the picture.
        before: whether the picture before it was enhanced is wanted too.
        missed: pictures that were replaced before the viewer took them.
    """

    def __init__(self, *, boxes: bool, before: bool = False) -> None:
        self.boxes, self.before = boxes, before
        self.missed = 0
        self._slot: Picture | None = None
        self._offered_ns = 0
        self._closed = False
        self._fresh = asyncio.Event()

    def offer(self, picture: Picture) -> None:
        """Put `picture` in the slot, in place of one that was not taken; unless a newer one was offered before."""
        if picture.written_ns <= self._offered_ns:
            return
        self._offered_ns = picture.written_ns
        self.missed += self._slot is not None
        self._slot = picture
        self._fresh.set()

    def close(self) -> None:
        """Let `next` return None from now on."""
        self._closed = True
        self._fresh.set()

    async def next(self) -> Picture | None:
        """Wait for a picture and take it; None when the feed is closed."""
        await self._fresh.wait()
        self._fresh.clear()
        picture, self._slot = self._slot, None
        if self._closed:
            self._fresh.set()
            return None
        return picture


class Feed:
    """Hand pictures from one thread to viewers in the loop of another.

    Args:
        loop: where the viewers live.
        limit: how many there may be.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, limit: int) -> None:
        self.limit = limit
        self.wanted: frozenset[bool] = frozenset()
        """What somebody watches: pictures with boxes (True), without (False), or nothing. Read from any thread."""
        self.wants_before = False
        """Whether somebody watches pictures before they were enhanced. Read from any thread."""
        self._loop = loop
        self._viewers: set[Viewer] = set()
        self._lock = threading.Lock()
        self._next: Mapping[bool, Picture] | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._viewers)

    def publish(self, pictures: Mapping[bool, Picture]) -> None:
        """Offer a frame, with boxes (True) or without, to those who watch. From any thread; does not wait."""
        with self._lock:
            waiting, self._next = self._next, pictures
        if waiting is None:
            self._call(self._deliver)

    def join(self, *, boxes: bool, before: bool = False) -> Viewer:
        """Return a new viewer. In the loop only.

        Raises:
            FeedFull: there are as many as allowed.
        """
        if len(self._viewers) >= self.limit:
            raise FeedFull(f"{self.limit} viewers are watching already")
        viewer = Viewer(boxes=boxes, before=before)
        if self._closed:
            viewer.close()
        self._viewers.add(viewer)
        self._count()
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Forget `viewer`. In the loop only."""
        self._viewers.discard(viewer)
        self._count()

    def send_home(self) -> None:
        """End what everybody watches; they may join again. From any thread."""
        self._call(self._send_home)

    def close(self) -> None:
        """Send everybody home for good. From any thread."""
        self._call(self._close)

    def _close(self) -> None:
        self._closed = True
        self._send_home()

    def _send_home(self) -> None:
        for viewer in self._viewers:
            viewer.close()

    def _deliver(self) -> None:
        with self._lock:
            pictures, self._next = self._next, None
        for viewer in self._viewers if pictures else ():
            if pictures and viewer.boxes in pictures:
                viewer.offer(pictures[viewer.boxes])

    def _count(self) -> None:
        self.wanted = frozenset(viewer.boxes for viewer in self._viewers)
        self.wants_before = any(viewer.before for viewer in self._viewers)

    def _call(self, what: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:  # the loop has ended, and all viewers with it
            return
