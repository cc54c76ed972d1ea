"""Results as JSON: one object a frame, schema version 1 (docs/results.md, docs/results.schema.json)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.types import Detections, Enhancement, Faces, IdentifiedFaces, ModelInfo, Results, ZoneEvent

__all__ = ["SCHEMA_VERSION", "to_json", "to_record"]

SCHEMA_VERSION = 1
"""Rises when a field changes its meaning or goes; a field that is added does not raise it."""


def to_record(results: Results) -> dict[str, Any]:
    """Return the JSON object of one frame: plain dicts, lists, strings, numbers and None.

    Pixels are rounded to 0.1, scores to 4 digits, milliseconds to 1 us. A number that JSON has no word for (infinite,
    not a number) becomes None.
    """
    frame = results.frame
    return {
        "schema": SCHEMA_VERSION,
        "source": frame.source,
        "frame": frame.index,
        "time_ns": frame.time_ns,
        "captured_ns": frame.captured_ns,
        "captured_at": _wall_clock(frame.captured_ns),
        "size_wh": list(frame.size_wh),
        "age_ms": round(results.age_ms, 3),
        "timings_ms": {stage: round(ns / 1e6, 3) for stage, ns in results.timings_ns.items()},
        "drops": dict(results.drops),
        "models": {stage: _model(info) for stage, info in results.models.items()},
        "detections": _detections(results.found),
        "zones": {zone.name: dict(zone.counts) for zone in results.zones},
        "events": [_event(event) for event in results.events],
        "enhanced": {stage: _enhancement(one) for stage, one in results.enhanced.items()},
    }


def to_json(results: Results) -> str:
    """Return `to_record(results)` as one line of strict JSON in ASCII, without the line end."""
    return _encode(to_record(results))


_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":"), check_circular=False).encode


def _wall_clock(captured_ns: int) -> str:
    """Return the time of day at a reading of the monotonic clock, ISO 8601, UTC, to the millisecond.

    The offset is taken anew each time: a board without a battery clock jumps when it hears the time.
    """
    wall_ns = time.time_ns() - time.monotonic_ns() + captured_ns
    return datetime.fromtimestamp(wall_ns / 1e9, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _model(info: ModelInfo) -> dict[str, str]:
    return {"name": info.name, "version": info.version, "sha256": info.sha256, "engine": info.engine}


def _detections(found: Mapping[str, Detections]) -> list[dict[str, Any]]:
    return [row for stage, one in found.items() if len(one) for row in _rows(stage, one)]


def _rows(stage: str, one: Detections) -> list[dict[str, Any]]:
    landmarks = _rounded(one.landmarks, 10) if isinstance(one, Faces) else [[]] * len(one)
    person = _people(one) if isinstance(one, IdentifiedFaces) else [None] * len(one)
    columns = zip(one.names, one.class_id.tolist(), _rounded(one.score, 10_000), _rounded(one.xyxy, 10), landmarks,
                  one.track_id.tolist(), one.predicted.tolist(), person, strict=True)  # fmt: skip
    return [
        {
            "stage": stage,
            "label": label,
            "class_id": class_id,
            "score": score,
            "box": box,
            "landmarks": points,
            "track_id": track_id if track_id >= 0 else None,
            "predicted": predicted,
            "person": who,
        }
        for label, class_id, score, box, points, track_id, predicted, who in columns
    ]


def _people(one: IdentifiedFaces) -> list[dict[str, Any]]:
    columns = zip(one.identity, one.person.tolist(), one.person_id.tolist(), _rounded(one.certainty, 10_000),
                  _rounded(one.similarity, 10_000), one.challenge.tolist(), strict=True)  # fmt: skip
    return [
        {
            "identity": identity,
            "name": name or None,
            "id": person_id if person_id >= 0 else None,
            "certainty": certainty,
            "similarity": similarity,
            "challenge": challenge or None,
        }
        for identity, name, person_id, certainty, similarity, challenge in columns
    ]


def _event(event: ZoneEvent) -> dict[str, Any]:
    return {**asdict(event), "dwell_s": round(event.dwell_s, 3)}


def _enhancement(one: Enhancement) -> dict[str, Any]:
    luminance, noise = one.levels or (None, None)
    return {
        "state": one.state,
        "models": list(one.models),
        "resolution": one.resolution,
        "luminance": None if luminance is None else round(luminance, 1),
        "noise": None if noise is None else round(noise, 2),
    }


def _rounded(values: NDArray[np.float32], steps: int) -> list[Any]:
    """Return `values` rounded to 1/`steps` as nested lists; what is not finite becomes None."""
    wide = np.rint(values.astype(np.float64) * steps) / steps + 0.0  # + 0.0 turns -0.0 into 0.0
    if isfinite(wide.sum()):
        rounded: list[Any] = wide.tolist()
        return rounded
    holes = wide.astype(object)
    holes[~np.isfinite(wide)] = None
    rounded = holes.tolist()
    return rounded
