from __future__ import annotations

import dataclasses
import json
import threading
from types import MappingProxyType

import numpy as np
import pytest

from vedette.stats import LatencyStats, Percentiles, Stats
from vedette.types import Detections, Frame, Results, ZoneCount

MS = 1_000_000


def result(done_ms, *, age_ms=10.0, stage_ms=5.0, drops=None, class_ids=()):
    done_ns = round(done_ms * MS)
    n = len(class_ids)
    found = Detections.of(np.zeros((n, 4), np.float32), np.ones(n, np.float32), np.array(class_ids, np.int32),
                          labels=("cat", "dog"))  # fmt: skip
    frame = Frame(np.zeros((2, 2, 3), np.uint8), 0, done_ns, done_ns - round(age_ms * MS), "x")
    return Results(frame, MappingProxyType({"objects": found}), timings_ns={"objects": round(stage_ms * MS)},
                   done_ns=done_ns, drops=drops or {})  # fmt: skip


def gather(results):
    stats = Stats()
    for one in results:
        stats.update(one)
    return stats


def test_nothing_yet_is_all_zeros():
    snapshot = Stats().snapshot()
    assert (snapshot.frames, snapshot.fps, snapshot.mean_fps, snapshot.age_ms) == (0, 0.0, 0.0, Percentiles())
    json.dumps(snapshot.as_dict(), allow_nan=False)


def test_one_result_has_an_age_and_no_rate():
    snapshot = gather([result(0, age_ms=7)]).snapshot()
    assert (snapshot.frames, snapshot.fps, snapshot.age_ms.p50) == (1, 0.0, 7.0)


def test_percentiles_are_those_of_numpy():
    ages = np.random.default_rng(3).gamma(2, 8, 500)
    snapshot = gather(result(1000 + k * 20, age_ms=a, stage_ms=a / 2) for k, a in enumerate(ages)).snapshot()
    one, stage = snapshot.age_ms, snapshot.stages_ms["objects"]
    assert [one.p50, one.p95, one.p99] == pytest.approx(
        np.percentile(ages, [50, 95, 99]), abs=1e-5
    )  # whole ns
    assert [stage.p50, stage.p99] == pytest.approx(np.percentile(ages / 2, [50, 99]), abs=1e-5)
    assert one.count == 500


def test_memory_is_bounded_and_the_newest_count():
    stats = LatencyStats()
    for k in range(5000):
        stats.add(float(k))
    one = stats.percentiles()
    assert len(stats._last_ms) == 1024
    assert one.p50 == pytest.approx(5000 - 1024 / 2, abs=1)
    assert one.count == 5000


@pytest.mark.parametrize(("times_ms", "now_ms", "fps"), [
    pytest.param([k * 40 for k in range(100)], None, 25.0, id="25 fps"),
    pytest.param([k * 1000 for k in range(100)], None, 1.0, id="1 fps"),
    pytest.param([*range(0, 2000, 40), *range(10_000, 16_000, 20)], None, 50.0, id="only the last 5 s"),
    pytest.param([0, 40, 80], 80 + 40, 25.0, id="the next is not late yet"),
    pytest.param([0, 40, 80], 80 + 4 * 40, 10.0, id="a pause counts"),
    pytest.param([0, 40, 80], 60_000, 0.0, id="stopped"),
    pytest.param([5, 5], None, 0.0, id="no time between"),
])  # fmt: skip
def test_rate(times_ms, now_ms, fps):
    stats = gather(result(t) for t in times_ms)
    assert stats.snapshot(None if now_ms is None else now_ms * MS).fps == pytest.approx(fps)


def test_mean_rate_is_that_of_the_whole_run():
    assert gather(result(k * 40) for k in range(3001)).snapshot().mean_fps == pytest.approx(25.0)


def test_drops_are_the_last_told_and_counts_add_up():
    stats = gather([result(0, drops={"stale": 1}, class_ids=[0, 1, 1]), result(40), result(80, drops={"stale": 4},
                    class_ids=[1, 7])])  # fmt: skip
    snapshot = stats.snapshot()
    assert snapshot.drops == {"stale": 4}
    assert snapshot.counts == {"objects": {"cat": 1, "dog": 3, "7": 1}}


def test_zones_are_the_last_told():
    door = ZoneCount("door", ((0.0, 0.0), (1.0, 1.0)), {"in": 2, "out": 1})
    stats = gather([result(0), dataclasses.replace(result(40), zones=(door,))])
    assert stats.snapshot().as_dict()["zones"] == {"door": {"in": 2, "out": 1}}
    assert gather([result(0)]).snapshot().zones == {}


def test_a_snapshot_does_not_change():
    stats = gather([result(0, class_ids=[0])])
    snapshot = stats.snapshot()
    stats.update(result(40, class_ids=[0]))
    assert (snapshot.frames, snapshot.counts["objects"]["cat"]) == (1, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        snapshot.frames = 3
    with pytest.raises(TypeError):
        snapshot.drops["x"] = 1


def test_may_be_read_while_it_is_fed():
    stats, errors = Stats(), []

    def read():
        try:
            for _ in range(100):
                stats.snapshot().as_dict()
        except Exception as error:
            errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for k in range(2000):
        stats.update(result(k, drops={str(k % 7): k}))
    reader.join(10)
    assert not errors
    assert stats.snapshot().frames == 2000
