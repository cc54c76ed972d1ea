"""Settings: TOML in, unknown keys refused with the known ones named."""

from __future__ import annotations

from pathlib import Path

import pytest

from vedette.errors import SettingsError
from vedette.settings import LiveSettings, StageSettings, load_settings, parse_stage


def test_a_file_becomes_frozen_settings(tmp_path: Path) -> None:
    path = tmp_path / "door.toml"
    path.write_text('source = "0"\nstages = ["faces?min_score=0.6"]\nsinks = ["a.jsonl"]\nseconds = 2.5\n')
    assert load_settings(path) == LiveSettings("0", ("faces?min_score=0.6",), ("a.jsonl",), None, 2.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('source = "0"\nstage = ["faces"]', "'stage'; did you mean 'stages'", id="unknown key"),
        pytest.param("source = 0", "source is 0, a string is needed", id="wrong type"),
        pytest.param('source = "0"\nframes = true', "frames is True", id="bool is no number"),
        pytest.param('source = "0"\nframes = 0', "frames is 0", id="zero frames"),
        pytest.param('source = "0"\nseconds = nan', "seconds is nan", id="not a number"),
        pytest.param('source = "0"\nseconds = inf', "seconds is inf", id="endless"),
        pytest.param('source = "0"\nseconds = 1e300', "seconds is 1e.300", id="beyond all clocks"),
        pytest.param("stages = []", "names no source", id="no source"),
        pytest.param("source = ", "not valid TOML", id="no TOML"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        load_settings(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read"):
        load_settings(tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        pytest.param("faces", StageSettings("faces"), id="name"),
        pytest.param("faces=a/b.tflite", StageSettings("faces", "a/b.tflite"), id="model"),
        pytest.param(
            "faces=x?min_score=0&threads=2",
            StageSettings("faces", "x", 0.0, 2),
            id="model and options, zero kept",
        ),
    ],
)
def test_stages_are_parsed(text: str, settings: StageSettings) -> None:
    assert parse_stage(text) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("faces?min_scor=1", "did you mean 'min_score'", id="unknown option"),
        pytest.param("faces?min_score=2", "allowed is 0.0 to 1.0", id="out of range"),
        pytest.param("faces?min_score=x", "'x'", id="no number"),
        pytest.param("faces?threads=0", "allowed is 1 to 64", id="no threads"),
        pytest.param("faces?threads=1.5", "whole number", id="half a thread"),
    ],
)
def test_bad_stages_are_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_stage(text)
