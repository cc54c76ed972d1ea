"""When `vedette live` names faces by itself, and where its stages go."""

from argparse import Namespace
from pathlib import Path

import pytest

from vedette import app
from vedette.errors import SettingsError
from vedette.flags import with_recognition
from vedette.stages.recognize import Recognize
from vedette.testing import FakeSource, ListSink
from vedette.types import Results


def asked(gallery=None, key=None, *, no_recognize=False):
    return Namespace(gallery=gallery, key=key, no_recognize=no_recognize)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return the usual place of the gallery, with one in it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    path = tmp_path / "vedette" / "faces" / "people.db"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


@pytest.mark.parametrize(
    ("stages", "wanted"),
    [
        pytest.param(["faces"], ["faces", "track", "NAMES"], id="faces"),
        pytest.param(
            ["faces=a.tflite?every=2"],
            ["faces=a.tflite?every=2", "track", "NAMES"],
            id="a model of one's own",
        ),
        pytest.param(["faces", "track?weak=1"], ["faces", "track?weak=1", "NAMES"], id="tracked already"),
        pytest.param(["faces", "privacy"], ["faces", "track", "NAMES", "privacy"], id="before privacy"),
        pytest.param(
            ["faces", "objects", "track"], ["faces", "objects", "track", "NAMES"], id="after the tracker"
        ),
        pytest.param(
            ["faces", "track", "recognize=b.db"], ["faces", "track", "recognize=b.db"], id="named already"
        ),
        pytest.param(["objects"], ["objects"], id="no faces"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_where_the_stages_go(home, stages, wanted):
    assert list(with_recognition(stages, asked())) == [
        one.replace("NAMES", f"recognize={home}") for one in wanted
    ]


def test_not_without_a_gallery_nor_when_told_not_to(home):
    assert with_recognition(["faces"], asked(no_recognize=True)) == ("faces",)
    home.unlink()
    assert with_recognition(["faces"], asked()) == ("faces",)


def test_a_gallery_that_is_named_need_not_be_there_yet(home):
    told = with_recognition(["faces"], asked(Path("b.db"), Path("a key&")))
    assert told == ("faces", "track", "recognize=b.db?key=a+key%26")
    with pytest.raises(SettingsError, match="--gallery is for faces"):
        with_recognition(["objects"], asked(Path("b.db")))


def test_a_sink_that_can_is_given_the_recognizer():
    class Names(Recognize):
        def __init__(self) -> None:
            self.name, self.recognizer = "recognize", "the recognizer"

        def __call__(self, results: Results) -> Results:
            return results

    class Page(ListSink):
        def show_people(self, stage: Recognize, *, private: bool) -> None:
            self.people = stage.recognizer, private

    class Before:
        name = "before"

        def __call__(self, results: Results) -> Results:
            return results

    page, plain = Page(), ListSink()
    assert len(list(app.run(FakeSource(n=1), [Before(), Names()], [page, plain]))) == 1
    assert page.people == ("the recognizer", False)
    assert not hasattr(plain, "people")
