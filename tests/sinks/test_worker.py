from __future__ import annotations

import threading
import time

import pytest

from vedette.errors import SinkError
from vedette.sinks.worker import Worker


class ListSink:
    """Keeps the indices of what it was given; waits for `gate` before each; fails after `fail_at` of them."""

    name = "list"

    def __init__(
        self, *, fail_at: int = -1, error: BaseException | None = None, close_error: Exception | None = None
    ):
        self.got: list[int] = []
        self.closed = 0
        self.gate = threading.Event()
        self.gate.set()
        self.taken = threading.Event()
        self.threads: set[str] = set()
        self.fail_at, self.error, self.close_error = fail_at, error, close_error

    def write(self, results):
        self.threads.add(threading.current_thread().name)
        self.taken.set()
        self.gate.wait(20)
        if len(self.got) == self.fail_at:
            raise self.error
        self.got.append(results.frame.index)

    def close(self):
        self.threads.add(threading.current_thread().name)
        self.closed += 1
        if self.close_error is not None:
            raise self.close_error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def wait_for(condition):
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.mark.parametrize("count", [0, 1, 50])
def test_files_lose_nothing(make_results, count):
    sink = ListSink()
    with Worker(sink, live=False, queue_size=3) as worker:
        for index in range(count):
            worker.put(make_results(index))
    assert sink.got == list(range(count))
    assert (worker.dropped, sink.closed, worker.name) == (0, 1, "list")
    assert sink.threads == {"sink list"}


def test_live_never_waits_and_counts_what_it_loses(make_results):
    sink = ListSink()
    sink.gate.clear()
    worker = Worker(sink, live=True, queue_size=3)
    worker.put(make_results(0))
    assert sink.taken.wait(5)  # 0 is in the sink's hands, the queue is empty
    for index in range(1, 9):
        worker.put(make_results(index))
    sink.gate.set()
    worker.close()
    assert sink.got == [0, 6, 7, 8]
    assert worker.dropped == 5


def test_put_waits_for_a_slow_sink_of_a_file(make_results):
    sink = ListSink()
    sink.gate.clear()
    worker = Worker(sink, live=False, queue_size=1)
    threading.Timer(0.2, sink.gate.set).start()
    start = time.monotonic()
    for index in range(3):
        worker.put(make_results(index))
    assert time.monotonic() - start > 0.1
    worker.close()
    assert sink.got == [0, 1, 2]


@pytest.mark.parametrize("live", [True, False], ids=["live", "file"])
@pytest.mark.parametrize(
    "error", [SinkError("disk full"), ValueError("a bug"), KeyboardInterrupt("odd")], ids=repr
)
def test_the_error_of_the_sink_reaches_put_and_close(make_results, live, error):
    sink = ListSink(fail_at=1, error=error)
    worker = Worker(sink, live=live, queue_size=1)

    def feed():
        for index in range(5000):  # a slow machine may take long to begin a thread
            worker.put(make_results(index))
            time.sleep(0.001)

    with pytest.raises(type(error)) as caught:
        feed()
    assert caught.value is error
    with pytest.raises(type(error)):
        worker.close()
    assert len(sink.got) == 1  # a live one may lose the first ones before its thread begins
    assert sink.closed == 1


def test_an_error_wakes_a_put_that_waits_for_room(make_results):
    sink = ListSink(fail_at=0, error=SinkError("disk full"))
    sink.gate.clear()
    worker = Worker(sink, live=False, queue_size=1)
    worker.put(make_results(0))
    assert sink.taken.wait(5)
    worker.put(make_results(1))
    threading.Timer(0.1, sink.gate.set).start()
    start = time.monotonic()
    with pytest.raises(SinkError, match="disk full"):
        worker.put(make_results(2))
    assert time.monotonic() - start < 5


def test_an_error_at_closing_is_told(make_results):
    sink = ListSink(close_error=SinkError("cannot finish"))
    with pytest.raises(SinkError, match="cannot finish"), Worker(sink, live=False) as worker:
        worker.put(make_results(0))
    assert sink.got == [0]


def test_the_first_error_goes_on_and_takes_the_other_along(make_results):
    sink = ListSink(close_error=SinkError("cannot finish"))
    with pytest.raises(ZeroDivisionError) as caught, Worker(sink, live=True):
        raise ZeroDivisionError
    assert caught.value.__notes__ == ["also: cannot finish"]
    assert sink.closed == 1


def test_a_hung_sink_is_named_in_time(make_results):
    sink = ListSink()
    sink.gate.clear()
    worker = Worker(sink, live=False, queue_size=1, close_timeout_s=0.1, put_timeout_s=0.1)
    worker.put(make_results(0))
    assert sink.taken.wait(5)
    worker.put(make_results(1))
    with pytest.raises(SinkError, match="list hangs"):
        worker.put(make_results(2))
    start = time.monotonic()
    with pytest.raises(SinkError, match=r"list hangs.* 1 queued"):
        worker.close()
    assert time.monotonic() - start < 2
    sink.gate.set()
    wait_for(lambda: sink.closed == 1)  # it is closed as soon as it wakes up
    worker.close()
    assert sink.got == [0]


def test_closing_waits_as_long_as_it_moves(make_results):
    sink = ListSink()
    slow, sink.write = sink.write, lambda results: (time.sleep(0.15), slow(results))
    worker = Worker(sink, live=False, queue_size=8, close_timeout_s=0.5)
    for index in range(6):
        worker.put(make_results(index))
    worker.close()  # 0.9 s in all, never 0.5 s without one done
    assert len(sink.got) == 6


def test_after_closing_nothing_is_taken(make_results):
    worker = Worker(ListSink(), live=True)
    worker.close()
    worker.close()
    with pytest.raises(SinkError, match="closed"):
        worker.put(make_results(0))
