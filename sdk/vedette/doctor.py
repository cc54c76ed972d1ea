"""Look at this machine and say what works, what does not, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vedette import __version__
from vedette.board import read_board
from vedette.errors import VedetteError
from vedette.zoo import bundled

__all__ = ["Check", "examine"]

PROBE_TIMEOUT_S = 60
_ASK_PICAMERA2 = """
import picamera2, sys
sys.exit(None if picamera2.Picamera2.global_camera_info() else "none is connected")
"""
PACKAGES = {"numpy": "numpy", "opencv-python-headless": "cv2"}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `status` is "ok", "warn" (works without it) or "fail" (does not work); `remedy` what to do."""

    name: str
    status: str
    detail: str
    remedy: str = ""


def examine() -> Iterator[Check]:
    """Yield the checks one by one; none raises."""
    yield Check("vedette", "ok", f"{__version__}, Python {platform.python_version()}, {_board()}")
    packages = [_package(name, module) for name, module in PACKAGES.items()]
    yield from packages
    if any(check.status == "fail" for check in packages):
        return  # all that follows stands on these
    yield _cores()
    runtime = _runtime()
    yield runtime
    for name in bundled():
        yield (
            _model(name)
            if runtime.status == "ok"
            else Check(f"model {name}", "fail", "not tried: there is no runtime", "mend the runtime first")
        )
    yield from (_camera(), _web(), _heat(), _disk())


def _board() -> str:
    model = Path("/proc/device-tree/model")
    board = model.read_text(errors="replace").strip("\0\n ") if model.exists() else platform.system()
    return f"{board}, {platform.machine()}"


def _cores() -> Check:
    from vedette.engines.litert import free_cores, usable_cores

    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return Check(
        "cores", "ok", f"{usable_cores()} usable, {free_cores()} free; {pages * size / 2**30:.1f} GiB memory"
    )


def _package(name: str, module: str) -> Check:
    """Load `module` in a child process: that it is installed does not say that its libraries are."""
    if importlib.util.find_spec(module) is None:
        return Check(name, "fail", "not installed", f"pip install {name}")
    why = _probe(f"import {module}")
    if why:
        return Check(name, "fail", f"{module} {why}", f"pip install --force-reinstall {name}")
    version = _version(name)
    return Check(name, "ok", version or f"{module} from another package, such as the system's")


def _runtime() -> Check:
    """Load each runtime in a child process: a mismatch with numpy can crash the interpreter."""
    from vedette.engines.litert import RUNTIMES

    found = []
    for module, package in RUNTIMES.values():
        if importlib.util.find_spec(module) is None:
            continue
        why = _probe(f"import {module}.interpreter as i; i.Interpreter")
        if why:
            return Check("runtime", "fail", f"{package} {why}", f"pip install --force-reinstall {package}")
        found.append(f"{package} {_version(package) or '(version unknown)'}")
    if not found:
        return Check("runtime", "fail", "no TFLite runtime is installed", "pip install ai-edge-litert")
    return Check("runtime", "ok", ", ".join(found))


def _version(package: str) -> str:
    """Return the version of an installed distribution, nothing where it came without."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _probe(code: str, verdict: str = "does not load") -> str:
    """Run `code` in a child process; return nothing when that works, else `verdict` and what went wrong."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return "hangs while loading"
    except OSError as error:
        return f"could not be tried: {error}"
    if done.returncode == 0:
        return ""
    why = (done.stderr.strip().splitlines() or [f"ended by signal {-done.returncode}"])[-1]
    return f"{verdict}: {why}"


def _model(name: str) -> Check:
    """Load a bundled model and replay its golden sample."""
    from vedette.app import open_model
    from vedette.engines.litert import LiteRTEngine
    from vedette.models.golden import open_replayer

    try:
        file = open_model(name)
        with LiteRTEngine(file.data, label=str(file.path)) as engine:
            return Check(
                f"model {name}", "ok", f"{engine.name}: {open_replayer(engine, file).replay_golden()}"
            )
    except VedetteError as error:
        return Check(f"model {name}", "fail", str(error), "pip install --force-reinstall vedette")


def _camera() -> Check:
    """Ask picamera2 and the video nodes; a board has nodes of its codecs and receivers without any camera."""
    nodes = sorted(str(p) for p in Path("/dev").glob("video*"))
    found, problems = _usb_cameras(nodes)
    if importlib.util.find_spec("picamera2") is not None:
        why = _probe(_ASK_PICAMERA2, "finds no camera")
        (problems if why else found).insert(0, f"picamera2 {why}".rstrip())
    if found:
        return Check("camera", "ok", ", ".join(found))
    if nodes and not problems:
        problems = [f"{', '.join(nodes)}: none is a camera"]
    detail = "; ".join(problems) or "no /dev/video* and no picamera2"
    return Check("camera", "warn", detail, "demo://, files and network streams work without")


def _usb_cameras(nodes: list[str]) -> tuple[list[str], list[str]]:
    """Return those of `nodes` that are cameras, and why the first that cannot be asked cannot."""
    from vedette.sources import v4l2

    cameras, problems = [], []
    for path in nodes:
        try:
            if v4l2.refusal(v4l2.query_node(path)) is None:
                cameras.append(path)
        except VedetteError as error:
            problems.append(str(error))
    return cameras, problems[:1]


def _web() -> Check:
    missing = [m for m in ("starlette", "uvicorn") if importlib.util.find_spec(m) is None]
    if missing:
        return Check(
            "dashboard", "warn", f"{' and '.join(missing)} not installed", "pip install 'vedette[web]'"
        )
    return Check("dashboard", "ok", "starlette and uvicorn are installed")


def _heat() -> Check:
    board = read_board()
    if board.temperature_c is None:
        return Check("temperature", "ok", "this board does not tell")
    detail = f"{board.temperature_c:.0f} °C" + (f", {', '.join(board.throttled)}" if board.throttled else "")
    if board.throttled:
        return Check("temperature", "warn", detail, "use a stronger power supply or more cooling")
    return Check("temperature", "ok", detail)


def _disk() -> Check:
    try:
        free = shutil.disk_usage(Path.cwd()).free / 2**20
    except OSError as error:
        return Check("disk", "warn", f"this folder cannot be asked: {error.strerror}", "change to another")
    if free < 200:
        return Check("disk", "warn", f"{free:,.0f} MiB free here", "make room before recording")
    return Check("disk", "ok", f"{free:,.0f} MiB free here")
