"""What a model file expects and returns, read from inside the `.tflite`.

A Vedette model is a TFLite flatbuffer with a zip appended, as the format allows; the zip's `vedette.json` is the
contract. It is checked when the file is opened and trusted afterwards.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vedette.errors import ModelError
from vedette.types import TensorSpec

__all__ = [
    "MEMBER",
    "SCHEMA",
    "Contract",
    "Golden",
    "InputContract",
    "ModelFile",
    "OutputContract",
    "check_tensors",
    "open_model_file",
    "read_bytes",
]

SCHEMA = 1
MEMBER = "vedette.json"
COLORS = ("rgb", "bgr", "gray")
RESIZES = ("letterbox", "letterbox-topleft", "stretch")
_DAMAGE = (zipfile.BadZipFile, KeyError, zlib.error, OSError, EOFError, RuntimeError)
"""What zipfile raises on a damaged file; RuntimeError where it seems encrypted or packed in an unknown way, and from
JSON that is nested too deeply."""


@dataclass(frozen=True, slots=True)
class InputContract:
    """The picture that a model takes: (1, H, W, channels), real = (pixel - mean) / std per channel.

    Attributes:
        size_wh: width and height, pixels; (0, 0) where it takes any size.
        color: "rgb", "bgr", or "gray" (one channel).
        resize: how a picture of another size is fitted: "letterbox" keeps its aspect between bars at both sides,
            "letterbox-topleft" with bars at the right or below, "stretch" fills the input.
        pad_value: grey level of the bars, 0..255.
    """

    name: str
    size_wh: tuple[int, int]
    color: str
    resize: str
    pad_value: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def channels(self) -> int:
        """Numbers for each place: 3, or 1 of a grey picture."""
        return 1 if self.color == "gray" else 3


@dataclass(frozen=True, slots=True)
class OutputContract:
    """One output: its name in the signature, what it means, and its stride in input pixels (0 = none)."""

    name: str
    role: str
    stride: int


@dataclass(frozen=True, slots=True)
class Golden:
    """A stored picture and the stored answer: detections (box in pixels, score, ...), or a summary of raw outputs."""

    image: bytes
    tolerance_px: float
    tolerance_score: float
    detections: tuple[Mapping[str, Any], ...]
    outputs: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Contract:
    """Everything a model says of itself. `threshold` is the score it was tuned for."""

    name: str
    version: str
    task: str
    head: Mapping[str, Any]
    input: InputContract
    outputs: tuple[OutputContract, ...]
    labels: tuple[str, ...]
    threshold: float
    license: str
    training_data: tuple[str, ...]
    metrics: Mapping[str, Any]
    golden: Golden | None


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file in memory, whole, with its hash and its contract.

    Attributes:
        evidence: why the contract is so, in sentences, where it was recognised; empty where the file carries it.
    """

    path: Path
    data: bytes
    sha256: str
    contract: Contract
    evidence: tuple[str, ...] = ()


def open_model_file(
    path: Path, *, recognise: Callable[[bytes, Path], tuple[Contract, tuple[str, ...]]] | None = None
) -> ModelFile:
    """Read and check the model at `path`.

    Args:
        path: of a `.tflite` file.
        recognise: says what a file without a contract is, and why; such a file is refused when not given.

    Raises:
        ModelError: it is missing, empty, not TFLite, damaged, or carries no valid contract and is not recognised.
    """
    data = read_bytes(path)
    if data[4:8] != b"TFL3":
        raise ModelError(f"{path} is not a TFLite model (no 'TFL3' mark at its start). Give a .tflite file.")
    if (
        recognise is not None and MEMBER.encode() not in data
    ):  # a contract that was cut off leaves its name behind
        contract, evidence = recognise(data, path)
        return ModelFile(path, data, hashlib.sha256(data).hexdigest(), contract, evidence)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            contract = _parse(json.loads(archive.read(MEMBER)), archive)
            _check_flatbuffer(data, archive)
    except _DAMAGE as error:
        raise ModelError(
            f"{path} carries no complete Vedette contract ({error}). Either it was cut short, so copy it again, or it "
            "was not made by `vedette convert`."
        ) from error
    except (ValueError, TypeError, OverflowError) as error:
        raise ModelError(f"{path}: its {MEMBER} is not valid: {error}. Convert the model again.") from error
    return ModelFile(path, data, hashlib.sha256(data).hexdigest(), contract)


def read_bytes(path: Path) -> bytes:
    """Return a model file whole.

    Raises:
        ModelError: it is missing, empty, or cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"no model file at {path}. `vedette models` lists the bundled names.") from error
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror}.") from error
    if not data:
        raise ModelError(f"{path} is empty (0 bytes). Copy the model again.")
    return data


def _check_flatbuffer(data: bytes, archive: zipfile.ZipFile) -> None:
    """Compare the bytes before the zip with the hash in the contract: older runtimes crash on damaged ones."""
    start = min(info.header_offset for info in archive.infolist())
    wanted = json.loads(archive.read(MEMBER)).get("flatbuffer_sha256")
    if wanted and hashlib.sha256(data[:start]).hexdigest() != wanted:
        raise ValueError(
            "the network's bytes do not match the hash written at conversion; the file is damaged"
        )


def _parse(raw: Any, archive: zipfile.ZipFile) -> Contract:
    if not isinstance(raw, dict):
        raise ValueError("it holds no object")
    if raw.get("schema") != SCHEMA:
        raise ValueError(f"schema {raw.get('schema')!r}, this version reads {SCHEMA}; update vedette")
    try:
        return Contract(
            name=str(raw["name"]),
            version=str(raw["version"]),
            task=str(raw["task"]),
            head=MappingProxyType(dict(raw["head"])),
            input=_parse_input(raw["input"]),
            outputs=tuple(
                OutputContract(str(o["name"]), str(o["role"]), int(o.get("stride", 0)))
                for o in raw["outputs"]
            ),
            labels=tuple(map(str, raw["labels"])),
            threshold=_between(raw["threshold"], 0.0, 1.0, "threshold"),
            license=str(raw["license"]),
            training_data=tuple(map(str, raw.get("training_data", ()))),
            metrics=MappingProxyType(dict(raw.get("metrics", {}))),
            golden=_parse_golden(raw.get("golden"), archive),
        )
    except KeyError as error:
        raise ValueError(f"{error.args[0]!r} is missing") from error


def _parse_input(raw: dict[str, Any]) -> InputContract:
    width, height = (int(v) for v in raw["size_wh"])
    if min(width, height) < 1 and (width, height) != (0, 0):
        raise ValueError(f"input.size_wh is {width}x{height}")
    if raw["color"] not in COLORS or raw["resize"] not in RESIZES:
        raise ValueError(f"input of colour {raw['color']!r} and resize {raw['resize']!r} is not known")
    mean, std = (tuple(float(v) for v in raw[key]) for key in ("mean", "std"))
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise ValueError("input.mean and input.std need three values each, std above 0")
    pad = int(_between(raw["pad_value"], 0, 255, "input.pad_value"))
    return InputContract(str(raw["name"]), (width, height), raw["color"], raw["resize"], pad, mean, std)


def _parse_golden(raw: dict[str, Any] | None, archive: zipfile.ZipFile) -> Golden | None:
    if raw is None:
        return None
    return Golden(
        archive.read(raw["image"]),
        float(raw["tolerance_px"]),
        float(raw.get("tolerance_score", 0.05)),
        tuple(MappingProxyType(dict(d)) for d in raw["detections"]),
        MappingProxyType(dict(raw.get("outputs", {}))),
    )


def _between(value: Any, low: float, high: float, name: str) -> float:
    number = float(value)
    if not low <= number <= high:
        raise ValueError(f"{name} is {number}, allowed is {low} to {high}")
    return number


def check_tensors(contract: Contract, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
    """Compare what the interpreter reports with what the contract promises.

    Raises:
        ModelError: a shape, dtype or name differs.
    """
    width, height = contract.input.size_wh
    wanted = (height, width, contract.input.channels)
    if len(inputs) != 1 or inputs[0].shape[:1] not in ((0,), (1,)) or inputs[0].shape[1:] != wanted:
        got = ", ".join(str(spec.shape) for spec in inputs)
        raise ModelError(
            f"{contract.name}: the contract promises one input {(1, *wanted)}, the network has {got}."
        )
    if inputs[0].dtype.name not in ("uint8", "int8", "float32"):
        raise ModelError(
            f"{contract.name}: input of type {inputs[0].dtype.name}; uint8, int8 or float32 is needed."
        )
    missing = {o.name for o in contract.outputs} - {spec.name for spec in outputs}
    if missing:
        have = ", ".join(spec.name for spec in outputs)
        raise ModelError(f"{contract.name}: the network lacks the outputs {sorted(missing)}; it has {have}.")
