"""The rules of the house that a machine can hold: surface, import cost, layers, sizes, and what must not be told."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import vedette

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("sdk/vedette", "train/vedette_train", "convert/vedette_convert")
MAX_CODE_LINES = 400
MAX_FILE_BYTES = 2_500_000  # what the model of objects may be at most

# What `import vedette` promises. Taking a name away breaks users: deprecate first, then say so in the changelog.
PUBLIC = [
    "Classes",
    "Classifier",
    "Detections",
    "Detector",
    "Embedder",
    "Enhancer",
    "FaceDetector",
    "FaceEmbedder",
    "FaceRecognizer",
    "Faces",
    "Frame",
    "Gallery",
    "ImageToImage",
    "ImpostorScores",
    "Matte",
    "PoseEstimator",
    "Poses",
    "Reading",
    "Results",
    "Segmentation",
    "Segmenter",
    "TiledDetector",
    "Tiling",
    "VedetteError",
    "load",
    "load_as",
    "load_enhancer",
    "load_recognizer",
    "open",
    "read_image",
    "run",
]
HEAVY = {
    "cryptography",
    "ai_edge_litert",
    "cv2",
    "jax",
    "keras",
    "skimage",
    "starlette",
    "tensorflow",
    "tflite_runtime",
    "uvicorn",
}

# Spelled in pieces: this file is searched too.
TELLTALES = [
    r"(?<![\w.~-])/(work|root|home/\w+)/\w",
    "/opt/" + "(wheels|pypi)",
    "py" + r"pi\.org",
    "python" + r"hosted\.org",
    r"BEGIN [A-Z ]*PRIVATE" + " KEY",
]


def test_the_public_surface_is_what_was_promised():
    assert vedette.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_is_there(name):
    assert getattr(vedette, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = vedette.nothing


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        pytest.param("import vedette", HEAVY | {"numpy"}, id="the package"),
        pytest.param("import vedette.cli", HEAVY | {"numpy"}, id="the command"),
        pytest.param("import vedette.types, vedette.contract, vedette.settings", HEAVY, id="the values"),
        pytest.param("import vedette.app", HEAVY - {"cv2"}, id="the composition root"),
    ],
)
def test_importing_waits_with_heavy_libraries(statement, absent):
    code = f"{statement}; import sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert set(json.loads(done.stdout)) & absent == set()


def test_imports_run_downhill():
    done = _lint_imports(ROOT)

    assert done.returncode == 0, done.stdout


def test_each_contract_notices_a_breach(tmp_path):
    breaches = {
        "sdk/vedette/types.py": ["vedette.app"],
        "sdk/vedette/pipeline.py": ["ai_edge_litert", "keras", "starlette", "tensorflow"],
        "train/vedette_train/breach.py": ["vedette_convert", "vedette.engines.litert"],
        "convert/vedette_convert/breach.py": ["vedette.cli"],
    }
    for root in PACKAGES:
        shutil.copytree(
            ROOT / root, tmp_path / root, ignore=shutil.ignore_patterns("*.tflite", "__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, modules in breaches.items():
        with (tmp_path / file).open("a") as python:
            python.writelines(f"\nimport {module}\n" for module in modules)
    said = _lint_imports(tmp_path).stdout

    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert [c["name"] for c in contracts if f"{c['name']} BROKEN" not in said] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_is_long(package):
    long = {str(p): n for p in (ROOT / package).rglob("*.py") if (n := _code_lines(p)) > MAX_CODE_LINES}

    assert long == {}


def test_no_tracked_file_is_heavy(tracked):
    assert [str(p) for p in tracked if p.stat().st_size > MAX_FILE_BYTES] == []


def test_nothing_tells_of_the_machine_it_was_written_on(tracked):
    pattern = re.compile("|".join(TELLTALES))
    found = []
    for path in tracked:
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in pattern.finditer(text)]

    assert found == []


@pytest.mark.parametrize(
    "text",
    ["see /" + "root/x", "/" + "work/main", "https://" + "pypi" + ".org/x", "file:///opt/" + "wheels"],
)
def test_the_search_finds_what_it_looks_for(text):
    assert re.search("|".join(TELLTALES), text)


def test_the_changelog_knows_this_version():
    assert re.search(
        rf"^## \[{re.escape(vedette.__version__)}\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )


def _lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    path = os.pathsep.join(str((root / package).parent) for package in PACKAGES)
    environ = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        command, cwd=root, env=environ, capture_output=True, text=True, timeout=110, check=False
    )


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Return the files that git knows of or would take; all files outside a checkout."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [p for name in done.stdout.decode().split("\0") if name and (p := ROOT / name).is_file()]


def _code_lines(path: Path) -> int:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return sum(1 for line in lines if line and not line.startswith("#"))
