"""What doctor says of machines on which something is missing, broken or hangs."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vedette import doctor
from vedette.board import Board
from vedette.doctor import Check, examine
from vedette.engines import litert
from vedette.errors import EngineError, ModelError, SourceError
from vedette.sources import v4l2
from vedette.zoo import bundled

Usage = namedtuple("Usage", "total used free")


def by_name() -> dict[str, Check]:
    return {check.name: check for check in examine()}


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Replace the child process in which a module is loaded: where its code holds `word`, run `code` instead."""

    def replace(word: str, code: str) -> None:
        real = subprocess.run

        def run(command: list[str], **options: Any) -> Any:
            if command[0] == sys.executable and word in command[-1]:
                command = [*command[:-1], code]
            return real(command, **options)

        monkeypatch.setattr(doctor.subprocess, "run", run)

    return replace


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make modules look as if they were not installed."""
    real = doctor.importlib.util.find_spec

    def hide(*modules: str) -> None:
        monkeypatch.setattr(
            doctor.importlib.util, "find_spec", lambda name, *a: None if name in modules else real(name, *a)
        )

    return hide


def test_this_machine_is_examined_whole() -> None:
    checks = list(examine())

    assert [c.name for c in checks] == [
        "vedette", "numpy", "opencv-python-headless", "cores", "runtime", *(f"model {name}" for name in bundled()),
        "camera", "dashboard", "temperature", "disk",
    ]  # fmt: skip
    assert {c.status for c in checks} <= {"ok", "warn"}
    assert all(c.detail for c in checks)
    assert all(c.remedy for c in checks if c.status != "ok")


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        pytest.param("raise ImportError('numpy.core.multiarray failed')", "multiarray failed", id="raises"),
        pytest.param(
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by signal 11", id="crashes"
        ),
        pytest.param("raise SystemExit(3)", "does not load", id="exits"),
    ],
)
def test_a_runtime_that_does_not_load(probe: Callable[[str, str], None], code: str, detail: str) -> None:
    probe("interpreter", code)
    checks = by_name()

    assert checks["runtime"].status == "fail"
    assert detail in checks["runtime"].detail
    assert "pip install --force-reinstall ai-edge-litert" in checks["runtime"].remedy
    assert checks["model face-detector"].status == "fail"  # not loaded here: it could take doctor along
    assert "not tried" in checks["model face-detector"].detail
    assert "disk" in checks


def test_a_runtime_that_hangs(probe: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    probe("interpreter", "import time; time.sleep(60)")
    monkeypatch.setattr(litert, "RUNTIMES", {"litert": ("ai_edge_litert", "ai-edge-litert")})
    monkeypatch.setattr(doctor, "PACKAGES", {})
    monkeypatch.setattr(doctor, "PROBE_TIMEOUT_S", 0.3)

    check = by_name()["runtime"]
    assert (check.status, check.detail) == ("fail", "ai-edge-litert hangs while loading")


def test_no_runtime_at_all(without: Callable[..., None]) -> None:
    without("ai_edge_litert", "tflite_runtime")
    check = by_name()["runtime"]

    assert (check.status, check.detail) == ("fail", "no TFLite runtime is installed")
    assert check.remedy == "pip install ai-edge-litert"


def test_a_runtime_without_a_version_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(_package: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    assert "version unknown" in doctor._runtime().detail
    assert doctor._package("numpy", "numpy").detail == "numpy from another package, such as the system's"


def test_opencv_without_its_libraries(probe: Callable[[str, str], None]) -> None:
    probe("import cv2", "raise ImportError('libGL.so.1: cannot open shared object file')")
    checks = by_name()

    assert checks["opencv-python-headless"].status == "fail"
    assert "libGL.so.1" in checks["opencv-python-headless"].detail
    assert "runtime" not in checks  # nothing that stands on it is tried


def test_numpy_is_not_there(without: Callable[..., None]) -> None:
    without("numpy")
    check = by_name()["numpy"]
    assert (check.status, check.detail, check.remedy) == ("fail", "not installed", "pip install numpy")


def test_python_cannot_start_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> None:
        raise OSError("out of memory")

    monkeypatch.setattr(doctor.subprocess, "run", run)
    assert "could not be tried: out of memory" in doctor._package("numpy", "numpy").detail


@pytest.mark.parametrize("error", [ModelError("the file is damaged"), EngineError("no memory")], ids=repr)
def test_a_model_that_does_not_work(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    from vedette import app

    def open_model(_name: str) -> None:
        raise error

    monkeypatch.setattr(app, "open_model", open_model)
    check = by_name()["model face-detector"]
    assert (check.status, check.detail) == ("fail", str(error))
    assert "reinstall" in check.remedy


def test_models_of_every_task_are_replayed() -> None:
    checks = by_name()
    assert {name for name in checks if name.startswith("model ")} == {f"model {name}" for name in bundled()}
    assert {checks[f"model {name}"].status for name in bundled()} == {"ok"}


def test_no_camera_is_a_warning(monkeypatch: pytest.MonkeyPatch, without: Callable[..., None]) -> None:
    without("picamera2")
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))
    check = doctor._camera()

    assert check.status == "warn"
    assert "demo://" in check.remedy


CAPTURE, CODEC = 0x1, 0x8000  # capability bits of linux/videodev2.h
USB = [("/dev/video0", "uvcvideo", CAPTURE), ("/dev/video1", "uvcvideo", 0x0080_0000)]
PI_4 = [("/dev/video10", "bcm2835-codec", CODEC), ("/dev/video13", "bcm2835-isp", CAPTURE)]


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[tuple[str, str, int]]], None]:
    """Put video nodes into /dev: path, driver, capability bits; no driver: it may not be opened."""

    def put(found: list[tuple[str, str, int]]) -> None:
        drivers = {path: (driver, caps) for path, driver, caps in found}

        def query(path: str) -> v4l2.VideoNode:
            driver, caps = drivers[path]
            if not driver:
                raise SourceError(v4l2.explain(path, errno.EACCES, ()))
            return v4l2.VideoNode(path, driver, "card", "bus", caps)

        monkeypatch.setattr(Path, "glob", lambda *_: iter([Path(path) for path in drivers]))
        monkeypatch.setattr(v4l2, "query_node", query)

    return put


@pytest.mark.parametrize(
    ("found", "status", "detail"),
    [
        pytest.param(USB, "ok", "/dev/video0", id="USB camera with its metadata node"),
        pytest.param(PI_4, "warn", "/dev/video10, /dev/video13: none is a camera", id="codecs of a board"),
        pytest.param([*PI_4, *USB], "ok", "/dev/video0", id="both"),
        pytest.param([("/dev/video0", "", 0)], "warn", "usermod -aG video", id="not permitted"),
    ],
)
def test_only_cameras_count_as_such(
    nodes: Callable[[list[tuple[str, str, int]]], None],
    without: Callable[..., None],
    found: list[tuple[str, str, int]],
    status: str,
    detail: str,
) -> None:
    without("picamera2")
    nodes(found)
    check = doctor._camera()

    assert check.status == status
    assert check.detail == detail if status == "ok" else detail in check.detail
    assert bool(check.remedy) == (status != "ok")


@pytest.mark.parametrize(
    ("code", "status", "detail"),
    [
        pytest.param("[{'Num': 0}]", "ok", "picamera2", id="a camera"),
        pytest.param("[]", "warn", "picamera2 finds no camera: none is connected", id="no camera"),
        pytest.param("1 / 0", "warn", "picamera2 finds no camera: ZeroDivisionError", id="broken"),
        pytest.param("__import__('time').sleep(60)", "warn", "picamera2 hangs", id="hangs"),
    ],
)
def test_picamera2_is_asked_for_cameras(
    nodes: Callable[[list[tuple[str, str, int]]], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    code: str,
    status: str,
    detail: str,
) -> None:
    nodes(PI_4)
    (tmp_path / "picamera2.py").write_text(
        f"class Picamera2:\n    @staticmethod\n    def global_camera_info():\n        return {code}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(doctor, "PROBE_TIMEOUT_S", 1.5 if "sleep" in code else 30)
    check = doctor._camera()

    assert check.status == status
    assert detail in check.detail
    assert bool(check.remedy) == (status != "ok")


@pytest.mark.parametrize(
    ("free", "status"),
    [(0, "warn"), (199 * 2**20, "warn"), (200 * 2**20, "ok")],
    ids=["full", "little", "enough"],
)
def test_little_disk_is_a_warning(monkeypatch: pytest.MonkeyPatch, free: int, status: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2**40, 2**40 - free, free))
    check = doctor._disk()

    assert check.status == status
    assert f"{free / 2**20:,.0f} MiB free" in check.detail


def test_a_folder_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    check = doctor._disk()
    os.chdir(tmp_path)

    assert check.status == "warn"
    assert check.remedy


@pytest.mark.parametrize(
    ("board", "status", "detail"),
    [
        pytest.param(Board(), "ok", "does not tell", id="silent"),
        pytest.param(Board(51.6, (), ()), "ok", "52 °C", id="well"),
        pytest.param(Board(84.0, ("throttled",), ()), "warn", "84 °C, throttled", id="hot"),
    ],
)
def test_heat(monkeypatch: pytest.MonkeyPatch, board: Board, status: str, detail: str) -> None:
    monkeypatch.setattr(doctor, "read_board", lambda: board)
    check = doctor._heat()

    assert check.status == status
    assert detail in check.detail


@pytest.mark.parametrize(
    ("modules", "status", "detail"),
    [
        pytest.param((), "ok", "installed", id="both"),
        pytest.param(("uvicorn",), "warn", "uvicorn not installed", id="one"),
        pytest.param(("starlette", "uvicorn"), "warn", "starlette and uvicorn not installed", id="none"),
    ],
)
def test_dashboard(without: Callable[..., None], modules: tuple[str, ...], status: str, detail: str) -> None:
    without(*modules)
    check = doctor._web()

    assert check.status == status
    assert detail in check.detail
    assert (check.remedy == "pip install 'vedette[web]'") == bool(modules)
