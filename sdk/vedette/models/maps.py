"""What detectors share, and what those share whose network answers by maps, one of each role for each stride."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from vedette.contract import ModelFile
from vedette.errors import ModelError, VedetteError
from vedette.models.task import PictureModel
from vedette.ops.images import Letterbox
from vedette.sources.images import decode_image
from vedette.types import Detections, Faces, Image, Tensor, TensorSpec

__all__ = ["BoxDetector", "golden_answer", "read_maps"]

Found = TypeVar("Found", bound=Detections)


class BoxDetector(PictureModel, Generic[Found]):
    """A detector by one model on one engine; see `vedette.models.task.PictureModel`."""

    @abstractmethod
    def decode(self, tensors: tuple[Tensor, ...], box: Letterbox, shape_hw: tuple[int, int]) -> Found:
        """Return what raw outputs tell of, in pixels of the picture of `shape_hw`."""

    def detect(self, image: Image, *, fitted: Image | None = None) -> Found:
        """Return what is found in `image`, (H, W, 3) uint8 RGB of any size, best first.

        Args:
            image: the picture.
            fitted: what `fit` made of it, where that was done ahead of time.

        Raises:
            EngineError: the model failed while running.
        """
        tensors, box = self.infer(image, fitted=fitted)
        return self.decode(tensors, box, (image.shape[0], image.shape[1]))

    def replay_golden(self) -> str:
        """Detect on the model's own stored picture and compare with its stored answer; return what was compared.

        Raises:
            VedetteError: the answer differs by more than the stored tolerance; a damaged file or runtime.
        """
        golden = self.model.contract.golden
        if golden is None:
            raise ModelError(f"{self.model.path} carries no golden sample; convert it again.")
        found = self.detect(decode_image(golden.image, label=f"the golden picture in {self.model.path}"))
        off_px, off_score = _compare(found, golden.detections)
        if off_px > golden.tolerance_px or off_score > golden.tolerance_score:
            raise VedetteError(
                f"{self.info.name} on {self.engine.name} answers {off_px:.2f} px and {off_score:.3f} score away from "
                f"its golden sample (allowed {golden.tolerance_px} px, {golden.tolerance_score}). "
                "The runtime or the file is broken; reinstall both."
            )
        return f"{len(found)} {self.finds}(s), off by {off_px:.2f} px and {off_score:.3f} score"


def read_maps(
    model: ModelFile, outputs: Sequence[TensorSpec], channels: Mapping[str, int]
) -> tuple[tuple[int, ...], float]:
    """Return the strides and the overlap for suppression that the contract's head gives, checked with the network.

    Args:
        model: its contract lists, for each stride, one output of each role.
        outputs: of the network, in the contract's order.
        channels: role -> channels, in order.

    Raises:
        ModelError: the head is not complete, or an output differs.
    """
    contract = model.contract
    head = contract.head.get("type")
    try:
        strides = tuple(int(s) for s in contract.head["strides"])
        nms_iou = float(contract.head["nms_iou"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{model.path}: its {head} head needs 'strides' and 'nms_iou' ({error}); convert it again."
        ) from error
    wanted = [(role, stride) for stride in strides for role in channels]
    told = [(o.role, o.stride) for o in contract.outputs]
    if min(strides, default=0) < 1 or not 0 <= nms_iou <= 1 or told != wanted or not contract.labels:
        raise ModelError(
            f"{model.path}: its {head} head is of strides {strides}, nms_iou {nms_iou}, outputs {told} and "
            f"labels {contract.labels}; a label and {', '.join(channels)} for each stride are needed. "
            "Convert it again."
        )
    _check_maps(model, outputs, strides, tuple(channels.values()))
    return strides, nms_iou


def _check_maps(
    model: ModelFile, outputs: Sequence[TensorSpec], strides: Sequence[int], channels: Sequence[int]
) -> None:
    width, height = model.contract.input.size_wh
    for i, spec in enumerate(outputs):
        stride = strides[i // len(channels)]
        shape = (1, height // stride, width // stride, channels[i % len(channels)])
        if spec.shape != shape:
            raise ModelError(
                f"{model.path}: output {spec.name} is {spec.shape}, a {model.contract.head.get('type')} head reads "
                f"{shape}. Convert it again."
            )


def golden_answer(found: Detections) -> list[dict[str, Any]]:
    """Return `found` as a golden sample stores it: box and landmarks in pixels, score, class_id."""
    columns = {"box": found.xyxy, "score": found.score, "class_id": found.class_id}
    if isinstance(found, Faces):
        columns["landmarks"] = found.landmarks
    lists = {key: column.astype(np.float64).round(3).tolist() for key, column in columns.items()}
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _compare(found: Detections, stored: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return the largest distance in pixels and in score; infinite when counts or classes differ."""
    answers = golden_answer(found)
    if len(answers) != len(stored):
        return float("inf"), float("inf")
    off = {"box": 0.0, "landmarks": 0.0, "score": 0.0, "class_id": 0.0}
    for mine, theirs in zip(answers, stored, strict=True):
        for key in off.keys() & mine.keys() & theirs.keys():
            off[key] = max(off[key], float(np.abs(np.subtract(mine[key], theirs[key])).max()))
    return (float("inf") if off["class_id"] else max(off["box"], off["landmarks"])), off["score"]
