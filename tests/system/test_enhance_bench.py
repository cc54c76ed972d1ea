"""The benches of enhancement: what they count by hand, and that they run on a few pictures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from drawn_enhancers import curve_model, picture_model
from face_run import ENVIRONMENT, run_program
from vedette.sources.demo_walls import find_photographs
from vedette.types import Image
from vedette_train.evaluate import Judged

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared/data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data, which is not there")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    import enhance_detect

    return enhance_detect


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "nothing.tflite").write_bytes(curve_model(bias=0))
    (tmp_path / "black.tflite").write_bytes(curve_model(bias=-1, times=12))  # x to the power of 4096
    (tmp_path / "twice.tflite").write_bytes(picture_model(2))
    return tmp_path


def test_boxes_of_an_enlarged_picture_come_back(bench: ModuleType) -> None:
    def whole(image: Image) -> tuple[Any, Any, Any]:
        height, width = image.shape[:2]
        points = np.full((1, 5, 2), width / 2, np.float32)
        return np.float32([[0, 0, width, height]]), np.float32([1]), points

    look = bench.through(lambda x: np.repeat(np.repeat(x, 2, 0), 2, 1), 1.0, whole)
    xyxy, _, points = look(np.zeros((30, 40, 3), np.uint8))
    assert (xyxy.tolist(), points[0, 0].tolist()) == ([[0, 0, 40, 30]], [20, 20])


def test_every_way_sees_the_same_dark_pictures(bench: ModuleType) -> None:
    seen: dict[str, list[Image]] = {"one": [], "other": []}
    picture = np.full((20, 20, 3), 200, np.uint8)
    for name, kept in seen.items():

        def keep(image: Image, kept: list[Image] = kept) -> Image:
            kept.append(image)
            return image

        look = bench.through(
            keep, 0.1, lambda _: (np.zeros((0, 4), np.float32), np.zeros(0, np.float32), None)
        )
        for _ in range(2):
            look(picture)
        assert len(seen[name]) == 2
    np.testing.assert_array_equal(seen["one"], seen["other"])
    assert (seen["one"][0] != seen["one"][1]).any()  # each picture has its own noise
    assert 60 < seen["one"][0].mean() < 80  # 200 x .1 ^ (1 / 2.2) is 70


def test_recall_and_precision_at_a_score_by_hand(bench: ModuleType) -> None:
    none = np.zeros(0, np.float32)
    pictures = [
        Judged(np.float32([0.9, 0.6, 0.2]), np.array([True, False, True]), 3, none),
        Judged(np.float32([0.8]), np.array([True]), 1, none),
        Judged(none, np.zeros(0, bool), 0, none),
    ]
    told = bench.figures(pictures, 0.5)
    assert (told["recall"], told["precision"]) == (0.5, 0.6667)
    assert told["ap50"] == pytest.approx(0.25 + 0.25 + 0.25 * 0.75)
    assert bench.figures([], 0.5) == {"recall": 0, "precision": 0, "ap50": 0}


@needs_data
@pytest.mark.timeout(300)
def test_what_changes_nothing_finds_as_much_and_what_blackens_nothing(models: Path) -> None:
    chains = [str(models / "nothing.tflite"), str(models / "black.tflite"), str(models / "twice.tflite")]
    said = run_program(
        ROOT / "bench/enhance_detect.py", *chains, "--data", DATA, "--pictures", 4, "--score", 0.3, "--json"
    )
    told = json.loads(said)
    assert set(told) == {"faces", "people"}
    for one in told.values():
        lights = {name for name in one if name.startswith("light")}
        assert lights == {"light 1", "light 0.2", "light 0.1", "light 0.05"}
        assert one["pictures"] == 4
        for light in lights:
            ways = one[light]
            assert set(ways) == {"as it is", "gamma", "clahe", "nothing", "black", "twice"}
            assert ways["nothing"] == ways["as it is"]
            assert light == "light 1" or ways["black"]["recall"] == 0  # what is white stays so
    assert told["faces"]["light 1"]["as it is"]["recall"] > 0.5


def test_without_data_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "bench/enhance_detect.py", "--data", tmp_path],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert (done.returncode, "give --data" in done.stderr) == (2, True)


@pytest.mark.timeout(300)
def test_the_sheet_is_drawn_and_says_which_model_is_missing(models: Path) -> None:
    if not (find_photographs() / "coffee.png").exists():
        pytest.skip("needs the photographs of scikit-image")
    out = models / "sheet.jpg"
    given = [f"--model=lowlight={models / 'nothing.tflite'}", f"--model=sr-x2={models / 'twice.tflite'}"]
    given += [f"--model={name}=gone-{name}" for name in ("denoise", "restore")]
    done = subprocess.run(
        [sys.executable, ROOT / "bench/enhance_sheet.py", out, *given],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    missing = [line.split()[0] for line in done.stderr.splitlines() if " is missing" in line]
    assert missing == ["denoise,lowlight", "denoise", "restore"]
    sheet = cv2.imread(str(out))
    height, width = sheet.shape[0] // 6, (sheet.shape[1] + 6) // 3
    middle = [sheet[k * height + 20 : k * height + 240, width + 20 : width + 380] for k in range(6)]
    assert [part.std() < 2 for part in middle] == [False, True, True, False, True, True]
    same = [np.abs(sheet[:240, :380].astype(int) - sheet[:240, width : width + 380]).mean()]
    assert same[0] < 2  # what changes nothing shows what was given
