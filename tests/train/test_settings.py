"""Settings of training runs: from TOML and from the command line; what is refused names the way out."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import pytest

from vedette.errors import SettingsError
from vedette_train.recipes import load_recipe, tasks
from vedette_train.settings import FitSettings, add_options, option, read_settings


@dataclass(frozen=True, kw_only=True)
class Toy(FitSettings):
    input: tuple[int, int] = option((64, 32), "size", export=True)
    name: str = option("toy", "name")


def toml(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text)
    return path


def test_the_command_line_comes_before_the_file(tmp_path: Path) -> None:
    path = toml(tmp_path, 'data = "a"\nepochs = 7\nrate = 1\ninput = "96x64"\n')
    settings = read_settings(Toy, path, {"epochs": "9", "seed": None, "name": "other"})
    assert settings == Toy(data=Path("a"), epochs=9, rate=1.0, input=(96, 64), name="other")
    assert isinstance(settings.rate, float)


@pytest.mark.parametrize(
    ("text", "given", "told"),
    [
        pytest.param('data = "a"\nepocs = 7', {}, "epochs", id="unknown key, nearest named"),
        pytest.param('data = "a"\nepochs = 1.5', {}, "whole number", id="not whole"),
        pytest.param('data = "a"\nepochs = true', {}, "whole number", id="a truth value"),
        pytest.param('data = "a"', {"rate": "fast"}, "--rate is 'fast'; a number", id="not a number"),
        pytest.param('data = "a"', {"input": "96"}, "--input is '96'", id="no size"),
        pytest.param('data = "a"', {"precision": "mixed_float61"}, "mixed_float16", id="precision"),
        pytest.param('data = "a"', {"batch": "0"}, "batch is 0", id="zero"),
        pytest.param('data = "a"', {"body_rate": "-1"}, "body_rate is -1", id="negative"),
        pytest.param('data = "a"', {"freeze": "50"}, "freeze is 50 of 50", id="never unfrozen"),
        pytest.param('data = "a"', {"init": "nowhere"}, "nowhere holds no ema.weights.h5", id="no such run"),
        pytest.param("epochs = 3", {}, "--data", id="no data"),
        pytest.param("data = ", {}, "not valid TOML", id="no TOML"),
    ],
)
def test_what_is_wrong_is_refused(tmp_path: Path, text: str, given: dict[str, str | None], told: str) -> None:
    with pytest.raises(SettingsError, match=r".") as refused:
        read_settings(Toy, toml(tmp_path, text), given)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml"):
        read_settings(Toy, tmp_path / "absent.toml", {})


@pytest.mark.parametrize("task", tasks())
def test_every_recipe_keeps_the_form(task: str) -> None:
    recipe = load_recipe(task)
    assert issubclass(recipe.Settings, FitSettings)
    assert callable(recipe.job)
    assert callable(recipe.export)
    parser = argparse.ArgumentParser()
    add_options(parser, recipe.Settings)
    assert {"data", "epochs", "config"} <= vars(parser.parse_args([])).keys()
    assert set(vars(parser.parse_args([])).values()) == {None}
