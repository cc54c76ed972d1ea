"""The composition root: names become objects, and what was opened is closed whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from asked import QUICK
from drawn_graphs import runnable_classifier
from vedette import app
from vedette.errors import SettingsError, SinkError, VedetteError
from vedette.stages.detect import Detect
from vedette.testing import FakeSource, ListSink
from vedette.types import Detections, ModelInfo


class Closing:
    """A detector of nothing that counts how often it is closed."""

    info = ModelInfo("toy", "1", "0" * 64, "fake")
    closed = 0

    def detect(self, _image: object) -> Detections:
        return Detections.empty()

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Closing:
    detector = Closing()
    monkeypatch.setattr(app, "STAGES", {"faces": lambda s: Detect(s.name, detector)})
    return detector


def test_names_become_a_run_and_are_closed_after_it(made: Closing) -> None:
    results = list(app.run(QUICK, ["faces"], frames=2))
    assert [list(r.found) for r in results] == [["faces"], ["faces"]]
    assert made.closed == 1


def test_stages_of_the_callers_stay_open(made: Closing) -> None:
    list(app.run(FakeSource(n=1), [Detect("mine", made)]))
    assert made.closed == 0


def test_a_run_that_is_never_asked_opens_nothing(made: Closing) -> None:
    app.run(QUICK, ["faces"], ["gone/a.jsonl"]).close()
    assert made.closed == 0


def test_a_sink_that_fails_to_open_closes_those_before_it(
    made: Closing, monkeypatch: pytest.MonkeyPatch
) -> None:
    sinks: list[ListSink] = []

    def make_sink(text: str) -> ListSink:
        if text == "bad":
            raise SinkError("bad: no")
        sinks.append(ListSink(text))
        return sinks[-1]

    monkeypatch.setattr(app, "make_sink", make_sink)
    with pytest.raises(SinkError, match="bad: no"):
        list(app.run(QUICK, ["faces"], ["good", "bad"]))
    assert [s.closed for s in sinks] == [1]
    assert made.closed == 1


@pytest.mark.parametrize(
    ("source", "stages", "more"),
    [
        pytest.param(QUICK, ["facs"], [], id="unknown stage"),
        pytest.param("gone.mp4", ["faces"], [], id="no source"),
        pytest.param(QUICK, ["faces"], ["gone/a.jsonl"], id="no other sink"),
    ],
)
def test_given_sinks_are_closed_where_the_rest_does_not_open(
    made: Closing, source: str, stages: list[str], more: list[str]
) -> None:
    given = ListSink()
    with pytest.raises(VedetteError):
        list(app.run(source, stages, [given, *more]))
    assert given.closed == 1


def test_a_given_source_is_closed_where_a_stage_does_not_open() -> None:
    given = FakeSource(n=1)
    with pytest.raises(SettingsError):
        list(app.run(given, ["facs"]))
    assert given.closed == 1


def test_sinks_are_told_of_once_all_are_open(made: Closing) -> None:
    told: list[object] = []
    sinks = [ListSink("a"), ListSink("b")]
    list(app.run(FakeSource(n=1), ["faces"], sinks, on_sink=told.append))
    assert told == sinks


@pytest.mark.parametrize("text", ["facs", "faces?threads=0", "faces?x=1"])
def test_unknown_stages_are_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        app.make_stage(text)


def test_a_failed_load_is_a_vedette_error(tmp_path: Path) -> None:
    with pytest.raises(VedetteError, match="no model file"):
        app.load(tmp_path / "gone.tflite")


def test_a_strangers_file_is_told_of_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What every load says is short; the evidence is for who asks with -v, or `vedette inspect`."""
    path = tmp_path / "other.tflite"
    path.write_bytes(runnable_classifier())
    with caplog.at_level("DEBUG", "vedette"):
        file = app.open_model(path)
    assert file.evidence
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("INFO", f"{path} is taken for classification; `vedette inspect` says why."),
        ("DEBUG", f"{path}: {' '.join(file.evidence)}"),
    ]
