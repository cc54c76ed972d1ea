"""`vedette models` and the verbs under it. What prints is handed in by `vedette.cli`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vedette.model_verbs import add_adopt
from vedette.text import Bar

__all__ = ["add_models"]

Say = Callable[[str], None]
Complain = Callable[[BaseException], None]
Table = Callable[[Sequence[Sequence[str]]], str]

_COLUMNS = ("name", "version", "where", "task", "input", "bytes", "license")


def add_models(
    parser: argparse.ArgumentParser,
    *,
    say: Say,
    complain: Complain,
    progress: Callable[[str], Bar],
    table: Table,
) -> None:
    """Add the options and verbs of `vedette models`; without a verb it lists.

    Args:
        parser: of the verb.
        say: takes each line of the answer.
        complain: takes what is wrong with one of several models.
        progress: makes the line that tells how far the download is.
        table: makes text of rows of equal length.
    """
    parser.add_argument("--json", action="store_true", help="one JSON object a model on stdout")
    parser.add_argument(
        "--commercial-ok", action="store_true", help="only those whose licence and training data allow it"
    )
    parser.add_argument("--list", type=Path, metavar="FILE", help="a list of models of your own, in TOML")
    parser.set_defaults(run=partial(_list, say, complain, table))
    verbs = parser.add_subparsers(dest="models_command", metavar="VERB")
    _add_pull(verbs.add_parser("pull", help="download known models"), say, complain, progress)
    text = "store what a .tflite is, as recognised or as you say, inside a copy of it"
    add_adopt(verbs.add_parser("adopt", help=text, description=f"{text.capitalize()}."), say=say)


def _list(say: Say, complain: Complain, table: Table, options: argparse.Namespace) -> int:
    from vedette.errors import VedetteError
    from vedette.registry import cache_folder, models
    from vedette.zoo.known import load_known

    rows = [tuple(key.upper() for key in (*_COLUMNS, "figures"))]
    for facts in models(load_known(options.list), cache_folder()):
        if options.commercial_ok and facts["restriction"] is not None:
            complain(VedetteError(f"left out {facts['name']}: {facts['restriction']}"))
        elif options.json:
            say(json.dumps(facts))
        else:
            rows.append((*(str(facts[key]) for key in _COLUMNS), _figures(facts["metrics"])))
    if not options.json:
        say(table(rows))
    return 0


def _figures(metrics: Mapping[str, Any]) -> str:
    """Return what was measured on the file itself, which is int8 where float is told of too."""
    told = metrics.get("int8", metrics)
    if not isinstance(told, Mapping) or not told:
        return "not measured here"
    return ", ".join(
        f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in told.items()
    )


def _add_pull(
    parser: argparse.ArgumentParser, say: Say, complain: Complain, progress: Callable[[str], Bar]
) -> None:
    parser.description = "Download known models into the cache; an interrupted download is gone on with."
    parser.add_argument("name", nargs="+", help="as `vedette models` lists them")
    parser.add_argument(
        "--list", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="a list of models of your own"
    )
    parser.set_defaults(run=partial(_pull, say, complain, progress))


def _pull(say: Say, complain: Complain, progress: Callable[[str], Bar], options: argparse.Namespace) -> int:
    """Tell the path of each model that is here now; one that cannot be had is told of and the rest still fetched."""
    from vedette.errors import VedetteError, unknown_name
    from vedette.registry import cache_folder
    from vedette.zoo.known import load_known
    from vedette.zoo.pull import pull

    known = load_known(options.list)
    for name in options.name:
        if name not in known:
            raise unknown_name("model to pull", name, known)
    code = 0
    for name in options.name:
        bar = progress("pull")
        try:
            path = pull(known[name], cache_folder(), progress=_shown(bar, name, known[name].bytes))
        except VedetteError as error:
            complain(error)
            code = code or error.exit_code
        else:
            say(str(path))
        finally:
            bar.clear()
    return code


def _shown(bar: Bar, name: str, total: int) -> Callable[[int], None]:
    return lambda have: bar.show(lambda: f"{name} {have / 1e6:.1f} of {total / 1e6:.1f} MB")
