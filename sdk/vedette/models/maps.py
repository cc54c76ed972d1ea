"""What detectors share whose network answers by maps, one of each role for each stride."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from vedette.contract import Contract, ModelFile, check_tensors
from vedette.errors import ModelError, SettingsError, VedetteError
from vedette.ops.images import Letterbox, letterbox
from vedette.ops.quant import fill_input
from vedette.sources.images import decode_image
from vedette.types import Closing, Detections, Engine, Faces, Image, ModelInfo, Tensor, TensorSpec

__all__ = ["MapDetector", "check_image", "golden_answer"]

Found = TypeVar("Found", bound=Detections)


class MapDetector(Closing, Generic[Found]):
    """A detector by one model on one engine. Safe to call from several threads.

    Args:
        engine: holds `model`; closed with the detector.
        model: the file that the engine was made from.
        min_score: what is below it is left out, 0..1; the threshold that the model was tuned for when not given.

    Attributes:
        head: type of the contract's head that the class reads.
        finds: what it finds, for messages.

    Raises:
        ModelError: the file is for another task, or the network does not keep its contract.
        SettingsError: `min_score` is out of range.
    """

    head: ClassVar[str]
    finds: ClassVar[str]

    def __init__(self, engine: Engine, model: ModelFile, *, min_score: float | None = None) -> None:
        if min_score is not None and not 0 <= min_score <= 1:
            raise SettingsError(f"min_score is {min_score}, allowed is 0 to 1.")
        contract = model.contract
        maps = self.maps(contract)
        self._strides, self._nms_iou = self._check_head(model, tuple(maps))
        check_tensors(contract, engine.inputs, engine.outputs)
        self.model, self.engine = model, engine
        self.info = ModelInfo(contract.name, contract.version, model.sha256, engine.name)
        self.min_score = contract.threshold if min_score is None else min_score
        self._order = [[spec.name for spec in engine.outputs].index(o.name) for o in contract.outputs]
        self._check_maps([engine.outputs[i] for i in self._order], tuple(maps.values()))

    @staticmethod
    @abstractmethod
    def maps(contract: Contract) -> Mapping[str, int]:
        """Return the outputs for each stride, in order: role -> channels."""

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

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()

    def _check_head(self, model: ModelFile, roles: Sequence[str]) -> tuple[tuple[int, ...], float]:
        """Return the strides and the overlap for suppression that the contract's head gives.

        Raises:
            ModelError: it is another task's, or not complete.
        """
        contract = model.contract
        if contract.head.get("type") != self.head:
            raise ModelError(
                f"{model.path} is for {contract.task} (head {contract.head.get('type')!r}), not {self.finds}s."
            )
        try:
            strides = tuple(int(s) for s in contract.head["strides"])
            nms_iou = float(contract.head["nms_iou"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{model.path}: its {self.head} head needs 'strides' and 'nms_iou' ({error}); convert it again."
            ) from error
        wanted = [(role, stride) for stride in strides for role in roles]
        told = [(o.role, o.stride) for o in contract.outputs]
        if min(strides, default=0) < 1 or not 0 <= nms_iou <= 1 or told != wanted or not contract.labels:
            raise ModelError(
                f"{model.path}: its {self.head} head is of strides {strides}, nms_iou {nms_iou}, outputs {told} and "
                f"labels {contract.labels}; a label and {', '.join(roles)} for each stride are needed. "
                "Convert it again."
            )
        return strides, nms_iou

    def _check_maps(self, outputs: Sequence[TensorSpec], channels: Sequence[int]) -> None:
        """Compare the shapes of the network's outputs, in the contract's order, with what the head reads.

        Raises:
            ModelError: one differs.
        """
        width, height = self.model.contract.input.size_wh
        for i, spec in enumerate(outputs):
            stride = self._strides[i // len(channels)]
            shape = (1, height // stride, width // stride, channels[i % len(channels)])
            if spec.shape != shape:
                raise ModelError(
                    f"{self.model.path}: output {spec.name} is {spec.shape}, a {self.head} head reads {shape}. "
                    "Convert it again."
                )


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
