"""The verbs that look at model files: `vedette inspect` and `vedette models adopt`. What prints is handed in."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from vedette.errors import ModelError
from vedette.flags import add_reading, reading_of
from vedette.text import columns, plain

__all__ = ["add_adopt", "add_inspect"]

Say = Callable[[str], None]
Complain = Callable[[BaseException], None]


def add_inspect(parser: argparse.ArgumentParser, *, say: Say, complain: Complain) -> None:
    """Add the options of `vedette inspect`; `say` takes the answer, `complain` why the file cannot be used."""
    parser.add_argument("model", metavar="NAME|PATH")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    add_reading(parser)
    parser.set_defaults(run=partial(_inspect, say, complain))


def _inspect(say: Say, complain: Complain, options: argparse.Namespace) -> int:
    """Tell what is known of a file; 4 where it cannot be used."""
    from vedette.inspection import inspect

    facts = inspect(options.model, reading=reading_of(options))
    say(json.dumps(facts) if options.json else columns(_rows(facts)))
    if facts["refused"] is None:
        return 0
    complain(ModelError(facts["refused"]))
    return ModelError.exit_code


def _rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a row for each fact; lists of objects and sentences take a row for each."""
    rows = []
    for key, value in facts.items():
        many = isinstance(value, list) and value and (key == "evidence" or isinstance(value[0], dict))
        rows += [(key, plain(_rounded(one))) for one in value] if many else [(key, _short(value))]
    return rows


def _short(value: object) -> str:
    """Return a value as text; of long lists the beginning and the number."""
    value = _rounded(value)
    if isinstance(value, list) and len(value) > 12:
        return f"{plain(value[:10])}, ... ({len(value)})"
    return "none" if value is None or value in ([], {}) else plain(value)


def _rounded(value: object) -> object:
    """Return a value with its numbers as text of six digits: a scale of 0.0039 is not 0.004."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value


def add_adopt(parser: argparse.ArgumentParser, *, say: Say) -> None:
    """Add the options of `vedette models adopt`; `say` takes each line of the answer."""
    parser.add_argument("model", type=Path, metavar="FILE.tflite")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="OUT.tflite")
    add_reading(parser)
    parser.set_defaults(run=partial(_adopt, say))


def _adopt(say: Say, options: argparse.Namespace) -> int:
    """Write the adopted file and tell what it is."""
    from vedette.adopt import adopt

    contract, evidence = adopt(options.model, options.out, reading=reading_of(options))
    for sentence in evidence:
        say(sentence)
    say(f"{options.out}: {contract.task}, head {contract.head['type']}, {options.out.stat().st_size:,} bytes")
    return 0
