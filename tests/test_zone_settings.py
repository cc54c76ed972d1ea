"""Settings of tracks and zones: read, checked, refused with the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from vedette.errors import SettingsError
from vedette.settings import StageSettings, TrackSettings, parse_stage
from vedette.zone_settings import LineSettings, ZoneSettings, dump_zones, load_zones, zone_tables

GOOD = """
[line.door]
points = [[0.5, 0], [0.5, 1]]
anchor = "center"

[zone.yard]
points = [[0, 0], [1, 0.0], [1, 1]]
labels = ["person"]
inertia_s = 1
dwell_s = 10.5
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "zones.toml"
    path.write_text(text)
    return path


def test_zones_and_lines_are_read(tmp_path: Path) -> None:
    yard, door = load_zones(write(tmp_path, GOOD))
    corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    assert yard == ZoneSettings("yard", corners, labels=("person",), inertia_s=1, dwell_s=10.5)
    assert door == LineSettings("door", ((0.5, 0.0), (0.5, 1.0)), anchor="center")
    assert not isinstance(door, ZoneSettings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("[zones.a]", "'zones'; did you mean 'zone'", id="unknown table"),
        pytest.param("[zone]\npoints = []", r"write \[zone.NAME\]", id="no name"),
        pytest.param("zone = 3", r"write \[zone.NAME\]", id="no table"),
        pytest.param("", "no zone and no line", id="nothing"),
        pytest.param(GOOD + "\ninertia = 2", "'inertia'; did you mean 'inertia_s'", id="unknown key"),
        pytest.param(GOOD.replace("anchor", "dwell_s"), "unknown key", id="a line does not dwell"),
        pytest.param(
            GOOD.replace("center", "centre"), "'centre'; did you mean 'center'", id="unknown anchor"
        ),
        pytest.param(GOOD.replace("10.5", "-1"), "dwell_s is -1, a number from 0", id="below zero"),
        pytest.param(GOOD.replace("10.5", "nan"), "dwell_s is nan", id="not a number"),
        pytest.param(GOOD.replace("10.5", "true"), "dwell_s is True", id="bool is no number"),
        pytest.param(GOOD.replace('["person"]', '"person"'), "labels is 'person'", id="labels no list"),
        pytest.param(GOOD.replace("[0.5, 1]", "[0.5, 1.1]"), r"\[line.door\] needs two points", id="outside"),
        pytest.param(GOOD.replace("[0.5, 1]", "[0.5]"), "needs two points", id="half a point"),
        pytest.param(GOOD.replace("[0.5, 1]", "[0.5, 1], [1, 1]"), "needs two points", id="three ends"),
        pytest.param(
            GOOD.replace("[1, 0.0], ", ""), r"\[zone.yard\] needs 3 to 100 points", id="two corners"
        ),
        pytest.param(GOOD.replace("[1, 0.0]", "[1, 1]"), "the same point twice", id="twice the same"),
        pytest.param(GOOD.replace("points", "point"), "'point'; did you mean 'points'", id="misspelt points"),
        pytest.param(GOOD.replace("door", "yard"), "'yard' is the name of a zone and of a line", id="twins"),
        pytest.param("[zone.a", "not valid TOML", id="no TOML"),
        pytest.param(GOOD.replace("yard", '""'), "needs a name of 1 to 64", id="an empty name"),
        pytest.param(GOOD.replace("yard", '"a\\nb"'), "needs a name of 1 to 64", id="a name of two lines"),
        pytest.param(GOOD.replace("yard", "y" * 65), "needs a name of 1 to 64", id="a long name"),
        pytest.param(GOOD.replace('"person"', '""'), "a list of strings", id="an empty label"),
    ],
)
def test_bad_zones_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_zones(write(tmp_path, text))


TRIANGLE = ((0.0, 0.0), (1.0, 0.0), (0.1234, 1e-05))


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(ZoneSettings("yard", TRIANGLE), id="plain"),
        pytest.param(ZoneSettings('say "hi" \\ #1 = [x]', TRIANGLE), id="a name full of marks"),
        pytest.param(ZoneSettings("Tür · ворота 🚪", TRIANGLE), id="a name in other letters"),
        pytest.param(
            ZoneSettings("yard", TRIANGLE, ("person", 'a "dog"'), "top", 0.5, 3600.0, 0.0, 1e9), id="all keys"
        ),
        pytest.param(LineSettings("door", TRIANGLE[:2], ("person",), lost_s=2), id="a line"),
    ],
)
def test_what_is_written_is_read_as_the_same(tmp_path: Path, rule: LineSettings) -> None:
    rules = (rule, LineSettings("other", TRIANGLE[1:]))
    assert load_zones(write(tmp_path, dump_zones(rules))) == rules


def test_what_is_written_leaves_out_what_goes_without_saying(tmp_path: Path) -> None:
    tables = zone_tables(load_zones(write(tmp_path, GOOD)))
    assert tables["line"] == {"door": {"points": [[0.5, 0], [0.5, 1]], "anchor": "center"}}
    assert set(tables["zone"]["yard"]) == {"points", "labels", "inertia_s", "dwell_s"}


def test_a_file_says_that_it_holds_none_yet(tmp_path: Path) -> None:
    assert load_zones(write(tmp_path, "# to be drawn\n[zone]\n")) == ()
    with pytest.raises(SettingsError, match="holds no zone"):  # cut off by a full disk, say
        load_zones(write(tmp_path, ""))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read the zones .*gone.toml"):
        load_zones(tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        pytest.param("track", StageSettings("track"), id="track"),
        pytest.param(
            "track?max_age_s=3&confirm_s=0&start_score=0.6",
            StageSettings("track", track=TrackSettings(max_age_s=3.0, confirm_s=0.0, start_score=0.6)),
            id="track with options",
        ),
        pytest.param("zones=a/b.toml", StageSettings("zones", "a/b.toml"), id="zones"),
        pytest.param("faces?every=3", StageSettings("faces", every=3), id="every third frame"),
    ],
)
def test_stages_are_parsed(text: str, settings: StageSettings) -> None:
    assert parse_stage(text) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("track?max_age=3", "'max_age'; did you mean 'max_age_s'", id="unit left out"),
        pytest.param("track?min_score=0.3", "unknown option of stage track", id="a detector's option"),
        pytest.param("track?max_age_s=0", "allowed is 0.01", id="no memory"),
        pytest.param("faces?every=0", "allowed is 1", id="never"),
        pytest.param("faces?every=1.5", "whole number", id="every frame and a half"),
        pytest.param("zones=a.toml?every=2", "unknown option of stage zones", id="zones have none"),
    ],
)
def test_bad_stages_are_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_stage(text)
