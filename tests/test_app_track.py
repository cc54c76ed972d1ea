"""Detector, tracker and zones together, as `vedette live --stage faces --stage track --stage zones=FILE` puts them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vedette import app, cli
from vedette.errors import SettingsError
from vedette.stages.detect import Detect
from vedette.stages.every import Every
from vedette.testing import FakeSource
from vedette.types import Detections, ModelInfo

DEMO = "demo://?pace=none&size=480x270&fps=10&seconds=1.5"
ZONES = """
[zone.all]
points = [[0, 0], [1, 0], [1, 1], [0, 1]]
labels = ["face"]
anchor = "center"
inertia_s = 0
[line.middle]
points = [[0.5, 0], [0.5, 1]]
"""


@pytest.fixture
def zones(tmp_path: Path) -> Path:
    path = tmp_path / "zones.toml"
    path.write_text(ZONES)
    return path


class Blind:
    """A detector of nothing."""

    info = ModelInfo("toy", "1", "0" * 64, "fake")

    def detect(self, _image: object) -> Detections:
        return Detections.empty()

    def close(self) -> None: ...


def test_faces_are_numbered_carried_and_counted(zones: Path) -> None:
    results = list(app.run(DEMO, ["faces?every=2", "track", f"zones={zones}"]))
    assert [bool(r.found["faces"].predicted.any()) for r in results] == [False, True] * 7 + [False]
    last = results[-1]
    numbered = int((last.found["faces"].track_id >= 0).sum())
    assert numbered >= 1
    assert last.zones[0].counts["inside"] >= numbered
    assert (
        sum(event.kind == "enter" for r in results for event in r.events) == last.zones[0].counts["entered"]
    )
    assert last.models["faces"].name == "face-detector"


def test_the_command_line_writes_it_all(zones: Path, tmp_path: Path) -> None:
    lines, video = tmp_path / "a.jsonl", tmp_path / "a.avi"
    stages = ["--stage", "faces?every=3", "--stage", "track?confirm_s=0", "--stage", f"zones={zones}"]
    assert cli.main(["live", DEMO, *stages, "--sink", str(lines), "--sink", str(video)]) == 0
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    assert len(records) == 15
    assert {"all", "middle"} == set(records[0]["zones"])
    assert any(row["track_id"] is not None and row["predicted"] for r in records for row in r["detections"])
    assert any(event["kind"] == "enter" for r in records for event in r["events"])
    assert video.stat().st_size > 10_000


def test_a_detector_before_the_tracker_tells_of_what_it_half_believes() -> None:
    with app.make_stage("faces?min_score=0.6&every=2") as faces:
        assert isinstance(faces, Every)
        with app.make_stage("track?weak=0.5", after=[faces]) as track:
            assert faces.stage.detector.min_score == pytest.approx(0.3)
            assert track._start_scores == {"faces": 0.6}
        with app.make_stage("track?start_score=0.8", after=[faces]):
            assert faces.stage.detector.min_score == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        pytest.param(["faces", "zones"], "needs the file", id="no file"),
        pytest.param(["faces", "zones={}"], "put the stage track before", id="nothing is tracked"),
        pytest.param(["zones={}"], "put the stage track before", id="nothing is found"),
        pytest.param(["faces", "zones={}", "track"], "put the stage track before", id="tracked too late"),
        pytest.param(["faces", "track", "track"], "two stages are called 'track'", id="two trackers"),
        pytest.param(["faces", "trak"], "'trak'; did you mean 'track'", id="misspelt"),
    ],
)
def test_what_cannot_work_is_refused(zones: Path, stages: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        list(app.run(FakeSource(n=1), [stage.format(zones) for stage in stages]))


def test_a_label_that_no_detector_knows_is_refused(zones: Path) -> None:
    zones.write_text(ZONES.replace('"face"', '"fase"'))
    with pytest.raises(SettingsError, match="'fase'; did you mean 'face'"):
        list(app.run(FakeSource(n=1), ["faces", "track", f"zones={zones}"]))


def test_a_detector_of_ones_own_is_left_as_it_is(zones: Path) -> None:
    stages = [Detect("mine", Blind()), "track", f"zones={zones}"]
    (done,) = app.run(FakeSource(n=1), stages)
    assert len(done.found["mine"]) == 0
