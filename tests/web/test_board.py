"""A board's temperature and throttling, from what the kernel and the firmware print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from vedette.board import Board, parse_temperature, parse_throttled, read_board, run_command, warmest


@pytest.mark.parametrize(
    ("text", "celsius"),
    [
        pytest.param("48686\n", 48.686, id="Raspberry Pi"),
        pytest.param("-5000", -5.0, id="frost"),
        pytest.param("", None, id="nothing"),
        pytest.param("hot", None, id="words"),
        pytest.param("48.6", None, id="not thousandths"),
        pytest.param("-273200", None, id="sensor not connected"),
        pytest.param("65261850", None, id="garbage"),
    ],
)
def test_parse_temperature(text: str, celsius: float | None) -> None:
    assert parse_temperature(text) == celsius


@pytest.mark.parametrize(
    ("text", "word"),
    [
        pytest.param("throttled=0x50005\n", 0x50005, id="vcgencmd"),
        pytest.param("50005\n", 0x50005, id="sysfs has no 0x"),
        pytest.param("throttled=0x0", 0, id="all well"),
        pytest.param("VCHI initialization failed\n", None, id="no rights"),
        pytest.param('error=1 error_msg="Command not registered"', None, id="unknown to the firmware"),
        pytest.param("-1", None, id="negative"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_parse_throttled(text: str, word: int | None) -> None:
    assert parse_throttled(text) == word


@pytest.mark.parametrize(
    ("zones", "celsius"),
    [
        pytest.param([], None, id="no zone"),
        pytest.param([("cpu-thermal", None)], None, id="no reading"),
        pytest.param([("cpu-thermal", 50.0), ("battery", 70.0)], 50.0, id="the processor's own"),
        pytest.param([("acpitz", 40.0), ("iwlwifi_1", 55.0)], 55.0, id="none is known"),
        pytest.param([("soc-thermal", 41.0), ("CPU1", 43.0)], 43.0, id="the highest of several"),
    ],
)
def test_warmest(zones: list[tuple[str, float | None]], celsius: float | None) -> None:
    assert warmest(zones) == celsius


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def silent(command: Sequence[str]) -> str:
    raise AssertionError(f"{command} was run")


def test_a_bare_machine_tells_nothing_and_runs_nothing(tmp_path: Path) -> None:
    assert read_board(root=tmp_path, run=silent) == Board(None, None, None)


def test_sysfs_is_enough(tmp_path: Path) -> None:
    write(tmp_path, "sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", "61500\n")
    write(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n")
    assert read_board(root=tmp_path, run=silent) == Board(
        61.5, ("under-voltage", "throttled"), ("under-voltage", "throttled")
    )


def test_the_firmware_is_asked_where_sysfs_does_not_tell(tmp_path: Path) -> None:
    write(tmp_path, "dev/vcio", "")
    board = read_board(root=tmp_path, run=lambda _: "throttled=0xe0000\n")
    assert board == Board(None, (), ("frequency capped", "throttled", "soft temperature limit"))


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("no-such-command-anywhere",), id="not installed"),
        pytest.param(("false",), id="fails"),
        pytest.param(("sleep", "30"), id="hangs"),
    ],
)
def test_a_command_that_does_not_answer_says_nothing(command: Sequence[str]) -> None:
    assert run_command(command) == ""
