"""Try a model in a process of its own: runtimes crash on files that they should refuse."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from vedette.errors import VedetteError

__all__ = ["Probe", "probe"]

LIMIT_S = 60.0
MEMORY_BYTES = 8 << 30
SAID = 300


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether a model's memory can be planned and one invoke on zeros comes back.

    Attributes:
        runs: None where no process could be started to try it.
        detail: the engine that ran it, or why it does not run.
    """

    runs: bool | None
    detail: str


def probe(path: Path, *, timeout_s: float = LIMIT_S) -> Probe:
    """Load the model at `path` and invoke it once in a child process, which may crash or hang."""
    command = [sys.executable, "-P", "-m", "vedette.engines.probe", str(path)]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=timeout_s, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired:
        return Probe(False, f"one invoke does not come back within {timeout_s:g} s.")
    except OSError as error:
        return Probe(None, f"no process can be started to try it: {error.strerror}.")
    if done.returncode < 0:
        return Probe(False, f"it crashes the runtime ({_signal_name(-done.returncode)}). Do not load it.")
    try:
        answer = json.loads(done.stdout.decode("utf-8", "replace").splitlines()[-1])
        return Probe(bool(answer["runs"]), str(answer["detail"]))
    except (ValueError, IndexError, KeyError, TypeError):
        said = done.stderr.decode("utf-8", "replace").strip()[-SAID:]
        return Probe(False, f"trying it ended with code {done.returncode}: {said or 'nothing was said'}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _try(path: Path) -> Probe:
    """Run in the child: load, invoke, tell."""
    from vedette.engines.litert import LiteRTEngine

    try:
        with LiteRTEngine(path.read_bytes(), label=path.name, threads=1) as engine:
            return Probe(True, engine.name)
    except (VedetteError, MemoryError, RuntimeError, ValueError, OSError) as error:
        return Probe(False, str(error) or type(error).__name__)


def _limit() -> None:
    """Leave no core dump, and take no more memory than a board has."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    soft = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


if __name__ == "__main__":
    _limit()
    tried = _try(Path(sys.argv[1]))
    sys.stdout.write(json.dumps({"runs": tried.runs, "detail": tried.detail}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the runtime's own threads need not end well
