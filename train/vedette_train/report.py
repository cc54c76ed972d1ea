"""Tell what a run came to, as one HTML file that opens offline."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vedette_train.plots import draw_curves

__all__ = ["write_report"]

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:62em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.2em .6em;text-align:left}
th{background:#f3f3f3}img{max-width:100%}"""
PICTURES = {
    "curves.png": "Loss and figures over the epochs",
    "confusion.png": "Confusion: what it is, and what was answered",
    "pr_curves.png": "Precision over recall at IoU .5",
    "worst.png": "Worst answers",
    "golden.png": "Golden picture, replayed on devices",
}
"""Files that a recipe's export may leave in the run -> what they show."""


def write_report(run: Path) -> Path:
    """Write ``curves.png`` and ``report.html`` into `run` from the files that lie there; return the latter's path."""
    draw_curves(run / "curves.png", run / "log.csv")
    contract, begun = _read(run / "contract.json"), _read(run / "settings.json")
    tables = {
        "Figures": _read(run / "metrics.json"),
        "Model": {
            key: contract.get(key) for key in ("task", "head", "input", "labels", "threshold", "license")
        },
        "Settings": begun.get("settings", {}),
        "Environment": begun.get("environment", {}),
    }
    name = html.escape(f"{contract.get('name', run.name)} {contract.get('version', '')}".strip())
    body = [f"<h1>{name}</h1>"]
    body += [f"<h2>{title}</h2>{_table(values)}" for title, values in tables.items() if values]
    body += list(_pictures(run))
    text = f'<!doctype html><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style>{"".join(body)}'
    path = run / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _table(values: Mapping[str, Any]) -> str:
    rows = (
        f"<tr><th>{html.escape(key)}</th><td>{html.escape(_shown(value))}</td></tr>"
        for key, value in _flat(values)
    )
    return f"<table>{''.join(rows)}</table>"


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key} / ")
        else:
            yield f"{above}{key}", value


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _pictures(run: Path) -> Iterator[str]:
    for file, title in PICTURES.items():
        if (run / file).is_file():
            data = base64.b64encode((run / file).read_bytes()).decode("ascii")
            yield f'<h2>{title}</h2><img alt="{title}" src="data:image/png;base64,{data}">'
