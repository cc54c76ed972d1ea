"""The `vedette` command as a user calls it: in this process, or in one of its own with a time limit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from vedette.cli import main
from vedette.contract import open_model_file
from vedette.zoo import find

QUICK = "demo://?pace=none&size=320x240&seconds=0.2"
"""Six small frames of the virtual camera, as fast as they are read."""

LIMIT_S = 60
VEDETTE = (sys.executable, "-m", "vedette")


class Answer(NamedTuple):
    """Exit code, and what was said; the runtime's own chatter, which nobody can turn off, is left out."""

    code: int
    out: str
    err: str


def ask(capsys: pytest.CaptureFixture[str], *words: object) -> Answer:
    """Run the command in this process."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    return Answer(code, said.out, _quiet(said.err))


def ask_outside(*words: object, cwd: Path | None = None, **environ: str) -> Answer:
    """Run the command in a process of its own, which must end within `LIMIT_S`."""
    done = subprocess.run(
        [*VEDETTE, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=cwd,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Answer(done.returncode, done.stdout, _quiet(done.stderr))


def start(words: Sequence[object], *, cwd: Path | None = None, **options: Any) -> subprocess.Popen[bytes]:
    """Start the command in a process of its own, with its output in pipes unless `options` say otherwise."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    return subprocess.Popen([*VEDETTE, *map(str, words)], cwd=cwd, **{**pipes, **options})


def golden_png(folder: Path, name: str = "face.png") -> Path:
    """Write the bundled model's golden picture, in which it finds what `golden_boxes` says, and return its path."""
    path = folder / name
    path.write_bytes(_golden().image)
    return path


def golden_boxes() -> list[list[float]]:
    """Return the stored answer to the golden picture: a box each."""
    return [list(found["box"]) for found in _golden().detections]


def _golden() -> Any:
    golden = open_model_file(find("face-detector")).contract.golden
    assert golden is not None
    assert golden.detections
    return golden


def _quiet(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("INFO: "))
