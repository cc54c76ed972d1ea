"""What the board says about itself: temperature, and whether it holds itself back.

A Raspberry Pi tells in one word of bits why it slows down (`get_throttled`); other boards tell the temperature
at most.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Board", "parse_temperature", "parse_throttled", "read_board", "warmest"]

# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled; 16 bits up: since boot.
_BITS = ((0, "under-voltage"), (1, "frequency capped"), (2, "throttled"), (3, "soft temperature limit"))
_SINCE_BOOT = 16
_PLAUSIBLE_C = (-40.0, 150.0)
_VCGENCMD = ("vcgencmd", "get_throttled")
_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Board:
    """What a board tells now; None where it does not tell.

    Attributes:
        temperature_c: of the processor, degrees Celsius.
        throttled: what holds the board back now, in words; empty when nothing does.
        throttled_since_boot: what has held it back since it was started.
    """

    temperature_c: float | None = None
    throttled: tuple[str, ...] | None = None
    throttled_since_boot: tuple[str, ...] | None = None


def run_command(command: Sequence[str]) -> str:
    """Return what `command` prints; nothing when it cannot be run, fails, or takes over a second."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def read_board(*, root: Path = Path("/"), run: Callable[[Sequence[str]], str] = run_command) -> Board:
    """Return what this board tells.

    Args:
        root: where its file system is.
        run: runs a command and returns what it prints.
    """
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone*"))
    temperature_c = warmest((_text(zone / "type"), parse_temperature(_text(zone / "temp"))) for zone in zones)
    word = parse_throttled(_text(root / "sys/devices/platform/soc/soc:firmware/get_throttled"))
    if word is None and (root / "dev/vcio").exists():
        word = parse_throttled(run(_VCGENCMD))
    if word is None:
        return Board(temperature_c)
    return Board(temperature_c, _names(word), _names(word >> _SINCE_BOOT))


def parse_temperature(text: str) -> float | None:
    """Return degrees Celsius from a thermal zone's `temp` (thousandths); None for what cannot be."""
    try:
        celsius = int(text.strip()) / 1000
    except ValueError:
        return None
    return celsius if _PLAUSIBLE_C[0] < celsius < _PLAUSIBLE_C[1] else None


def parse_throttled(text: str) -> int | None:
    """Return the word in ``throttled=0x50005`` (vcgencmd) or ``50005`` (sysfs, hex); None for the rest."""
    try:
        word = int(text.strip().removeprefix("throttled="), 16)
    except ValueError:
        return None
    return word if word >= 0 else None


def warmest(zones: Iterable[tuple[str, float | None]]) -> float | None:
    """Return the highest of the processor's zones, or of all where none is known as its; None without any.

    Args:
        zones: a zone's type and its degrees Celsius.
    """
    known = [(kind, celsius) for kind, celsius in zones if celsius is not None]
    own = [celsius for kind, celsius in known if any(word in kind.lower() for word in ("cpu", "soc", "pkg"))]
    return max(own or [celsius for _, celsius in known], default=None)


def _names(word: int) -> tuple[str, ...]:
    return tuple(name for bit, name in _BITS if word >> bit & 1)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
