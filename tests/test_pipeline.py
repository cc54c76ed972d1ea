"""The loop: what overlaps, what is dropped, when it ends, who hears of an error, and that all is closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import numpy as np
import pytest

from vedette import pipeline
from vedette.errors import EngineError, SettingsError, SinkError, SourceLost, VedetteError
from vedette.pipeline import process, run
from vedette.sinks.worker import Worker
from vedette.sources.live import Live
from vedette.stages.detect import Detect
from vedette.testing import FakeSource, ListSink, fake_image
from vedette.types import Detections, Frame, Image, ModelInfo, Results

WAIT_S = 10.0
INFO = ModelInfo("toy", "1", "0" * 64, "fake")


def frame(index: int = 0) -> Frame:
    return Frame(fake_image(index), index, index, time.monotonic_ns(), "test")


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s, "did not happen"
        time.sleep(0.002)


class Step:
    """A stage that does what the test says, and counts its frames."""

    def __init__(self, name: str = "step", do: Callable[[Results], object] = lambda _: None) -> None:
        self.name, self._do = name, do
        self.seen: list[int] = []

    def __call__(self, results: Results) -> Results:
        self.seen.append(results.frame.index)
        self._do(results)
        return results


class GatedSink(ListSink):
    """A sink that waits in its first `write` until the test opens the gate."""

    def __init__(self, name: str = "gated") -> None:
        super().__init__(name)
        self.entered, self.gate = threading.Event(), threading.Event()

    def write(self, results: Results) -> None:
        self.entered.set()
        assert self.gate.wait(WAIT_S)
        super().write(results)


class Patient(FakeSource):
    """A camera that takes a frame when the test allows it, so that none is late."""

    def __init__(self, n: int) -> None:
        super().__init__(n=n, live=True)
        self.allowed = threading.Semaphore(1)

    def read(self) -> Frame | None:
        assert self.allowed.acquire(timeout=WAIT_S)
        return super().read()


class OneBox:
    """A detector of the whole picture."""

    info = INFO

    def detect(self, image: Image) -> Detections:
        box = np.array([[0, 0, image.shape[1], image.shape[0]]], np.float32)
        return Detections.of(box, np.ones(1, np.float32), np.zeros(1, np.int32), labels=("thing",))

    def close(self) -> None:
        """Nothing to close."""


def raising(error: BaseException, *, at: int = 0) -> Callable[[Results], None]:
    def do(results: Results) -> None:
        if results.frame.index >= at:
            raise error

    return do


# one frame


def test_process_without_stages_gives_the_frame_back() -> None:
    given = frame(3)
    results = process(given, [])

    assert results.frame is given
    assert (dict(results.found), dict(results.models), dict(results.timings_ns)) == ({}, {}, {})
    assert results.done_ns >= given.captured_ns


def test_process_fills_findings_models_timings_age_and_drops() -> None:
    given = frame()
    slow = Step("slow", lambda _: time.sleep(0.01))
    results = process(given, [Detect("things", OneBox()), slow], drops={"late": 2})

    assert len(results.found["things"]) == 1
    assert dict(results.models) == {"things": INFO}
    assert list(results.timings_ns) == ["things", "slow"]
    assert results.timings_ns["slow"] >= 10_000_000
    assert results.age_ms >= 10
    assert dict(results.drops) == {"late": 2}


def test_a_later_stage_sees_what_an_earlier_one_made() -> None:
    def brighter(results: Results) -> Results:
        return replace(results, frame=replace(results.frame, image=results.frame.image + np.uint8(1)))

    class Enhance:
        name = "enhance"
        __call__ = staticmethod(brighter)

    given = frame()
    look = Step("look", lambda r: seen.append(int(r.frame.image[0, 0, 0])))
    seen: list[int] = []
    results = process(given, [Enhance(), look])

    assert seen == [1]
    assert results.frame.image[0, 0, 0] == 1
    assert given.image[0, 0, 0] == 0  # the frame that others hold did not change


# files and cameras


@pytest.mark.parametrize("n", [0, 1, 30])
def test_a_file_loses_nothing_however_slow_its_stage_and_sink(n: int) -> None:
    sink = ListSink()
    results = list(run(FakeSource(n=n), [Step(do=lambda _: time.sleep(0.001))], [sink]))

    assert [r.frame.index for r in results] == list(range(n))
    assert [r.frame.index for r in sink.results] == list(range(n))
    assert all(dict(r.drops) == {} for r in results)
    assert sink.closed == 1


def test_of_a_camera_the_newest_frame_wins_and_the_rest_is_counted() -> None:
    camera = FakeSource(n=40, live=True, stall_after=40)
    with Live(camera) as live:
        running = run(live, [])
        until(lambda: live.drops.get("late") == 39)  # all came while nobody read
        results = next(running)
        camera.release()
        assert list(running) == []

    assert results.frame.index == 39
    assert dict(results.drops) == {"late": 39}


def test_a_slow_stage_makes_a_camera_skip_not_lag() -> None:
    """While the stage works on frame 0, frames 1 to 9 arrive: the stage's next one is the ninth."""
    camera = FakeSource(n=10, live=True, stall_after=1)
    with Live(camera) as live:

        def work(results: Results) -> None:
            if results.frame.index == 0:
                camera.release()
                until(lambda: live.drops.get("late") == 8)

        step = Step(do=work)
        results = list(run(live, [step]))

    assert step.seen == [0, 9]
    assert dict(results[-1].drops) == {"late": 8}


def test_a_slow_sink_of_a_camera_loses_its_own_results_alone() -> None:
    slow, quick = GatedSink("slow"), ListSink("quick")
    n = pipeline.QUEUE + 5
    camera = Patient(n)
    drops: list[int] = []
    for results in run(camera, [], [slow, quick]):
        assert slow.entered.wait(WAIT_S)
        drops.append(results.drops.get("sink slow", 0))
        if results.frame.index == n - 1:
            slow.gate.set()
        camera.allowed.release()

    assert len(quick.results) == n
    assert len(slow.results) == pipeline.QUEUE + 1
    assert slow.results[-1].frame.index == n - 1  # the oldest were lost
    assert drops[-1] == 3  # the fourth was lost to the last result, which cannot tell of it any more
    assert slow.closed == quick.closed == 1


def test_a_sink_that_shows_what_is_now_keeps_no_queue() -> None:
    sink = GatedSink()
    sink.newest_only = True  # type: ignore[attr-defined]
    camera = Patient(5)
    for results in run(camera, [], [sink]):
        assert sink.entered.wait(WAIT_S)
        if results.frame.index == 4:
            sink.gate.set()
        camera.allowed.release()

    assert [r.frame.index for r in sink.results] == [0, 4]


# overlap


def test_capture_inference_and_sinks_overlap() -> None:
    """Each waits for the other two to be at work: one after the other, this could not end."""
    meet = threading.Barrier(3)

    class Camera(FakeSource):
        def read(self) -> Frame | None:
            found = super().read()
            if found is not None and found.index == 2:
                meet.wait(WAIT_S)
            return found

    class Writer(ListSink):
        def write(self, results: Results) -> None:
            if results.frame.index == 0:
                meet.wait(WAIT_S)
            super().write(results)

    def work(results: Results) -> None:
        if results.frame.index == 1:
            meet.wait(WAIT_S)

    sink = Writer()
    assert len(list(run(Camera(n=4), [Step(do=work)], [sink]))) == 4
    assert len(sink.results) == 4


# the end


@pytest.mark.parametrize(
    ("frames", "count"),
    [
        pytest.param(None, 6, id="all"),
        pytest.param(0, 0, id="none"),
        pytest.param(1, 1, id="one"),
        pytest.param(6, 6, id="as many as there are"),
        pytest.param(99, 6, id="more than there are"),
        pytest.param(-1, 0, id="less than none"),
    ],
)
def test_frames_limit_the_run(frames: int | None, count: int) -> None:
    source, sink = FakeSource(n=6), ListSink()
    assert len(list(run(source, [], [sink], frames=frames))) == count
    assert len(sink.results) == count
    assert source.closed == sink.closed == 1


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_time_gives_no_results(seconds: float) -> None:
    assert list(run(FakeSource(n=6), [], seconds=seconds)) == []


@pytest.mark.parametrize("seconds", [float("inf"), float("nan")])
def test_time_that_is_no_number_is_refused(seconds: float) -> None:
    source, sink = FakeSource(n=6), ListSink()
    with pytest.raises(SettingsError, match=f"seconds is {seconds}"):
        list(run(source, [], [sink], seconds=seconds))
    assert source.closed == sink.closed == 1


def test_seconds_are_kept_while_a_camera_is_silent() -> None:
    camera, sink = FakeSource(n=9, live=True, stall_after=2), ListSink()
    with Live(camera, timeout_s=5, close_timeout_s=0.05) as live:
        start_s = time.monotonic()
        results = list(run(live, [], [sink], seconds=0.3))
        assert 0.3 <= time.monotonic() - start_s < 5
        camera.release()
    assert [r.frame.index for r in sink.results] == [r.frame.index for r in results]
    assert results[-1].frame.index == 1


def test_seconds_limit_the_run() -> None:
    source = FakeSource(n=1000)
    results = list(run(source, [Step(do=lambda _: time.sleep(0.01))], seconds=0.1))

    assert 1 <= len(results) <= 10
    assert source.closed == 1


def test_it_ends_when_nobody_reads_any_more() -> None:
    class Pipe(ListSink):
        reader_gone = False

        def write(self, results: Results) -> None:
            super().write(results)
            self.reader_gone = True

    source, sink = FakeSource(n=1000), Pipe()
    count = 0
    for _ in run(source, [], [sink]):
        count += 1
        until(lambda: sink.reader_gone)
    assert count == 1
    assert source.closed == 1


def test_closing_early_closes_source_and_sinks() -> None:
    source, sink = FakeSource(n=50), ListSink()
    running = run(source, [], [sink])
    next(running)
    running.close()

    assert source.closed == sink.closed == 1
    assert len(sink.results) == 1  # what was queued is written first


def test_a_live_source_of_the_callers_stays_open() -> None:
    source = FakeSource(n=50)
    with Live(source) as live:
        assert len(list(run(live, [], frames=2))) == 2
        assert len(list(run(live, [], frames=2))) == 2
        assert source.closed == 0
    assert source.closed == 1


def test_nothing_is_begun_before_the_first_result_is_asked_for() -> None:
    source, sink = FakeSource(), ListSink()
    del sink.results
    running = run(source, [], [sink])
    running.close()
    assert source._next == 0


# errors


@pytest.mark.parametrize(
    "error",
    [EngineError("model broke"), ValueError("a bug"), KeyboardInterrupt()],
    ids=lambda e: type(e).__name__,
)
def test_a_stages_error_reaches_the_caller_and_all_is_closed(error: BaseException) -> None:
    source, sink = FakeSource(n=9), ListSink()
    with pytest.raises(type(error)) as caught:
        list(run(source, [Step(do=raising(error, at=2))], [sink]))

    assert caught.value is error
    assert source.closed == sink.closed == 1
    assert [r.frame.index for r in sink.results] == [0, 1]


def test_a_sources_error_comes_after_the_frames_before_it() -> None:
    error = SourceLost("cam: gone")
    source, sink = FakeSource(n=9, fail_after=3, error=error), ListSink()
    seen = []
    with pytest.raises(SourceLost) as caught:
        for results in run(source, [], [sink]):
            seen.append(results.frame.index)

    assert caught.value is error
    assert seen == [0, 1, 2]
    assert len(sink.results) == 3
    assert source.closed == sink.closed == 1


@pytest.mark.parametrize("live", [False, True], ids=["file", "camera"])
def test_a_sinks_error_reaches_the_caller_and_all_is_closed(live: bool) -> None:
    source = Patient(500) if live else FakeSource(n=500)
    bad, good = ListSink("bad", fail_after=2), ListSink("good")
    with pytest.raises(SinkError, match="bad: failed after 2"):
        for results in run(source, [], [bad, good]):
            if isinstance(source, Patient):  # from the third on, all that are left: nobody waits at the end
                source.allowed.release(1 if results.frame.index < 2 else 500)

    assert source.closed == 1
    assert bad.closed == good.closed == 1
    assert good.results


def test_a_sink_that_fails_at_the_last_frame_is_heard_of() -> None:
    with pytest.raises(SinkError, match="failed after 0"):
        list(run(FakeSource(n=1), [], [ListSink(fail_after=0)]))


def test_the_first_error_goes_on_and_takes_the_others_along() -> None:
    class Late(ListSink):
        def close(self) -> None:
            super().close()
            raise SinkError("late: not finished")

    with pytest.raises(VedetteError, match="model broke") as caught:
        list(run(FakeSource(n=3), [Step(do=raising(EngineError("model broke")))], [Late()]))
    assert caught.value.__notes__ == ["also: late: not finished"]


@pytest.mark.parametrize("live", [False, True], ids=["file", "camera"])
def test_a_sink_that_hangs_cannot_hang_the_run(monkeypatch: pytest.MonkeyPatch, live: bool) -> None:
    quick = partial(Worker, close_timeout_s=0.05, put_timeout_s=0.05)
    monkeypatch.setattr(pipeline, "Worker", quick)
    source = FakeSource(n=100, live=live)
    hung, good = GatedSink("hung"), ListSink("good")
    with pytest.raises(SinkError, match="sink hung hangs"):
        list(run(source, [], [hung, good]))
    hung.gate.set()

    assert source.closed == good.closed == 1
    until(lambda: hung.closed == 1)


def test_a_camera_that_falls_silent_is_lost_in_time() -> None:
    camera, sink = FakeSource(n=9, live=True, stall_after=2, name="cam"), ListSink()
    with Live(camera, timeout_s=0.05, close_timeout_s=0.05) as live:
        with pytest.raises(SourceLost, match=r"cam: no picture for 0\.05 s"):
            list(run(live, [], [sink]))
        assert sink.closed == 1
    camera.release()


def test_results_are_not_shared_with_those_to_come() -> None:
    kept = list(run(FakeSource(n=3), [Detect("things", OneBox())]))

    assert [r.frame.index for r in kept] == [0, 1, 2]
    for mapping in (kept[0].found, kept[0].models, kept[0].timings_ns, kept[0].drops):
        assert isinstance(mapping, MappingProxyType)


class Fits:
    """A detector that can fit pictures ahead, and tells of what it was handed."""

    info = INFO

    def __init__(self) -> None:
        self.fitted_in: list[str] = []
        self.handed: list[int | None] = []

    def fit(self, image: Image) -> Image:
        self.fitted_in.append(threading.current_thread().name)
        return image[:1, :1]

    def detect(self, image: Image, *, fitted: Image | None = None) -> Detections:
        self.handed.append(None if fitted is None else int(fitted[0, 0, 0]))
        return Detections.empty()

    def close(self) -> None:
        pass


def test_pictures_are_fitted_in_the_capture_thread() -> None:
    detector = Fits()
    live = Live(FakeSource(n=5, interval_s=0.02))
    assert len(list(run(live, [Detect("faces", detector)]))) == 5
    live.close()
    assert set(detector.fitted_in) == {"vedette fake"}
    # frames captured before the loop began, three at most, were not fitted; what was is each frame's own
    assert all(given in (None, index) for index, given in enumerate(detector.handed))
    assert detector.handed[3:] == [3, 4]


def test_what_was_fitted_of_another_picture_is_not_used() -> None:
    first, second = Fits(), Fits()
    stages = [Detect("a", first), Detect("b", second)]
    whole = frame(7)
    ahead = stages[0].prepare(whole) if stages[0].prepare else None
    process(replace(whole, ahead=ahead), stages)
    process(replace(whole, ahead=ahead, image=fake_image(9)), stages)
    assert first.handed == [7, None]
    assert second.handed == [None, None]


def test_the_next_run_does_not_inherit_what_the_last_one_prepared() -> None:
    detector = Fits()
    with Live(FakeSource(n=40, interval_s=0.005)) as live:
        for _ in run(live, [Detect("faces", detector)], frames=3):
            pass
        assert live.prepare is None  # nor is a frame prepared that no run will read
        last = list(run(live, [Step()]))[-1]
        assert last.frame.ahead is None


def test_a_failure_while_preparing_reaches_the_reader() -> None:
    step = Step()
    step.prepare = lambda _frame: 1 / 0  # type: ignore[attr-defined]
    with Live(FakeSource(n=3, stall_after=0, stubborn=False)) as live, pytest.raises(ZeroDivisionError):
        running = run(live, [step])
        threading.Timer(0.05, live._source.release).start()  # type: ignore[union-attr]
        next(running)
