"""Each example runs as it stands, on a few small frames."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from asked import LIMIT_S, QUICK, golden_boxes, golden_png

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


def test_every_example_is_run_and_says_what_it_does() -> None:
    text = Path(__file__).read_text()
    for path in EXAMPLES.glob("*.py"):
        assert f'"{path.name}"' in text
        assert path.read_text().startswith('"""')


def test_the_picture_example_finds_the_golden_face(tmp_path: Path) -> None:
    assert "1 face(s)" in run(tmp_path, "detect_picture.py", golden_png(tmp_path))


def test_the_stage_example_blurs_what_it_found(tmp_path: Path) -> None:
    run(tmp_path, "own_stage.py", golden_png(tmp_path), "blurred.avi")
    x1, y1, x2, y2 = (int(v) for v in golden_boxes()[0])
    w, h = (x2 - x1) // 4, (y2 - y1) // 4
    given = cv2.imread(str(tmp_path / "face.png"))
    blurred = cv2.VideoCapture(str(tmp_path / "blurred.avi")).read()[1]
    edges = [cv2.Laplacian(p[y1 + h : y2 - h, x1 + w : x2 - w], cv2.CV_32F).var() for p in (blurred, given)]
    assert edges[0] < edges[1] / 4


def test_the_live_example_tells_of_an_error_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "live_faces.py"), "gone.mp4"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 1
    assert "live_faces: there is no file or folder gone.mp4" in done.stderr
    assert "Traceback" not in done.stderr
