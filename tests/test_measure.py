"""A very short measurement: its figures are sane, and what cannot be measured is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vedette import measure as module
from vedette.errors import SettingsError, SourceError, VedetteError
from vedette.measure import Report, measure

SOURCE = "demo://?pace=none&seconds=0.2&size=320x240"


@pytest.fixture(scope="module")
def steps() -> list[str]:
    return []


@pytest.fixture(scope="module")
def report(steps: list[str]) -> Report:
    return measure(source=SOURCE, seconds=0.5, threads=1, progress=steps.append)


def test_the_figures_are_sane(report: Report) -> None:
    assert report.model == "face-detector"
    assert report.engine.endswith("cpu x1")
    assert report.source == SOURCE
    assert report.frame_wh == (320, 240)
    rates = (report.invoke_per_s, report.loop_per_s, report.decode_per_s, report.paced_fps)
    assert min(rates) > 0
    assert report.loop_ratio == pytest.approx(report.loop_per_s / report.invoke_per_s)
    assert report.decode_ratio > 0
    assert 0 <= report.paced_age_p50_ms <= report.paced_age_p99_ms
    assert report.paced_dropped >= 0
    assert report.cold_start_ms > 0
    assert report.peak_rss_mib > 10


def test_the_figures_are_json(report: Report) -> None:
    facts = report.as_dict()

    assert list(facts) == [f.name for f in fields(Report)]
    text = json.dumps(facts, allow_nan=False)
    assert json.loads(text)["frame_wh"] == [320, 240]


def test_progress_is_told_for_each_step(report: Report, steps: list[str]) -> None:
    assert report
    assert steps == [
        "whole loop against bare invoke",
        "the same with decoding",
        "paced at 30 fps",
        "cold start",
    ]


def preloaded(tmp_path: Path) -> str:
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((4, 6, 3), i, np.uint8))
    return str(tmp_path)


def test_preloaded_pictures_come_again_and_again_with_growing_times(tmp_path: Path) -> None:
    source = module._Preloaded("x", module._preload(preloaded(tmp_path)))
    frames = [source.read() for _ in range(5)]

    assert [int(f.image[0, 0, 0]) for f in frames if f] == [0, 1, 2, 0, 1]
    assert [f.index for f in frames if f] == [0, 1, 2, 3, 4]
    times = [f.time_ns for f in frames if f]
    assert times == sorted(set(times))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        pytest.param({"source": "demo://"}, VedetteError, "is live", id="live source"),
        pytest.param({"source": "gone.mp4"}, SourceError, "gone.mp4", id="no source"),
        pytest.param(
            {"source": "demo://?pace=none&seconds=0"}, VedetteError, "seconds|no pictures", id="empty source"
        ),
        pytest.param({"source": SOURCE, "model": "face"}, SettingsError, "face-detector", id="no model"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        measure(seconds=0.1, **given)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param("import sys; sys.exit('vedette: broken')", "failed: vedette: broken", id="fails"),
        pytest.param("import time; time.sleep(60)", "no answer within", id="hangs"),
    ],
)
def test_a_cold_start_that_does_not_work_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, message: str
) -> None:
    real: Callable[..., Any] = module.subprocess.run
    monkeypatch.setattr(module, "COLD_TIMEOUT_S", 1.0)
    monkeypatch.setattr(module.subprocess, "run", lambda c, **k: real([c[0], "-c", code], **k))
    (frame,) = module._preload(preloaded(tmp_path))[:1]
    with pytest.raises(VedetteError, match=message):
        module._cold("face-detector", frame, tmp_path)
