from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recognition import faces_at, identified
from vedette.sinks.schema import to_json, to_record
from vedette.types import Detections, Enhancement, ZoneCount, ZoneEvent

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "results.schema.json").read_text())
KINDS = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "null": type(None),
    "boolean": bool,
}


def breaks(value: Any, schema: dict[str, Any], at: str = "$") -> list[str]:
    """Return how `value` breaks `schema`: the part of JSON Schema that ours uses, and no other keyword."""
    extra = set(schema) - {"$schema", "title", "type", "const", "enum", "minimum", "maximum", "pattern", "items",
                           "minItems", "maxItems", "required", "properties", "additionalProperties"}  # fmt: skip
    assert not extra, f"the checker does not know {extra}"
    kinds = schema.get("type", list(KINDS))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not any(isinstance(value, KINDS[k]) for k in kinds) or (
        isinstance(value, bool) and "boolean" not in kinds
    ):
        return [f"{at}: {value!r} is no {kinds}"]
    wrong = [] if value == schema.get("const", value) else [f"{at}: not {schema['const']}"]
    wrong += [] if value in schema.get("enum", [value]) else [f"{at}: none of {schema['enum']}"]
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get(
        "maximum", value
    ):
        wrong.append(f"{at}: {value} out of range")
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        wrong.append(f"{at}: {value!r} breaks the pattern")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            wrong.append(f"{at}: {len(value)} items")
        for k, item in enumerate(value):
            wrong += breaks(item, schema.get("items", {}), f"{at}[{k}]")
    if isinstance(value, dict):
        wrong += [f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value]
        for name, item in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
            wrong += [f"{at}: {name} is not known"] if inner is False else breaks(item, inner, f"{at}.{name}")
    return wrong


OBJECTS = Detections(
    np.float32([[1, 2, 3, 4]]), np.float32([0.5]), np.int32([1]), np.int32([7]), ("cat", "dög")
)


@pytest.mark.parametrize("found", [
    pytest.param({}, id="no stage"),
    pytest.param({"objects": Detections.empty()}, id="n = 0"),
    pytest.param(None, id="faces"),
    pytest.param({"objects": OBJECTS, "more": OBJECTS}, id="two stages"),
])  # fmt: skip
def test_keeps_the_schema(make_results, found):
    assert breaks(json.loads(to_json(make_results(found=found))), SCHEMA) == []


@pytest.mark.parametrize(("field", "value"), [
    ("schema", 2), ("frame", -1), ("size_wh", [1]), ("age_ms", "3"), ("extra", 1), ("captured_at", "today"),
])  # fmt: skip
def test_the_checker_sees_what_breaks_it(make_results, field, value):
    assert breaks({**to_record(make_results()), field: value}, SCHEMA)


def test_faces_come_with_landmarks_and_rounded(make_results, make_faces):
    faces = make_faces(2)
    rows = to_record(make_results(found={"faces": faces}))["detections"]
    assert [row["track_id"] for row in rows] == [None, 0]
    assert rows[0]["score"] == 0.9877
    assert rows[0]["box"] == [round(float(v), 1) for v in faces.xyxy[0]]
    assert rows[1]["landmarks"] == [[round(float(x), 1), round(float(y), 1)] for x, y in faces.landmarks[1]]
    assert {row["label"] for row in rows} == {"face"}


def test_who_somebody_is_comes_with_how_sure_that_is(make_results):
    faces = replace(identified(faces_at((0, 0), (9, 9), (20, 20)), 7, -1, -1, certainty=0.87654, name="Zoë"),
                    decided=np.array([True, True, False]), similarity=np.float32([0.91234, 0.5, np.nan]),
                    challenge=np.array(["passed", "", ""]))  # fmt: skip
    record = json.loads(to_json(make_results(found={"faces": faces})))
    assert breaks(record, SCHEMA) == []
    assert [row["person"] for row in record["detections"]] == [
        {
            "identity": "known",
            "name": "Zoë",
            "id": 7,
            "certainty": 0.8765,
            "similarity": 0.9123,
            "challenge": "passed",
        },
        {
            "identity": "unknown",
            "name": None,
            "id": None,
            "certainty": 0.8765,
            "similarity": 0.5,
            "challenge": None,
        },
        {
            "identity": "undecided",
            "name": None,
            "id": None,
            "certainty": 0.8765,
            "similarity": None,
            "challenge": None,
        },
    ]


def test_faces_that_nobody_compared_have_no_person(make_results, make_faces):
    rows = to_record(make_results(found={"faces": make_faces(2)}))["detections"]
    assert [row["person"] for row in rows] == [None, None]


EVENTS = (
    ZoneEvent("leave", "porch", "objects", 7, "dög", 123_000_000_000, 1.23456),
    ZoneEvent("in", "door", "objects", 8, "cat", 5),
)


def test_zones_and_events_are_told_and_keep_the_schema(make_results):
    corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    counts = (
        ZoneCount("porch", corners, {"inside": 1, "entered": 3, "left": 2}),
        ZoneCount("door", corners[:2], {"in": 1, "out": 0}),
    )
    record = json.loads(to_json(replace(make_results(), zones=counts, events=EVENTS)))
    assert breaks(record, SCHEMA) == []
    assert record["zones"] == {"porch": {"inside": 1, "entered": 3, "left": 2}, "door": {"in": 1, "out": 0}}
    assert record["events"][0] == {"kind": "leave", "zone": "porch", "stage": "objects", "track_id": 7, "label": "dög",
                                   "time_ns": 123_000_000_000, "dwell_s": 1.235}  # fmt: skip
    assert breaks({**record, "events": [{**record["events"][1], "kind": "jump"}]}, SCHEMA)
    assert breaks({**record, "zones": {"door": {"in": -1}}}, SCHEMA)


def test_what_was_done_to_the_picture_is_told_and_keeps_the_schema(make_results):
    results = make_results()
    done = {
        "enhance": Enhancement(("light",), 0.5, "reduced", results.frame.image, (21.26, 3.456)),
        "more": Enhancement((), 0.0, "off", results.frame.image),
    }
    record = json.loads(to_json(replace(results, enhanced=done)))
    assert breaks(record, SCHEMA) == []
    assert record["enhanced"]["enhance"] == {"state": "reduced", "models": ["light"], "resolution": 0.5,
                                             "luminance": 21.3, "noise": 3.46}  # fmt: skip
    assert record["enhanced"]["more"]["luminance"] is None
    assert breaks({**record, "enhanced": {"enhance": {"state": "broken"}}}, SCHEMA)


def test_what_is_predicted_is_flagged(make_results, make_faces):
    faces = replace(make_faces(2), predicted=np.array([True, False]))
    rows = to_record(make_results(found={"faces": faces}))["detections"]
    assert [row["predicted"] for row in rows] == [True, False]


def test_all_the_rest_is_told(make_results):
    record = to_record(make_results(42, n=0))
    assert (record["detections"], record["zones"], record["events"]) == ([], {}, [])
    assert (record["frame"], record["source"], record["size_wh"]) == (42, "camera 0", [64, 48])
    assert record["timings_ms"] == {"faces": 1.512}
    assert record["drops"] == {"late": 3}
    assert record["age_ms"] == 12.0
    assert record["models"]["faces"]["sha256"] == "ab" * 32


def test_captured_at_is_the_time_of_day_in_utc(make_results):
    said = datetime.fromisoformat(to_record(make_results())["captured_at"])
    assert (
        abs((datetime.now(UTC) - said).total_seconds() - 0.012) < 2
    )  # a busy machine may be slow, an hour is wrong


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_becomes_null(make_results, bad):
    one = Detections.of(np.float32([[bad, 0, -0.01, 2]]), np.float32([bad]), np.int32([9]), labels=("a",))
    row = json.loads(to_json(make_results(found={"s": one})), parse_constant=pytest.fail)["detections"][0]
    assert row["box"] == [None, 0.0, 0.0, 2.0]
    assert row["score"] is None
    assert row["label"] == "9"
    assert "-0.0" not in to_json(make_results(found={"s": one}))


def test_one_line_of_ascii_whatever_the_names(make_results):
    text = to_json(make_results(found={"objects": OBJECTS}, source="Küche\n2"))
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text)["source"] == "Küche\n2"
    assert json.loads(text)["detections"][0]["label"] == "dög"


def test_is_fast_enough_for_the_loop(make_results):
    results = make_results(n=5)
    best_s = min(_took_s(results) for _ in range(200))
    assert (
        best_s < 400e-6
    )  # some 30 us on a PC; the room is for a busy one, per-element numpy would exceed it


def _took_s(results):
    start = time.perf_counter()
    to_json(results)
    return time.perf_counter() - start
