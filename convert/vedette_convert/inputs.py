"""What a conversion starts from: the network's source, its contract, pictures to calibrate on, a golden picture."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.contract import InputContract
from vedette.errors import ModelError, SettingsError, VedetteError
from vedette.ops.images import letterbox
from vedette.sources.uri import open_source
from vedette.types import Image

__all__ = ["Material", "gather", "read_pictures", "real_values"]

MOST_PICTURES = 200
MOST_FRAMES = 20_000  # of a long video; the pictures are drawn from these
MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True, slots=True)
class Material:
    """All that a conversion needs.

    Attributes:
        source: a ``.keras`` file, a SavedModel folder or a float ``.tflite``.
        contract: as `vedette.contract` describes it, without ``golden``.
        pictures: (h, w, 3) uint8 of the input's size, to calibrate on.
        origin: where they come from, for the report.
        golden: a PNG file's bytes.
        run: the run folder, where there is one.
        references: picture and what training made of it for the network, (H, W, 3) uint8 and (h, w, 3) real values.
    """

    source: Path
    contract: Mapping[str, Any]
    pictures: Sequence[Image]
    origin: str
    golden: bytes
    run: Path | None = None
    references: Sequence[tuple[Image, np.ndarray]] = field(default=())

    @property
    def input(self) -> InputContract:
        """The contract's input."""
        raw = self.contract["input"]
        width, height = raw["size_wh"]
        mean, std = ((float(r), float(g), float(b)) for r, g, b in (raw["mean"], raw["std"]))
        return InputContract(
            raw["name"], (width, height), raw["color"], raw["resize"], raw["pad_value"], mean, std
        )

    @property
    def modules(self) -> Sequence[str]:
        """Python modules that register the model's own Keras layers."""
        return tuple(self.contract.get("keras_modules", ()))


def gather(
    source: Path, *, contract: Path | None = None, calibration: str | None = None, count: int = MOST_PICTURES
) -> Material:
    """Return what `source` brings along, completed by what is given.

    Args:
        source: a run folder, a ``.keras`` file, a SavedModel folder or a float ``.tflite``.
        contract: a ``contract.json``; a run has its own.
        calibration: a folder of pictures, or any source URI; the run's own pictures when not given.
        count: use so many pictures at most.

    Raises:
        VedetteError: something is missing or damaged; the message says what and where.
        ModelError: the pictures of the run are not of the network's size.
    """
    if not source.exists():
        raise VedetteError(
            f"there is nothing at {source}; give a run, a .keras file, a SavedModel or a .tflite."
        )
    run = source if source.is_dir() and not (source / "saved_model.pb").exists() else None
    raw = _read_contract(run, contract, source)
    width, height = raw["input"]["size_wh"]
    if calibration is None:
        pictures, origin = _stored(source, run, (width, height))[:count], "calibration.npz of the run"
    else:
        pictures = read_pictures(calibration, (width, height), raw["input"]["pad_value"], count)
        origin = f"{calibration}, letterboxed to {width}x{height}"
    network = source if run is None else run / "model.keras"
    if not network.exists():
        raise VedetteError(f"{network} is missing; export the run again: vedette train ... --out {source}")
    golden = _golden(run, pictures)
    return Material(network, raw, pictures, origin, golden, run, _references(run))


def _read_contract(run: Path | None, given: Path | None, source: Path) -> dict[str, Any]:
    path = given or (run / "contract.json" if run else None)
    if path is None:
        raise SettingsError(
            f"{source} does not say how pictures become its input; give --contract FILE (docs/convert.md shows one)."
        )
    try:
        contract: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        metrics = (run or path.parent) / "metrics.json"
        if run and metrics.exists():
            contract["metrics"] = json.loads(metrics.read_text(encoding="utf-8"))
    except OSError as error:
        raise VedetteError(f"{source} is no exported run ({error.strerror}: {error.filename}).") from error
    except ValueError as error:
        raise VedetteError(
            f"{path.parent}: contract.json or metrics.json is not valid JSON: {error}."
        ) from error
    _check_contract(contract, path)
    return contract


def _check_contract(contract: Mapping[str, Any], path: Path) -> None:
    """Refuse what the conversion itself reads and is not there; the rest is checked when the model is opened."""
    given = contract.get("input", {})
    missing = [
        key for key in ("name", "size_wh", "color", "resize", "pad_value", "mean", "std") if key not in given
    ]
    if missing:
        raise VedetteError(f"{path}: its input lacks {', '.join(missing)}; docs/convert.md shows a contract.")
    for module in contract.get("keras_modules", ()):
        if not MODULE.fullmatch(module):
            raise VedetteError(f"{path}: keras_modules names '{module}', which is no Python module.")


def _stored(source: Path, run: Path | None, size_wh: tuple[int, int]) -> list[Image]:
    """Return the run's own calibration pictures."""
    if run is None:
        raise SettingsError(
            f"{source} brings no pictures to calibrate on; give --calibration FOLDER or a source URI."
        )
    path = run / "calibration.npz"
    try:
        with path.open("rb") as file, np.load(file) as stored:
            images = stored["images"]
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise VedetteError(f"{path} is missing or damaged ({error}); export the run again.") from error
    except (KeyError, ValueError) as error:
        raise VedetteError(f"{path} holds no pictures ({error}); export the run again.") from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (size_wh[1], size_wh[0], 3):
        raise ModelError(
            f"{path} holds pictures of {images.dtype} {images.shape[1:]}, the network takes {size_wh[0]}x{size_wh[1]} "
            "uint8 RGB. Export the run again, or give --calibration FOLDER: its pictures are letterboxed to fit."
        )
    if not len(images):
        raise VedetteError(f"{path} holds no picture at all; export the run again.")
    return list(images)


def real_values(picture: Image, given: InputContract) -> NDArray[np.float32]:
    """Return what the network is fed for `picture`, (..., h, w, 3) uint8 of its input's size."""
    mean, std = np.array(given.mean, np.float32), np.array(given.std, np.float32)
    return np.asarray((picture.astype(np.float32) - mean) / std, np.float32)


def read_pictures(uri: str, size_wh: tuple[int, int], pad_value: int, count: int) -> list[Image]:
    """Return at most `count` pictures of a source, letterboxed; of a file spread by chance, the same each time.

    Raises:
        SourceError: it cannot be opened or read, or is empty.
    """
    kept: list[Image] = []
    rng = np.random.default_rng(0)
    with open_source(uri) as source:
        for seen in range(MOST_FRAMES):
            if source.live and seen >= count:
                break
            frame = source.read()
            if frame is None:
                break
            # Vitter's algorithm R: every frame is kept with the same chance, without knowing how many will come
            place = seen if seen < count else int(rng.integers(seen + 1))
            if place < count:
                fitted = letterbox(frame.image, size_wh, pad_value=pad_value)[0]
                kept[place:] = [fitted, *kept[place + 1 :]]
    if not kept:
        raise VedetteError(f"{uri} has no pictures to calibrate on.")
    return kept


def _golden(run: Path | None, pictures: Sequence[Image]) -> bytes:
    """Return the run's golden picture, or the first one of calibration where there is no run."""
    if run is None:
        return bytes(cv2.imencode(".png", cv2.cvtColor(pictures[0], cv2.COLOR_RGB2BGR))[1])
    try:
        return (run / "golden.png").read_bytes()
    except OSError as error:
        raise VedetteError(f"{run / 'golden.png'} is missing; export the run again.") from error


def _references(run: Path | None) -> list[tuple[Image, np.ndarray]]:
    """Return what ``preprocessing.npz`` holds: ``picture_N`` and ``input_N``, N from 0."""
    path = run / "preprocessing.npz" if run else None
    if path is None or not path.exists():
        return []
    try:
        with path.open("rb") as file, np.load(file) as stored:
            n = sum(name.startswith("picture_") for name in stored.files)
            return [(stored[f"picture_{i}"], stored[f"input_{i}"]) for i in range(n)]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise VedetteError(f"{path} is damaged ({error}); export the run again.") from error
