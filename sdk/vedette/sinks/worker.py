"""A thread for a sink: a slow output never slows the loop, and its error reaches whoever waits for it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from types import TracebackType
from typing import Self

from vedette.errors import SinkError
from vedette.types import Results, Sink

__all__ = ["Worker"]


class Worker:
    """Runs one sink in its own thread, behind a queue of `queue_size` results.

    Live sources: `put` never waits; a full queue loses its oldest result, which is counted. Files: `put` waits
    for room. The sink is closed in its thread, whatever happens.

    Attributes:
        name: the sink's.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        live: bool,
        queue_size: int = 8,
        close_timeout_s: float = 5.0,
        put_timeout_s: float = 30.0,
    ) -> None:
        """Start the thread.

        Args:
            sink: closed by this object from now on.
            live: True where the world does not wait.
            queue_size: results, at least 1.
            close_timeout_s: how long `close` waits while the sink finishes nothing.
            put_timeout_s: how long `put` waits, for files, while the sink finishes nothing.
        """
        self.name = sink.name
        self._sink = sink
        self._live = live
        self._size = max(1, queue_size)
        self._close_timeout_s = close_timeout_s
        self._put_timeout_s = put_timeout_s
        self._queue: deque[Results] = deque()
        self._changed = Condition()
        self._closing = False
        self._ended = False
        self._dropped = 0
        self._finished = 0
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name=f"sink {sink.name}", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many results a full queue has lost."""
        return self._dropped

    def put(self, results: Results) -> None:
        """Hand `results` to the sink.

        Raises:
            Exception: what the sink raised, itself; or SinkError when it is closed, or takes nothing any more.
        """
        with self._changed:
            if not self._live and not self._wait(self._has_room, self._put_timeout_s):
                raise SinkError(f"sink {self.name} hangs: it finished nothing for {self._put_timeout_s:g} s")
            if self._error is not None:
                raise self._error
            if self._closing:
                raise SinkError(f"sink {self.name} is closed")
            if len(self._queue) >= self._size:
                self._queue.popleft()
                self._dropped += 1
            self._queue.append(results)
            self._changed.notify_all()

    def close(self) -> None:
        """Let the sink finish what is queued and close it. Returns at once when that was done before.

        Raises:
            Exception: what the sink raised, itself; or SinkError when it hangs.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            if not self._wait(lambda: self._ended, self._close_timeout_s):
                lost = len(self._queue)
                self._queue.clear()
                raise SinkError(
                    f"sink {self.name} hangs: it finished nothing for {self._close_timeout_s:g} s; "
                    f"{lost} queued results are lost and its output may be incomplete"
                )
            if self._error is not None:
                raise self._error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        try:
            self.close()
        except Exception as late:
            if error is None or isinstance(error, GeneratorExit):  # who leaves a loop early would see no note
                raise
            if late is not error:  # the first error goes on, and takes this one along
                error.add_note(f"also: {late}")

    def _has_room(self) -> bool:
        return len(self._queue) < self._size or self._error is not None or self._closing

    def _wait(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Return whether it is `done`, waiting for as long as the sink finishes something every `timeout_s`."""
        finished, end_s = self._finished, time.monotonic() + timeout_s
        while not done():
            if self._finished != finished:
                finished, end_s = self._finished, time.monotonic() + timeout_s
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return False
            self._changed.wait(left_s)
        return True

    def _run(self) -> None:
        try:
            while (results := self._next()) is not None:
                self._sink.write(results)
                self._tell(None)
        except BaseException as error:  # a thread owes its error to whoever waits for it
            self._tell(error)
        try:
            self._sink.close()
        except BaseException as error:
            self._tell(error)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _next(self) -> Results | None:
        """Return the next result, or None when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            return self._queue.popleft() if self._queue else None

    def _tell(self, error: BaseException | None) -> None:
        with self._changed:
            if error is None:
                self._finished += 1
            elif self._error is None:
                self._error = error
            else:
                self._error.add_note(f"also: {error}")
            self._changed.notify_all()
