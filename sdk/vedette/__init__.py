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
    from vedette.answers import Classes, Matte, Poses, Segmentation
    from vedette.app import load, load_as, load_enhancer, load_recognizer, open, run
    from vedette.errors import VedetteError
    from vedette.gallery.calibrate import ImpostorScores
    from vedette.gallery.gallery import Gallery
    from vedette.models.classify import Classifier
    from vedette.models.detect import Detector
    from vedette.models.embed import Embedder
    from vedette.models.enhance import Enhancer
    from vedette.models.face import FaceDetector
    from vedette.models.face_embed import FaceEmbedder
    from vedette.models.images import ImageToImage
    from vedette.models.pose import PoseEstimator
    from vedette.models.recognize import FaceRecognizer
    from vedette.models.segment import Segmenter
    from vedette.models.tiles import TiledDetector
    from vedette.recognise.reading import Reading
    from vedette.settings import Tiling
    from vedette.sources.images import read_image
    from vedette.types import Detections, Faces, Frame, Results

_HOMES = {
    "Classes": "vedette.answers",
    "Classifier": "vedette.models.classify",
    "Detections": "vedette.types",
    "Detector": "vedette.models.detect",
    "Embedder": "vedette.models.embed",
    "Enhancer": "vedette.models.enhance",
    "FaceDetector": "vedette.models.face",
    "FaceEmbedder": "vedette.models.face_embed",
    "FaceRecognizer": "vedette.models.recognize",
    "Faces": "vedette.types",
    "Frame": "vedette.types",
    "Gallery": "vedette.gallery.gallery",
    "ImageToImage": "vedette.models.images",
    "ImpostorScores": "vedette.gallery.calibrate",
    "Matte": "vedette.answers",
    "PoseEstimator": "vedette.models.pose",
    "Poses": "vedette.answers",
    "Reading": "vedette.recognise.reading",
    "Results": "vedette.types",
    "Segmentation": "vedette.answers",
    "Segmenter": "vedette.models.segment",
    "TiledDetector": "vedette.models.tiles",
    "Tiling": "vedette.settings",
    "VedetteError": "vedette.errors",
    "load": "vedette.app",
    "load_as": "vedette.app",
    "load_enhancer": "vedette.app",
    "load_recognizer": "vedette.app",
    "open": "vedette.app",
    "read_image": "vedette.sources.images",
    "run": "vedette.app",
}

__all__ = [
    "Classes",
    "Classifier",
    "Detections",
    "Detector",
    "Embedder",
    "Enhancer",
    "FaceDetector",
    "FaceEmbedder",
    "FaceRecognizer",
    "Faces",
    "Frame",
    "Gallery",
    "ImageToImage",
    "ImpostorScores",
    "Matte",
    "PoseEstimator",
    "Poses",
    "Reading",
    "Results",
    "Segmentation",
    "Segmenter",
    "TiledDetector",
    "Tiling",
    "VedetteError",
    "load",
    "load_as",
    "load_enhancer",
    "load_recognizer",
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
