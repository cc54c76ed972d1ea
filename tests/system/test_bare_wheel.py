"""The wheel as a device gets it: an empty environment, the base dependencies, no repository around it."""

import zipfile
from pathlib import Path

import pytest

from packed import build_wheel, copy_astronaut, make_environment, read_records, run

MAX_WHEEL_BYTES = 12 * 2**20
FACE_XYXY = (150, 50, 300, 210)  # where the astronaut's face lies, generously
COMMAND_S = 60

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def wheel() -> Path:
    return build_wheel()


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory) -> Path:
    return make_environment(tmp_path_factory.mktemp("bare") / "venv", wheel)


@pytest.fixture(scope="module")
def picture(tmp_path_factory) -> Path:
    return copy_astronaut(tmp_path_factory.mktemp("pictures"))


def test_the_wheel_is_small_and_whole(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())

    assert wheel.stat().st_size <= MAX_WHEEL_BYTES
    assert {"vedette/py.typed", "vedette/zoo/face-detector.tflite"} <= names
    assert {name.split("/")[0].split("-")[0] for name in names} <= {
        "vedette",
        "vedette_train",
        "vedette_convert",
    }
    assert not [name for name in names if "/tests/" in name or name.endswith(".pyc")]


def test_a_device_gets_no_training_and_no_web_stack(bare, tmp_path):
    code = "import importlib.metadata as m; print(*(d.name.lower() for d in m.distributions()))"
    installed = set(run([bare / "python", "-c", code], timeout_s=COMMAND_S, cwd=tmp_path).stdout.split())

    assert {"vedette", "numpy", "opencv-python-headless"} <= installed
    heavy = {"tensorflow", "tensorflow-cpu", "keras", "jax", "starlette", "uvicorn", "scikit-image", "pillow"}
    assert not installed & heavy


def test_the_version_is_told_without_loading_numpy_or_opencv(bare, tmp_path):
    done = run(
        [bare / "vedette", "--version"], timeout_s=COMMAND_S, cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1"
    )
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}

    assert done.stdout.startswith("vedette ")
    assert "vedette" in loaded
    assert not loaded & {"numpy", "cv2", "ai_edge_litert", "starlette"}


def test_doctor_finds_nothing_broken(bare, tmp_path):
    checks = read_records(
        run([bare / "vedette", "doctor", "--json"], timeout_s=COMMAND_S, cwd=tmp_path).stdout
    )

    assert [c for c in checks if c["status"] == "fail"] == []
    assert "model face-detector" in {c["name"] for c in checks}


def test_models_lists_the_bundled_ones(bare, tmp_path):
    models = read_records(
        run([bare / "vedette", "models", "--json"], timeout_s=COMMAND_S, cwd=tmp_path).stdout
    )

    assert "face-detector" in {m["name"] for m in models}


def test_detect_finds_the_face(bare, picture, tmp_path):
    done = run([bare / "vedette", "detect", picture, "--json"], timeout_s=COMMAND_S, cwd=tmp_path)
    (record,) = read_records(done.stdout)
    x1, y1, x2, y2 = record["detections"][0]["box"]

    assert FACE_XYXY[0] < (x1 + x2) / 2 < FACE_XYXY[2]
    assert FACE_XYXY[1] < (y1 + y2) / 2 < FACE_XYXY[3]


@pytest.mark.parametrize(
    ("department", "words"),
    [
        ("train", ["train", "faces", "--data", ".", "--out", "run"]),
        ("convert", ["convert", ".", "-o", "x.tflite"]),
    ],
)
def test_a_department_that_is_not_installed_names_its_extra(bare, department, words, tmp_path):
    done = run([bare / "vedette", *words], timeout_s=COMMAND_S, cwd=tmp_path, exit_code=7)

    assert f"vedette[{department}]" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
