"""The wheel with tflite-runtime 2.14 and numpy 1, as boards without a LiteRT wheel have it."""

import sys
from pathlib import Path

import pytest

from packed import build_wheel, copy_astronaut, make_environment, read_records, run

LEGACY = ("tflite-runtime==2.14.0", "numpy==1.26.4", "opencv-python-headless==4.11.0.86")
COMMAND_S = 60

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        sys.version_info >= (3, 12), reason="tflite-runtime 2.14 has wheels up to Python 3.11"
    ),
]


@pytest.fixture(scope="module")
def legacy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("legacy")
    return make_environment(folder / "venv", build_wheel(), *LEGACY, locked=False)


def test_the_golden_sample_holds_on_the_older_runtime(legacy, tmp_path):
    done = run([legacy / "vedette", "doctor", "--json"], timeout_s=COMMAND_S, cwd=tmp_path)
    checks = {c["name"]: c for c in read_records(done.stdout)}

    assert checks["runtime"]["detail"] == "tflite-runtime 2.14.0"
    assert checks["model face-detector"]["status"] == "ok"
    assert "tflite-runtime 2.14.0" in checks["model face-detector"]["detail"]


def test_results_name_the_older_runtime(legacy, tmp_path):
    picture = copy_astronaut(tmp_path)
    done = run([legacy / "vedette", "detect", picture, "--json"], timeout_s=COMMAND_S, cwd=tmp_path)
    (record,) = read_records(done.stdout)

    assert record["models"]["faces"]["engine"].startswith("tflite-runtime 2.14.0")
