"""Zones in a file: what an editor is told, what it may save, and what it must not spoil."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from vedette.errors import SettingsError, SinkError
from vedette.stages.zone_file import FileZones
from vedette.zone_settings import load_zones

TEXT = """# the porch of the house
[zone.porch]
points = [[0.1, 0.6], [0.5, 0.6], [0.5, 1]]
labels = ["person"]
dwell_s = 10
"""
SQUARE = [[0, 0], [0.5, 0], [0.5, 0.5], [0, 0.5]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "zones.toml"
    path.write_text(TEXT)
    return path


def save(zones: FileZones, tables: dict[str, Any]) -> None:
    zones.save(tables, zones.describe()["version"])


def test_an_editor_is_told_all_it_needs(path: Path) -> None:
    told = FileZones(path, labels=["person", "dog"]).describe()
    assert (told["file"], told["labels"], told["locked"]) == ("zones.toml", ["dog", "person"], None)
    porch = {"points": [[0.1, 0.6], [0.5, 0.6], [0.5, 1.0]], "labels": ["person"], "dwell_s": 10}
    assert told["zones"] == {"zone": {"porch": porch}, "line": {}}


def test_what_is_saved_stands_in_the_file_and_holds(path: Path) -> None:
    path.chmod(0o640)
    zones = FileZones(path)
    save(zones, {"zone": {"new": {"points": SQUARE}}, "line": {"door": {"points": SQUARE[:2]}}})
    assert [rule.name for rule in zones.rules] == ["new", "door"]
    assert load_zones(path) == zones.rules
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in path.parent.iterdir()) == ["zones.toml", "zones.toml.bak"]
    save(zones, {"line": {"door": {"points": SQUARE[:2]}}})
    assert [rule.name for rule in load_zones(path)] == ["door"]
    assert (
        path.parent / "zones.toml.bak"
    ).read_text() == TEXT  # as it was before the first, comments and all


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        pytest.param({}, "it holds no zone and no line", id="nothing"),
        pytest.param({"zone": {"a": {"points": SQUARE[:2]}}}, r"\[zone.a\] needs 3 to 100 points", id="few"),
        pytest.param({"zone": {"a": {"points": [[0, 0], [2, 0], [1, 1]]}}}, "needs 3 to 100", id="outside"),
        pytest.param({"zone": {"a": {"points": [[0, float("nan")]] * 3}}}, "needs 3 to 100", id="nan"),
        pytest.param(
            {"zone": {"a": {"points": [SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]]}}}, "cross", id="crossed"
        ),
        pytest.param({"zone": {"a": {"points": SQUARE, "lables": []}}}, "did you mean 'labels'", id="key"),
        pytest.param(
            {"zone": {"a": {"points": SQUARE, "labels": ["persn"]}}}, "did you mean 'person'", id="label"
        ),
        pytest.param({"zone": {"\ud800": {"points": SQUARE}}}, "needs a name", id="no text"),
        pytest.param({"zone": {"a": 3}}, "needs a name", id="no table"),
        pytest.param({"zone": []}, "needs a name", id="a list"),
        pytest.param({"zones": {}}, "did you mean 'zone'", id="kind"),
    ],
)
def test_what_the_file_may_not_hold_is_not_saved(path: Path, tables: dict[str, Any], message: str) -> None:
    zones = FileZones(path, labels=["person"])
    before = zones.rules
    with pytest.raises(SettingsError, match=message):
        save(zones, tables)
    assert path.read_text() == TEXT
    assert zones.rules is before
    assert [p.name for p in path.parent.iterdir()] == ["zones.toml"]


def test_of_two_who_edit_at_once_the_second_is_told(path: Path) -> None:
    zones = FileZones(path)
    version = zones.describe()["version"]
    zones.save({"zone": {"first": {"points": SQUARE}}}, version)
    with pytest.raises(SettingsError, match=r"zones.toml was saved by somebody else"):
        zones.save({"zone": {"second": {"points": SQUARE}}}, version)
    assert [rule.name for rule in zones.rules] == ["first"]


def test_what_was_changed_by_hand_is_not_overwritten(path: Path) -> None:
    zones = FileZones(path)
    path.write_text(TEXT + "lost_s = 3\n")
    with pytest.raises(SettingsError, match="changed outside of this run"):
        save(zones, {"zone": {"mine": {"points": SQUARE}}})
    assert "lost_s = 3" in path.read_text()
    path.unlink()
    with pytest.raises(SettingsError, match="cannot read the zones"):
        save(zones, {"zone": {"mine": {"points": SQUARE}}})


def test_what_cannot_be_written_is_said_and_does_not_hold(path: Path) -> None:
    zones = FileZones(path)
    (path.parent / "zones.part.toml").mkdir()  # in the way of writing
    with pytest.raises(SinkError, match="cannot write"):
        save(zones, {"zone": {"mine": {"points": SQUARE}}})
    assert path.read_text() == TEXT
    assert [rule.name for rule in zones.rules] == ["porch"]


@pytest.mark.parametrize(
    ("forbidden", "message"),
    [
        pytest.param("zones.toml", "it is read-only; `chmod u\\+w", id="the file"),
        pytest.param("", "no permission to write in", id="its folder"),
    ],
)
def test_a_read_only_file_is_told_of_before_and_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch, forbidden: str, message: str
) -> None:
    def allows(asked: Path, mode: int) -> bool:  # root may write anything, and tests run as root
        return asked != path.parent / forbidden

    monkeypatch.setattr(os, "access", allows)
    zones = FileZones(path)
    locked = str(zones.describe()["locked"])
    with pytest.raises(SinkError, match=message) as caught:
        save(zones, {"zone": {"mine": {"points": SQUARE}}})
    assert str(caught.value) == locked
    assert path.read_text() == TEXT


def test_a_link_stays_one(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    save(FileZones(link), {"zone": {"mine": {"points": SQUARE}}})
    assert link.is_symlink()
    assert [rule.name for rule in load_zones(path)] == ["mine"]


def test_the_first_zone_makes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    zones = FileZones(path, begin=True)
    told = zones.describe()
    assert (told["zones"], told["locked"], told["loses"]) == ({"zone": {}, "line": {}}, None, None)
    assert not path.exists()
    save(zones, {"zone": {"mine": {"points": SQUARE}}})
    assert load_zones(path) == zones.rules
    save(zones, {"zone": {"other": {"points": SQUARE}}})
    assert [p.name for p in tmp_path.iterdir()] == ["new.toml"]  # there was nothing to keep


def test_a_file_that_came_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    zones = FileZones(path, begin=True)
    path.write_text(TEXT)
    with pytest.raises(SettingsError, match="changed outside of this run"):
        save(zones, {"zone": {"mine": {"points": SQUARE}}})
    assert path.read_text() == TEXT


@pytest.mark.parametrize("begin", [False, True], ids=["no editor", "no folder"])
def test_where_none_can_begin_a_missing_file_is_refused(tmp_path: Path, begin: bool) -> None:
    path = tmp_path / "nowhere" / "new.toml" if begin else tmp_path / "new.toml"
    with pytest.raises(SettingsError, match="cannot read the zones"):
        FileZones(path, begin=begin)


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        pytest.param(TEXT, True, id="a line of its own"),
        pytest.param(TEXT.split("\n", 1)[1] + "# it's Bob's", True, id="with quotes in it"),
        pytest.param(TEXT.split("\n", 1)[1].replace("dwell_s = 10", "dwell_s = 10 # s"), True, id="behind"),
        pytest.param(TEXT.split("\n", 1)[1], False, id="none"),
        pytest.param(TEXT.split("\n", 1)[1].replace("porch", '"gate #1"'), False, id="a name"),
        pytest.param(TEXT.split("\n", 1)[1].replace("porch", "'gate #1'"), False, id="a plain name"),
    ],
)
def test_that_comments_are_lost_is_said_before(path: Path, text: str, lost: bool) -> None:
    path.write_text(text)
    zones = FileZones(path)
    told = zones.describe()["loses"]
    assert (told is not None) is lost
    if lost:
        assert "zones.toml.bak will keep the file" in told
        save(zones, {"zone": {"mine": {"points": SQUARE}}})
        assert zones.describe()["loses"] is None
