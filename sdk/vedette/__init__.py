"""Real-time vision for small devices.

>>> import vedette
>>> with vedette.open("demo://") as camera:                      # doctest: +SKIP
...     for results in vedette.run(camera, ["faces"]):
...         print(len(results.found["faces"]), "faces")

Importing this package loads nothing; each name is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vedette.app import load, load_embedder, open, run
    from vedette.errors import VedetteError
    from vedette.models.embed import FaceEmbedder
    from vedette.models.face import FaceDetector
    from vedette.sources.images import read_image
    from vedette.types import Detections, Faces, Frame, Results

_HOMES = {
    "Detections": "vedette.types",
    "FaceDetector": "vedette.models.face",
    "FaceEmbedder": "vedette.models.embed",
    "Faces": "vedette.types",
    "Frame": "vedette.types",
    "Results": "vedette.types",
    "VedetteError": "vedette.errors",
    "load": "vedette.app",
    "load_embedder": "vedette.app",
    "open": "vedette.app",
    "read_image": "vedette.sources.images",
    "run": "vedette.app",
}

__all__ = [
    "Detections",
    "FaceDetector",
    "FaceEmbedder",
    "Faces",
    "Frame",
    "Results",
    "VedetteError",
    "load",
    "load_embedder",
    "open",
    "read_image",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vedette' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
