"""Run a detector on the frame."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Protocol, Self

from vedette.types import Detections, Image, ModelInfo, Results

__all__ = ["Detect", "Detector"]


class Detector(Protocol):
    """What finds things in a picture: `FaceDetector`, or one's own."""

    info: ModelInfo

    def detect(self, image: Image) -> Detections: ...
    def close(self) -> None: ...


class Detect:
    """A stage that adds a detector's findings to the results, under the stage's name. Closes the detector."""

    def __init__(self, name: str, detector: Detector) -> None:
        self.name = name
        self.detector = detector

    def __call__(self, results: Results) -> Results:
        """Return `results` with what the detector found in their frame."""
        found = self.detector.detect(results.frame.image)
        return replace(
            results,
            found=MappingProxyType({**results.found, self.name: found}),
            models=MappingProxyType({**results.models, self.name: self.detector.info}),
        )

    def close(self) -> None:
        """Close the detector."""
        self.detector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
