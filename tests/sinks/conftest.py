"""Results to write, made of nothing but numbers."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import MappingProxyType

import numpy as np
import pytest

from vedette.types import Detections, Faces, Frame, ModelInfo, Results

MODEL = ModelInfo("face-detector", "1.0", "ab" * 32, "litert-2.1 xnnpack")


def _faces(n: int, *, size_wh: tuple[int, int] = (64, 48)) -> Faces:
    rng = np.random.default_rng(7)
    xy = np.sort(rng.random((n, 2, 2)), axis=1).reshape(n, 4) * np.array([*size_wh, *size_wh])
    points = rng.random((n, 5, 2)) * np.array(size_wh)
    return Faces(
        xy.astype(np.float32), np.linspace(0.98768, 0.5, n, dtype=np.float32), np.zeros(n, np.int32),
        np.arange(-1, n - 1, dtype=np.int32), ("face",), points.astype(np.float32),
    )  # fmt: skip


def _results(
    index: int = 0, *, n: int = 2, time_ns: int | None = None, size_wh: tuple[int, int] = (64, 48), level: int = 90,
    source: str = "camera 0", found: dict[str, Detections] | None = None,
) -> Results:  # fmt: skip
    now = time.monotonic_ns()
    image = np.full((size_wh[1], size_wh[0], 3), level, np.uint8)
    frame = Frame(image, index, index * 33_333_333 if time_ns is None else time_ns, now - 12_000_000, source)
    return Results(
        frame, MappingProxyType({"faces": _faces(n, size_wh=size_wh)} if found is None else found),
        MappingProxyType({"faces": MODEL}), MappingProxyType({"faces": 1_512_345}), now, MappingProxyType({"late": 3}),
    )  # fmt: skip


@pytest.fixture
def make_faces() -> Callable[..., Faces]:
    return _faces


@pytest.fixture
def make_results() -> Callable[..., Results]:
    return _results
