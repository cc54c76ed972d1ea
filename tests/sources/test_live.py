"""The capture thread: what is dropped, what is counted, what is raised, and that nothing hangs."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from vedette.errors import SourceError, SourceLost
from vedette.sources import live as live_module
from vedette.sources.live import Live, open_live
from vedette.testing import FakeSource, fake_image
from vedette.types import Frame, Source


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does; fail after 5 s."""
    end_s = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < end_s, "did not happen"
        time.sleep(0.002)


def drain(source: Live) -> list[Frame]:
    return list(iter(source.read, None))


class Scripted(FakeSource):
    """Gives frames with these (index, time_ns) pairs, each when the test allows it."""

    def __init__(self, marks: list[tuple[int, int]], *, live: bool = True) -> None:
        super().__init__(n=0, live=live)
        self.marks = iter(marks)
        self.allowed = threading.Semaphore(0)

    def read(self) -> Frame | None:
        if not self.allowed.acquire(timeout=5):
            return None
        mark = next(self.marks, None)
        return None if mark is None else Frame(fake_image(mark[0]), *mark, time.monotonic_ns(), self.name)


def test_live_and_fake_keep_the_protocol() -> None:
    with Live(FakeSource(n=1)) as source:
        assert isinstance(source, Source)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_file_loses_nothing_however_slow_the_reader(n: int) -> None:
    inner = FakeSource(n=n)
    with Live(inner) as source:
        time.sleep(0.02)
        frames = drain(source)
    assert [f.index for f in frames] == list(range(n))
    assert source.drops == {}
    assert inner.closed == 1


def test_file_is_not_read_far_ahead() -> None:
    inner = FakeSource(n=100)
    with Live(inner):
        until(lambda: inner._next == 3)  # two handed over, one in the thread's hand
        time.sleep(0.02)
        assert inner._next == 3


def test_camera_gives_the_newest_and_counts_the_late() -> None:
    inner = FakeSource(n=50, live=True, stall_after=50)
    with Live(inner) as source:
        until(lambda: source.drops.get("late") == 49)
        frame = source.read()
        inner.release()
    assert frame is not None
    assert frame.index == 49
    assert source.drops == {"late": 49}


@pytest.mark.parametrize(
    ("marks", "indices", "drops"),
    [
        pytest.param([(0, 10), (1, 20)], [0, 1], {}, id="good"),
        pytest.param([(3, 10), (5, 20), (9, 30)], [3, 5, 9], {"camera": 4}, id="camera-lost-some"),
        pytest.param([(0, 10), (1, 10), (2, 9), (3, 11)], [0, 3], {"time": 2}, id="time-does-not-grow"),
        pytest.param([(7, 10), (0, 20), (1, 30)], [7, 8, 9], {}, id="count-restarts"),
    ],
)
def test_gaps_and_times(marks: list[tuple[int, int]], indices: list[int], drops: dict[str, int]) -> None:
    inner = Scripted(marks)
    with Live(inner) as source:
        seen = []
        for i, mark in enumerate(marks):
            inner.allowed.release()
            if all(mark[1] > earlier[1] for earlier in marks[:i]):
                seen.append(source.read())
        inner.allowed.release()
        assert source.read() is None
        assert [f.index for f in seen if f] == indices
        assert source.drops == drops


def test_drops_already_taken_do_not_change() -> None:
    inner = Scripted([(0, 10), (1, 20), (2, 30)])
    with Live(inner) as source:
        inner.allowed.release(2)
        until(lambda: source.drops.get("late") == 1)
        before = source.drops
        inner.allowed.release(2)
        until(lambda: source.drops.get("late") == 2)
        assert before == {"late": 1}


@pytest.mark.parametrize(
    "error",
    [SourceError("cam: no"), SourceLost("cam: gone"), ValueError("a bug"), KeyboardInterrupt()],
    ids=repr,
)
def test_the_readers_get_the_threads_error_as_it_was(error: BaseException) -> None:
    inner = FakeSource(n=5, fail_after=2, error=error)
    with Live(inner) as source:
        assert [source.read() is not None for _ in range(2)] == [True, True]
        for _ in range(2):  # again and again
            with pytest.raises(type(error)) as caught:
                source.read()
            assert caught.value is error
        assert inner.closed == 1


def test_silent_camera_is_lost_after_the_timeout() -> None:
    inner = FakeSource(n=9, live=True, stall_after=1, name="cam 7", timeout_s=0.05)
    with Live(inner) as source:
        assert source.read() is not None
        with pytest.raises(SourceLost, match=r"cam 7: no picture for 0\.05 s"):
            source.read()
        inner.release()


def test_close_does_not_wait_for_a_hung_driver(caplog: pytest.LogCaptureFixture) -> None:
    inner = FakeSource(stall_after=0, stubborn=True)
    source = Live(inner, close_timeout_s=0.05)
    source.close()
    assert "does not answer" in caplog.text
    assert inner.closed == 0
    assert source._thread.daemon  # the program can still end
    inner.release()  # should it ever answer, it is closed
    until(lambda: inner.closed == 1)


def test_close_wakes_a_waiting_reader() -> None:
    inner = FakeSource(live=True, stall_after=0)
    source = Live(inner, timeout_s=60, close_timeout_s=0.01)
    got: list[object] = []
    reader = threading.Thread(target=lambda: got.append(source.read()), daemon=True)
    reader.start()
    source.close()
    reader.join(5)
    inner.release()
    assert got == [None]


def test_close_while_the_file_waits_for_a_reader() -> None:
    inner = FakeSource(n=50)
    source = Live(inner)
    until(lambda: inner._next == 3)
    source.close()
    source.close()
    assert inner.closed == 1
    assert source.read() is None


@pytest.fixture
def quick_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "RETRY_FIRST_S", 0.001)


@pytest.mark.usefixtures("quick_retry")
def test_lost_camera_is_opened_again_and_indices_go_on() -> None:
    inner = FakeSource(n=5, fail_after=2)  # a file hands over all, so that the test can count
    attempts = iter([SourceError("not yet"), SourceLost("still not"), FakeSource(n=3)])

    def reopen() -> Source:
        thing = next(attempts)
        if isinstance(thing, BaseException):
            raise thing
        thing.read = _later(thing)  # type: ignore[method-assign]
        return thing

    with Live(inner, reopen=reopen, give_up_s=5.0) as source:
        frames = drain(source)
    assert [f.index for f in frames] == [0, 1, 2, 3, 4]
    assert source.reconnects == 1
    assert inner.closed == 1


def _later(source: FakeSource) -> Callable[[], Frame | None]:
    read = source.read

    def moved() -> Frame | None:
        frame = read()
        return None if frame is None else replace(frame, time_ns=frame.time_ns + 10**12)

    return moved


class Silent(FakeSource):
    """A camera that falls silent after two frames, and tells of it after its own `timeout_s`."""

    def read(self) -> Frame | None:
        if self._next == 2:
            time.sleep(self.timeout_s)
            raise SourceLost("silent")
        return super().read()


@pytest.mark.usefixtures("quick_retry")
def test_a_camera_is_tried_again_even_if_give_up_is_shorter_than_timeout() -> None:
    def reopen() -> Source:
        time.sleep(0.3)  # opening takes longer than `give_up_s` as well
        return FakeSource(n=2, live=True)

    camera = Silent(live=True, interval_s=0.02, timeout_s=0.3)
    with Live(camera, reopen=reopen, give_up_s=0.1) as source:
        frames = drain(source)
        assert source.reconnects == 1
    assert frames[-1].index == 3


def test_a_read_ends_without_an_error_when_its_time_is_over() -> None:
    inner = FakeSource(live=True, stall_after=1)
    with Live(inner, timeout_s=60) as source:
        assert source.read(within_s=5) is not None
        assert source.read(within_s=0.05) is None
        inner.release()
        assert source.read(within_s=5) is not None


@pytest.mark.usefixtures("quick_retry")
def test_a_loss_soon_after_coming_back_counts_anew() -> None:
    inner = FakeSource(n=4, interval_s=0.15, fail_after=3)
    with Live(inner, reopen=lambda: FakeSource(n=0), give_up_s=0.3) as source:
        assert len(drain(source)) == 3
        assert source.reconnects == 1


class Clock:
    """A monotonic clock that goes when the test says, so that a busy machine does not decide."""

    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(live_module, "time", Clock())
    return live_module.time  # type: ignore[return-value]


@pytest.mark.usefixtures("quick_retry")
def test_camera_that_stays_away_is_given_up(clock: Clock) -> None:
    tries: list[float] = []

    def reopen() -> Source:
        tries.append(clock.now_s)
        clock.now_s += 20.0
        raise SourceError("no such device")

    with Live(FakeSource(fail_after=0, name="cam"), reopen=reopen, give_up_s=50) as source:
        with pytest.raises(SourceLost, match=r"cam: lost, and not back after 50 s: no such device"):
            source.read()
        assert source.reconnects == 0
    assert tries == [0.0, 20.0, 40.0]


@pytest.mark.usefixtures("quick_retry")
def test_camera_that_opens_but_never_delivers_is_given_up(clock: Clock) -> None:
    opened: list[FakeSource] = []

    def reopen() -> Source:
        clock.now_s += 20.0
        opened.append(FakeSource(fail_after=0))
        return opened[-1]

    with (
        Live(FakeSource(fail_after=0), reopen=reopen, give_up_s=50) as source,
        pytest.raises(SourceLost, match="not back"),
    ):
        source.read()
    assert len(opened) == 3
    assert all(s.closed == 1 for s in opened)


def test_without_give_up_nothing_is_tried() -> None:
    with (
        Live(FakeSource(fail_after=0), reopen=lambda: pytest.fail("reopened")) as source,
        pytest.raises(SourceLost, match="as the test asked"),
    ):
        source.read()


@pytest.mark.usefixtures("quick_retry")
def test_close_ends_the_retries() -> None:
    tried = threading.Event()

    def reopen() -> Source:
        tried.set()
        raise SourceError("no")

    source = Live(FakeSource(fail_after=0), reopen=reopen, give_up_s=60)
    assert tried.wait(5)
    source.close()
    assert not source._thread.is_alive()


def test_open_live_reads_a_file(tmp_path: object) -> None:
    import cv2

    path = f"{tmp_path}/a.png"
    cv2.imwrite(path, np.zeros((4, 6, 3), np.uint8))
    with open_live(path) as source:
        assert [f.size_wh for f in drain(source)] == [(6, 4)]
