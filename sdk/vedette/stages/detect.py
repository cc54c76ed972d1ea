"""Run a detector on the frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol, cast

from vedette.types import Closing, Detections, Frame, Image, ModelInfo, Results

__all__ = ["Detect", "Detector", "Fitting"]


class Detector(Protocol):
    """What finds things in a picture: `FaceDetector`, or one's own."""

    info: ModelInfo

    def detect(self, image: Image) -> Detections: ...
    def close(self) -> None: ...


class Fitting(Detector, Protocol):
    """A detector that can fit a picture into its model's input before its turn comes."""

    def fit(self, image: Image) -> Image: ...
    def detect(self, image: Image, *, fitted: Image | None = None) -> Detections: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Ahead:
    """What `stage` made of `image` before its turn. Another stage may have replaced the picture since."""

    stage: Detect
    image: Image
    fitted: Image

    def suits(self, stage: Detect, frame: Frame) -> bool:
        return self.stage is stage and self.image is frame.image


class Detect(Closing):
    """A stage that adds a detector's findings to the results, under the stage's name. Closes the detector.

    Attributes:
        prepare: fits a frame's picture into the model's input ahead of time; None where the detector has no `fit`.
    """

    def __init__(self, name: str, detector: Detector) -> None:
        self.name = name
        self.detector = detector
        self._fitting = cast(Fitting, detector) if hasattr(detector, "fit") else None
        self.prepare = None if self._fitting is None else self._fit

    def _fit(self, frame: Frame) -> object:
        assert self._fitting is not None
        return _Ahead(self, frame.image, self._fitting.fit(frame.image))

    def __call__(self, results: Results) -> Results:
        """Return `results` with what the detector found in their frame."""
        frame = results.frame
        ahead = frame.ahead
        if self._fitting is not None and isinstance(ahead, _Ahead) and ahead.suits(self, frame):
            found = self._fitting.detect(frame.image, fitted=ahead.fitted)
        else:
            found = self.detector.detect(frame.image)
        return replace(
            results,
            found=MappingProxyType({**results.found, self.name: found}),
            models=MappingProxyType({**results.models, self.name: self.detector.info}),
        )

    def close(self) -> None:
        """Close the detector."""
        self.detector.close()
