from __future__ import annotations

import pytest

from vedette.errors import SettingsError, SinkError
from vedette.sinks.images import ImagesSink, SheetSink
from vedette.sinks.jsonl import JsonlSink
from vedette.sinks.uri import open_sink
from vedette.sinks.video import VideoSink
from vedette.types import Sink


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "old.jsonl").write_text("{}\n")


@pytest.mark.parametrize(("text", "kind", "name"), [
    ("-", JsonlSink, "jsonl:-"),
    ("jsonl:-", JsonlSink, "jsonl:-"),
    ("jsonl://-", JsonlSink, "jsonl:-"),
    ("results.jsonl", JsonlSink, "jsonl:results.jsonl"),
    ("R.NDJSON", JsonlSink, "jsonl:R.NDJSON"),
    ("jsonl:any.name", JsonlSink, "jsonl:any.name"),
    ("jsonl:/dev/null", JsonlSink, "jsonl:/dev/null"),
    ("jsonl:///dev/null", JsonlSink, "jsonl:/dev/null"),
    ("old.jsonl?append=1", JsonlSink, "jsonl:old.jsonl"),
    ("old.jsonl?overwrite=true", JsonlSink, "jsonl:old.jsonl"),
    ("out.mp4", VideoSink, "video:out.mp4"),
    ("./a:b.avi?fps=12.5", VideoSink, "video:./a:b.avi"),
    ("video:there/out.mkv?fps=15", VideoSink, "video:there/out.mkv"),
    ("annotated/", ImagesSink, "images:annotated/"),
    ("there", ImagesSink, "images:there"),
    ("images:new?every=500ms&quality=80", ImagesSink, "images:new"),
    ("sheet:a.png?columns=3&count=9&width=200", SheetSink, "sheet:a.png"),
], ids=lambda v: v if isinstance(v, str) else "")  # fmt: skip
def test_opens(text, kind, name):
    with open_sink(text) as sink:
        assert type(sink) is kind
        assert isinstance(sink, Sink)
        assert sink.name == name


@pytest.mark.parametrize(("text", "error", "words"), [
    ("jsnl:x", SettingsError, "unknown sink 'jsnl:'; did you mean 'jsonl:'.*video:, web:"),
    ("out.mp5", SettingsError, r"unknown sink 'out\.mp5'.*\.mp4.*FOLDER/"),
    ("web://127.0.0.1:8080", SettingsError, "unknown sink 'web:'"),
    ("", SettingsError, "unknown sink ''"),
    ("nothing", SettingsError, "unknown sink 'nothing'"),
    ("jsonl:", SettingsError, "names no path; write jsonl:PATH"),
    ("video:?fps=3", SettingsError, "names no path"),
    ("results.json", SettingsError, r"results\.jsonl"),
    ("out.png", SettingsError, r"sheet:out\.png"),
    ("out.mp4?fsp=3", SettingsError, "unknown option .* 'fsp'; did you mean 'fps'"),
    ("out.mp4?fps=fast", SettingsError, "fps=fast is no number"),
    ("out.mp4?fps=nan", SettingsError, "fps=nan is no number"),
    ("out.mp4?fps", SettingsError, "options are written"),
    ("out.mp4?fps=3&fps=4", SettingsError, "given twice"),
    ("images:x?every=soon", SettingsError, "every=soon is no duration"),
    ("r.jsonl?append=maybe", SettingsError, "append=maybe is no switch"),
    ("old.jsonl?append=1&overwrite=1", SettingsError, "exclude each other"),
    ("sheet:a.png?columns=2.5", SettingsError, r"columns=2\.5 is no whole number"),
    ("old.jsonl", SinkError, "exists"),
    ("old.jsonl?append=0", SinkError, "exists"),
    ("no/such/r.jsonl", SinkError, "does not exist"),
], ids=lambda v: v if isinstance(v, str) else "")  # fmt: skip
def test_refuses(tmp_path, text, error, words):
    with pytest.raises(error, match=words):
        open_sink(text, others=("web",))
    assert names_in(tmp_path) == ["old.jsonl", "there"]
    assert (tmp_path / "old.jsonl").read_text() == "{}\n"
