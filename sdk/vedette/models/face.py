"""Find faces and their landmarks in a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.contract import ModelFile, check_tensors
from vedette.errors import ModelError, SettingsError, VedetteError
from vedette.heads import face
from vedette.ops.images import Letterbox, letterbox
from vedette.ops.quant import fill_input
from vedette.sources.images import decode_image
from vedette.types import Closing, Engine, Faces, Image, ModelInfo, Tensor, TensorSpec

__all__ = ["FaceDetector"]

MAPS = {"score": 1, "box": 4, "points": 10}
"""Outputs for each stride, in order: role -> channels."""


class FaceDetector(Closing):
    """Faces with five landmarks each, by one model on one engine. Safe to call from several threads.

    Args:
        engine: holds `model`; closed with the detector.
        model: the file that the engine was made from.
        min_score: faces below it are left out, 0..1; the threshold that the model was tuned for when not given.

    Raises:
        ModelError: the file is not a face detector, or the network does not keep its contract.
        SettingsError: `min_score` is out of range.
    """

    def __init__(self, engine: Engine, model: ModelFile, *, min_score: float | None = None) -> None:
        if min_score is not None and not 0 <= min_score <= 1:
            raise SettingsError(f"min_score is {min_score}, allowed is 0 to 1.")
        contract = model.contract
        self._strides, self._nms_iou = _check_head(model)
        check_tensors(contract, engine.inputs, engine.outputs)
        self.model, self.engine = model, engine
        self.info = ModelInfo(contract.name, contract.version, model.sha256, engine.name)
        self.min_score = contract.threshold if min_score is None else min_score
        self._order = [[spec.name for spec in engine.outputs].index(o.name) for o in contract.outputs]
        _check_maps(model, [engine.outputs[i] for i in self._order], self._strides)

    def detect(self, image: Image, *, fitted: Image | None = None) -> Faces:
        """Return the faces in `image`, (H, W, 3) uint8 RGB of any size, best first.

        Args:
            image: the picture.
            fitted: what `fit` made of it, where that was done ahead of time.

        Raises:
            EngineError: the model failed while running.
        """
        check_image(image)
        tensors, box = self.infer(image, fitted=fitted)
        return self.decode(tensors, box, (image.shape[0], image.shape[1]))

    def fit(self, image: Image) -> Image:
        """Return `image` resized into the model's input, (h, w, 3) uint8. Touches no engine."""
        check_image(image)
        contract = self.model.contract.input
        return letterbox(image, contract.size_wh, pad_value=contract.pad_value)[0]

    def infer(self, image: Image, *, fitted: Image | None = None) -> tuple[tuple[Tensor, ...], Letterbox]:
        """Return the network's raw outputs in the contract's order, and where the picture lay in its input."""
        place: list[Letterbox] = []
        spec, contract = self.engine.inputs[0], self.model.contract.input
        outputs = self.engine.run(
            lambda buffers: place.append(fill_input(image, buffers[0], spec, contract, fitted=fitted))
        )
        return tuple(outputs[i] for i in self._order), place[0]

    def decode(self, tensors: tuple[Tensor, ...], box: Letterbox, shape_hw: tuple[int, int]) -> Faces:
        """Return the faces that raw outputs tell of, in pixels of the picture of `shape_hw`."""
        xyxy, score, landmarks = face.decode(
            tensors, self._strides, min_score=self.min_score, nms_iou=self._nms_iou
        )
        height, width = shape_hw
        limits = np.array((width, height, width, height), np.float32)
        inside = np.clip(box.to_picture(xyxy), np.float32(0), limits)
        n = len(score)
        return Faces(
            inside,
            score,
            np.zeros(n, np.int32),
            np.full(n, -1, np.int32),
            self.model.contract.labels,
            box.to_picture(landmarks),
        )

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
        return f"{len(found)} face(s), off by {off_px:.2f} px and {off_score:.3f} score"

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()


def check_image(image: NDArray[np.generic]) -> None:
    """Refuse what is not an (H, W, 3) uint8 picture with at least one pixel.

    Raises:
        VedetteError: says what it is instead, and how to mend it.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise VedetteError(
            f"a picture must be (H, W, 3) uint8 RGB, not {got}. Read files with vedette.read_image(path)."
        )
    if 0 in image.shape:
        raise VedetteError(f"the picture is empty: {image.shape[1]}x{image.shape[0]} px.")


def _check_head(model: ModelFile) -> tuple[tuple[int, ...], float]:
    """Return the strides and the overlap for suppression that the contract's head gives.

    Raises:
        ModelError: it is another task's, or not complete.
    """
    contract = model.contract
    if contract.head.get("type") != "face":
        raise ModelError(
            f"{model.path} is for {contract.task} (head {contract.head.get('type')!r}), not faces."
        )
    try:
        strides = tuple(int(s) for s in contract.head["strides"])
        nms_iou = float(contract.head["nms_iou"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{model.path}: its face head needs 'strides' and 'nms_iou' ({error}); convert it again."
        ) from error
    wanted = [(role, stride) for stride in strides for role in MAPS]
    told = [(o.role, o.stride) for o in contract.outputs]
    if min(strides, default=0) < 1 or not 0 <= nms_iou <= 1 or told != wanted or not contract.labels:
        raise ModelError(
            f"{model.path}: its face head is of strides {strides}, nms_iou {nms_iou}, outputs {told} and labels "
            f"{contract.labels}; a label and {', '.join(MAPS)} for each stride are needed. Convert it again."
        )
    return strides, nms_iou


def _check_maps(model: ModelFile, outputs: Sequence[TensorSpec], strides: Sequence[int]) -> None:
    """Compare the shapes of the network's outputs, in the contract's order, with what the head reads.

    Raises:
        ModelError: one differs.
    """
    width, height = model.contract.input.size_wh
    for i, spec in enumerate(outputs):
        stride = strides[i // len(MAPS)]
        shape = (1, height // stride, width // stride, tuple(MAPS.values())[i % len(MAPS)])
        if spec.shape != shape:
            raise ModelError(
                f"{model.path}: output {spec.name} is {spec.shape}, a face head reads {shape}. Convert it again."
            )


def _compare(found: Faces, stored: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return the largest distance in pixels and in score; infinite when the counts differ."""
    answers = list(stored)
    if len(found) != len(answers):
        return float("inf"), float("inf")
    if not answers:
        return 0.0, 0.0
    boxes, points, scores = (
        float(np.abs(column - np.array([a[key] for a in answers], np.float32)).max())
        for key, column in (("box", found.xyxy), ("landmarks", found.landmarks), ("score", found.score))
    )
    return max(boxes, points), scores
