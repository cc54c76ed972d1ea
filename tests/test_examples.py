"""Each example runs as it stands, on a few small frames."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from asked import LIMIT_S, QUICK, golden_png
from vedette.cli import main
from vedette.types import Detections, Frame, Results
from vedette.zoo import bundled

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run(folder: Path, name: str, *words: object) -> str:
    """Return what an example prints, run in `folder`."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        pytest.param("detect_picture.py", [], "#5: ", id="detect_picture"),
        pytest.param("live_faces.py", [QUICK, 3], "", id="live_faces"),
        pytest.param("own_stage.py", [QUICK, "blurred.mp4", 3], "3 frames in blurred.mp4", id="own_stage"),
        pytest.param("own_sink.py", [QUICK, 3], "faces in 3 frames", id="own_sink"),
        pytest.param("dashboard.py", [QUICK, "a.jsonl", 3], "look at http://127.0.0.1:", id="dashboard"),
    ],
)
def test_example_runs(tmp_path: Path, name: str, words: list[object], said: str) -> None:
    assert said in run(tmp_path, name, *words)


@pytest.mark.skipif("face-embedder" not in bundled(), reason="the model face-embedder is not bundled here")
def test_the_greeting_example_greets_who_is_enrolled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    picture = cv2.imread(str(golden_png(tmp_path)))
    large = cv2.resize(picture, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_LANCZOS4)
    (tmp_path / "film").mkdir()
    for k in range(10):
        cv2.imwrite(str(tmp_path / "film" / f"{k}.png"), large)
    assert main(["faces", "enroll", "Ann", str(tmp_path / "film" / "0.png")]) == 0
    assert run(tmp_path, "greet.py", "film?fps=5") == "hello Ann\n"
    assert main(["faces", "remove", "Ann"]) == 0
    assert run(tmp_path, "greet.py", "film?fps=5") == ""


def test_every_example_is_run_and_says_what_it_does() -> None:
    text = Path(__file__).read_text()
    for path in EXAMPLES.glob("*.py"):
        assert f'"{path.name}"' in text
        assert path.read_text().startswith('"""')


def test_the_picture_example_finds_the_golden_face(tmp_path: Path) -> None:
    assert "1 face(s)" in run(tmp_path, "detect_picture.py", golden_png(tmp_path))


def test_the_stage_example_blurs_faces_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["own_stage.py"])  # it would read pytest's own arguments
    blur = runpy.run_path(str(EXAMPLES / "own_stage.py"), run_name="example")["Blur"]()
    image = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    box = np.array([[20, 30, 59, 69]], np.float32)
    found = Detections.of(box, np.ones(1, np.float32), np.zeros(1, np.int32), labels=("face",))
    before = image.copy()
    after = blur(Results(Frame(image, 0, 0, 0, "test"), {"faces": found})).frame.image

    np.testing.assert_array_equal(image, before)  # others hold the same frame
    assert after[30:70, 20:60].std() < before[30:70, 20:60].std() / 4
    after[30:70, 20:60] = before[30:70, 20:60]
    np.testing.assert_array_equal(after, before)


def test_the_live_example_tells_of_an_error_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "live_faces.py"), "gone.mp4"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 1
    assert "live_faces: there is no file or folder gone.mp4" in done.stderr
    assert "Traceback" not in done.stderr
