"""Zones and lines as they stand in a TOML file: read, checked, written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from vedette.errors import SettingsError, unknown_name
from vedette.settings import MOST_S, read_toml

__all__ = ["LineSettings", "ZoneSettings", "dump_zones", "load_zones", "parse_zones", "zone_tables"]


@dataclass(frozen=True, slots=True)
class LineSettings:
    """A line that is crossed "in" (to the right for who looks from its first point to its second) or "out".

    Attributes:
        name: as the file calls it.
        points: x, y in parts of the picture's width and height, 0..1, origin top left.
        labels: names of the classes that count; all when empty.
        anchor: the point of a box that counts: the middle of its "bottom" (where somebody stands) or "top", or its
            "center".
        margin: parts of the picture's height: who comes no farther from the edge than this has not left it.
        lost_s: who is not seen is taken to be still there for so long.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    labels: tuple[str, ...] = ()
    anchor: str = "bottom"
    margin: float = 0.01
    lost_s: float = 1.5


@dataclass(frozen=True, slots=True)
class ZoneSettings(LineSettings):
    """A polygon, corners in order.

    Attributes:
        inertia_s: coming and going count once they have lasted for so long.
        dwell_s: who is inside for so long is told of once; nobody when None.
    """

    inertia_s: float = 0.3
    dwell_s: float | None = None


_ANCHORS = ("bottom", "center", "top")
_MOST_POINTS = 100
_LONGEST_NAME = 64


def load_zones(path: Path) -> tuple[LineSettings, ...]:
    """Return the zones and lines in the TOML file at `path`, in its order, zones first.

    ::

        [zone.porch]
        points = [[0.1, 0.6], [0.5, 0.6], [0.5, 1.0], [0.1, 1.0]]
        labels = ["person"]       # optional, as is all that follows
        dwell_s = 10.0

        [line.door]
        points = [[0.6, 0.2], [0.6, 0.9]]

    A file that says ``[zone]`` and nothing else holds none yet: the dashboard draws the first.

    Raises:
        SettingsError: the file is missing, empty or not TOML, a key is unknown, a value is not allowed.
    """
    raw = read_toml(path, "zones")
    return () if raw == {"zone": {}} else parse_zones(raw, where=str(path))


_KINDS: Mapping[str, type[LineSettings]] = {"zone": ZoneSettings, "line": LineSettings}


def parse_zones(raw: Mapping[str, Any], *, where: str) -> tuple[LineSettings, ...]:
    """Return the zones and lines of tables as `load_zones` reads them; `where` they stand, for who reads the error.

    Raises:
        SettingsError: a key is unknown, a value is not allowed.
    """
    for kind, named in raw.items():
        if kind not in _KINDS:
            raise unknown_name(f"table in {where}", kind, _KINDS)
        if not isinstance(named, dict) or not all(isinstance(one, dict) for one in named.values()):
            raise SettingsError(f"{where}: [{kind}] needs a name: write [{kind}.NAME].")
    rules = [
        _rule(where, f"{kind}.{name}", name, made, given)
        for kind, made in _KINDS.items()
        for name, given in raw.get(kind, {}).items()
    ]
    names = [rule.name for rule in rules]
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins or not rules:
        what = (
            f"'{twins[0]}' is the name of a zone and of a line" if twins else "it holds no zone and no line"
        )
        raise SettingsError(
            f"{where}: {what}; add [zone.NAME] or [line.NAME], each name once. "
            "[zone] alone begins with none, to be drawn in the dashboard."
        )
    return tuple(rules)


def zone_tables(rules: Sequence[LineSettings]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return `rules` as the tables that `parse_zones` reads, without what has its default; ready for JSON."""
    tables: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in _KINDS}
    for rule in rules:
        given = {f.name: getattr(rule, f.name) for f in fields(rule) if getattr(rule, f.name) != f.default}
        name = given.pop("name")
        given["points"] = [list(point) for point in rule.points]
        if rule.labels:
            given["labels"] = list(rule.labels)
        tables["zone" if isinstance(rule, ZoneSettings) else "line"][name] = given
    return tables


def dump_zones(rules: Sequence[LineSettings]) -> str:
    """Return the TOML text that `load_zones` reads as `rules`.

    Of what is written here, names, numbers and lists of them, JSON is TOML too.
    """
    tables = [
        "\n".join(
            [
                f"[{kind}.{json.dumps(name, ensure_ascii=False)}]",
                *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in given.items()),
            ]
        )
        for kind, named in zone_tables(rules).items()
        for name, given in named.items()
    ]
    return "\n\n".join(tables) + "\n"


def _rule(
    file: str, table: str, name: str, kind: type[LineSettings], given: Mapping[str, Any]
) -> LineSettings:
    where = f"{file}: [{table}]"
    if not _is_name(name):
        raise SettingsError(f"{where} needs a name of 1 to {_LONGEST_NAME} printable characters.")
    known = [f.name for f in fields(kind) if f.name != "name"]
    for key in given:
        if key not in known:
            raise unknown_name(f"key in {where}", key, known)
    points = _points(where, given.get("points"), 3 if kind is ZoneSettings else 2)
    labels = given.get("labels", [])
    if not isinstance(labels, list) or not all(map(_is_name, labels)):
        raise SettingsError(f"{where} labels is {labels!r}, a list of strings is needed.")
    if given.get("anchor", "bottom") not in _ANCHORS:
        raise unknown_name(f"anchor in {where}", str(given["anchor"]), _ANCHORS)
    limits = {"margin": 0.5, "lost_s": 3600.0, "inertia_s": 3600.0, "dwell_s": MOST_S}
    for key in limits.keys() & given.keys():
        value = given[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= limits[key]:
            raise SettingsError(f"{where} {key} is {value!r}, a number from 0 to {limits[key]:g} is needed.")
    return kind(**{**given, "name": name, "points": points, "labels": tuple(labels)})


def _points(where: str, given: object, least: int) -> tuple[tuple[float, float], ...]:
    """Return checked points: exactly two for a line, three or more for a zone."""
    wanted = "two points" if least == 2 else f"3 to {_MOST_POINTS} points, corners in order"
    example = ", ".join(["[0.1, 0.2]"] * least)
    most = 2 if least == 2 else _MOST_POINTS
    if not isinstance(given, list) or not least <= len(given) <= most or not all(map(_is_point, given)):
        raise SettingsError(
            f"{where} needs {wanted}, each x, y from 0 to 1 in parts of the picture: points = [{example}]"
        )
    points = tuple((float(x), float(y)) for x, y in given)
    if len(set(points)) != len(points):
        raise SettingsError(f"{where} has the same point twice; leave one out.")
    return points


def _is_name(given: object) -> bool:
    return isinstance(given, str) and 0 < len(given) <= _LONGEST_NAME and given.isprintable()


def _is_point(given: object) -> bool:
    return (
        isinstance(given, list)
        and len(given) == 2
        and all(isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v <= 1 for v in given)
    )
