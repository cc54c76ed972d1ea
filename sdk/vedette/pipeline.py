"""The loop: frames from a source, through stages, to sinks.

Capture runs in the source's thread, and so does what the first stage can prepare of a frame; inference in the caller's
thread, each sink in its own.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from math import isfinite
from types import MappingProxyType

from vedette.errors import SettingsError
from vedette.sinks.worker import Worker
from vedette.sources.live import Live
from vedette.types import Frame, Results, Sink, Source, Stage

__all__ = ["process", "run"]

QUEUE = 8  # results that a sink may lag behind
_NO_DROPS: Mapping[str, int] = MappingProxyType({})


def process(frame: Frame, stages: Sequence[Stage], *, drops: Mapping[str, int] = _NO_DROPS) -> Results:
    """Return what `stages`, run in order, find in `frame`, with the time that each took."""
    results = Results(frame, drops=drops)
    timings: dict[str, int] = {}
    for stage in stages:
        start = time.perf_counter_ns()
        results = stage(results)
        timings[stage.name] = time.perf_counter_ns() - start
    return replace(results, timings_ns=MappingProxyType(timings), done_ns=time.monotonic_ns())


def run(
    source: Source,
    stages: Sequence[Stage],
    sinks: Sequence[Sink] = (),
    *,
    frames: int | None = None,
    seconds: float | None = None,
) -> Generator[Results, None, None]:
    """Yield results frame by frame until the source ends, or `frames` or `seconds` are over.

    A live source gives its newest frame, a file every one. It ends too when a sink's `reader_gone` tells that nobody
    reads any more, as at ``vedette live 0 --sink - | head``. Sinks are closed at the end, however it comes; so is the
    source, unless it is a `Live` that the caller opened.

    Raises:
        SettingsError: `seconds` is infinite or not a number.
        SourceLost: the source stopped delivering.
        SinkError: a sink failed.
        EngineError: a model failed.
    """
    with ExitStack() as stack:
        live = source if isinstance(source, Live) else stack.enter_context(Live(source))
        live.prepare = getattr(stages[0], "prepare", None) if stages else None
        stack.callback(setattr, live, "prepare", None)
        workers = [
            stack.enter_context(Worker(sink, live=live.live, queue_size=_queue(sink))) for sink in sinks
        ]
        if seconds is not None and not isfinite(seconds):
            raise SettingsError(f"seconds is {seconds}; give a number, or leave it out to run for ever.")
        end_s = None if seconds is None else time.monotonic() + seconds
        count = 0
        while frames is None or count < frames:
            left_s = None if end_s is None else end_s - time.monotonic()
            if left_s is not None and left_s <= 0:
                return
            frame = live.read(within_s=left_s)
            if frame is None:
                return
            results = process(frame, stages, drops=_drops(live, workers))
            for worker in workers:
                worker.put(results)
            yield results
            count += 1
            if any(getattr(sink, "reader_gone", False) for sink in sinks):
                return


def _queue(sink: Sink) -> int:
    """A sink that shows what is now, as the dashboard does, says so by `newest_only` and keeps no queue."""
    return 1 if getattr(sink, "newest_only", False) else QUEUE


def _drops(live: Live, workers: Sequence[Worker]) -> Mapping[str, int]:
    lost = {f"sink {worker.name}": worker.dropped for worker in workers if worker.dropped}
    return MappingProxyType({**live.drops, **lost}) if lost else live.drops
