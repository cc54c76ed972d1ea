"""The verb `vedette data`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedette.errors import MissingDependencyError, SettingsError

if TYPE_CHECKING:
    from vedette_train.data.check import Report

__all__ = ["register"]

QUIET_S = 2.0  # what is over sooner shows no progress
TABLE_ROWS = 20


def register(verbs: Any) -> None:
    """Add the verb to the `vedette` command's sub-parsers."""
    text = "Look after training data."
    parsers = verbs.add_parser("data", help=text, description=text).add_subparsers(dest="task", required=True)
    text = "Read a data set whole and say what would spoil training; exit code 1 where something would."
    parser = parsers.add_parser("check", help=text, description=text)
    parser.add_argument("dir", type=Path, metavar="DIR", help="the folder that holds the data")
    parser.add_argument(
        "--format", metavar="NAME", help="csv, coco, voc, wider, yolo or folders; recognised if not given"
    )
    parser.add_argument(
        "--max-broken", type=float, default=0.1, metavar="X", help="share that may be broken, 0..1 (0.1)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, nothing else")
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="write a contact sheet with the boxes drawn"
    )
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    if not 0 <= options.max_broken <= 1:
        raise SettingsError(f"--max-broken is {options.max_broken}; give 0 to 1.")
    try:
        import tqdm  # noqa: F401
        from PIL import Image  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"training data needs {error.name}: pip install 'vedette[train]'."
        ) from error
    from vedette_train.data.check import check, open_any
    from vedette_train.data.contact import contact_sheet, write_sheet

    data = open_any(options.dir, format=options.format)
    report = check(data, max_broken=options.max_broken, follow=_followed)
    if options.sheet:
        write_sheet(contact_sheet(data), options.sheet)
    print(json.dumps(asdict(report)) if options.json else _text(report), flush=True)
    return int(bool(report.problems))


def _followed(places: Sequence[Any]) -> Iterable[Any]:
    """Show a bar on stderr, where that is a terminal."""
    from tqdm import tqdm

    bar: Iterable[Any] = tqdm(
        places, "data", unit=" pictures", delay=QUIET_S, disable=None, leave=False, file=sys.stderr
    )
    return bar


def _text(report: Report) -> str:
    lines = [f"{report.root}: read as {report.format}", "", *_table(report), ""]
    for name, sizes in (("px", report.box_side_px), ("share of the picture", report.box_side_share)):
        for split, values in sizes.items():
            least, _, quarter, half, three, _, most = (f"{v:.3g}" for v in values)
            span = f"{least} to {most}, half between {quarter} and {three}, median {half}"
            lines.append(f"box side, {name}, {split}: {span}")
    lines += [""] if report.box_side_px else []
    lines += [f"warning: {line}" for line in report.warnings]
    lines += [f"PROBLEM: {line}" for line in report.problems]
    return "\n".join(lines if report.problems else [*lines, "nothing that would spoil training was found"])


def _table(report: Report) -> list[str]:
    """Return a column a split, a row a class: the most frequent first."""
    splits = report.splits
    order = ("pictures", "without_boxes", "ignored")
    rows = [["", *splits]]
    rows += [[key.replace("_", " "), *(str(s[key]) for s in splits.values())] for key in order
             if any(key in s for s in splits.values())]  # fmt: skip
    totals = {
        name: sum(s["classes"][name] for s in splits.values())
        for name in next(iter(splits.values()))["classes"]
    }
    names = sorted(totals, key=lambda name: -totals[name])
    rows += [
        [f"  {name}", *(str(s["classes"][name]) for s in splits.values())] for name in names[:TABLE_ROWS]
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    left_out = len(names) - TABLE_ROWS
    return [*lines, f"  and {left_out} more classes (--json lists all)"] if left_out > 0 else lines
