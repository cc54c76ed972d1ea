"""The golden sample: a picture and an answer inside the model file, recorded at conversion, replayed on devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from vedette.contract import ModelFile
from vedette.models.classify import Classifier
from vedette.models.curves import CurveEnhancer
from vedette.models.detect import Detector
from vedette.models.embed import Embedder
from vedette.models.face import FaceDetector
from vedette.models.images import ImageToImage
from vedette.models.maps import BoxDetector, golden_answer
from vedette.models.pose import PoseEstimator
from vedette.models.raw import RawNetwork
from vedette.models.segment import Segmenter
from vedette.types import Engine, Image, ModelInfo

__all__ = ["HEADS", "TASKS", "Replayer", "open_replayer", "record"]

# int8 kernels of two runtimes differed by 2.1 px and .046, in a picture of a few hundred pixels
TOLERANCE_PX = 4.0
TOLERANCE_SCORE = 0.1


class Replayer(Protocol):
    """A model that can replay its golden sample."""

    info: ModelInfo

    def replay_golden(self) -> str:
        """Return what was compared; raise VedetteError where the answer differs."""
        ...


TASKS = (FaceDetector, Detector, Classifier, Segmenter, PoseEstimator, ImageToImage, CurveEnhancer, Embedder)
"""All models that read a head."""

HEADS: Mapping[str, Callable[[Engine, ModelFile], Replayer]] = {
    head: task for task in TASKS for head in task.heads
}
"""Type of the contract's head -> the model that decodes it; the raw outputs are compared where there is none."""


def open_replayer(engine: Engine, model: ModelFile) -> Replayer:
    """Return what replays `model`'s golden sample on `engine`: raw outputs where those are stored, else its head.

    Whoever opened the engine closes it.

    Raises:
        ModelError: the network does not keep its contract.
    """
    golden = model.contract.golden
    if golden is not None and golden.outputs:
        return RawNetwork(engine, model)
    return HEADS.get(str(model.contract.head.get("type")), RawNetwork)(engine, model)


def record(engine: Engine, model: ModelFile, picture: Image) -> dict[str, Any]:
    """Return what `model` says of `picture`, (H, W, 3) uint8 RGB, as its contract stores it; without the picture.

    Raises:
        ModelError: the network does not keep its contract.
    """
    found = open_replayer(engine, model)
    stored: dict[str, Any] = {
        "tolerance_px": TOLERANCE_PX,
        "tolerance_score": TOLERANCE_SCORE,
        "detections": [],
    }
    if isinstance(found, BoxDetector):
        return {**stored, "detections": golden_answer(found.detect(picture))}
    return {**stored, "outputs": RawNetwork(engine, model).answer(picture)}
