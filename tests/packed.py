"""The wheel, empty environments to put it in, and what to ask of it there."""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "dev.txt"
INSTALL_S = 300


@cache
def build_wheel() -> Path:
    """Return this tree's wheel, built once a run."""
    out = ROOT / "build" / "wheel"
    shutil.rmtree(out, ignore_errors=True)
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT], timeout_s=120)
    (wheel,) = out.glob("*.whl")
    return wheel


def make_environment(folder: Path, *packages: str | Path, locked: bool = True) -> Path:
    """Return the bin folder of a new virtual environment that holds `packages` and what they need, no more.

    With `locked` False it holds exactly `packages`, without what they need, at the versions that they name.
    """
    run([sys.executable, "-m", "venv", "--without-pip", folder], timeout_s=60)
    python = folder / "bin" / "python"
    what = ["install", "-q", *(["-c", LOCK] if locked else ["--no-deps"]), *packages]
    try:
        run([find_uv() or "uv", "pip", *what, "--python", python], timeout_s=INSTALL_S)
    except (OSError, AssertionError):  # no uv, or it cannot reach what the machine's pip.conf can
        run([sys.executable, "-m", "pip", "--python", python, *what], timeout_s=INSTALL_S)
    return python.parent


def find_uv() -> str | None:
    """Return the uv of this environment, or of the machine."""
    return shutil.which("uv", path=Path(sys.executable).parent) or shutil.which("uv")


def run(
    command: list[str | Path],
    *,
    timeout_s: float,
    exit_code: int = 0,
    cwd: Path | None = None,
    **environ: str,
) -> subprocess.CompletedProcess[str]:
    """Run `command` without this process's Python settings; it must end in time, and with `exit_code`."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        cwd=cwd,
        env={**clean, "PYTHONDONTWRITEBYTECODE": "1", **environ},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    said = f"{command} ended with {done.returncode}, not {exit_code}\n{done.stdout}{done.stderr}"
    assert done.returncode == exit_code, said
    return done


def copy_astronaut(folder: Path) -> Path:
    """Return a photograph with one face, 512 x 512, copied from scikit-image."""
    spec = find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    return Path(shutil.copy(Path(spec.origin).parent / "data" / "astronaut.png", folder))


def read_records(text: str) -> list[dict[str, Any]]:
    """Return the JSON objects in `text`, one a line."""
    return [json.loads(line) for line in text.splitlines()]
