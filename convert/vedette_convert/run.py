"""From a run folder to a packaged model, and how far int8 is from float."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.engines.litert import LiteRTEngine
from vedette.errors import ModelError, VedetteError
from vedette.types import Tensor
from vedette_convert.metadata import add_metadata
from vedette_convert.package import package
from vedette_convert.quantize import float_answers, quantize

__all__ = ["Agreement", "convert_run"]

MIN_SNR_DB = 10.0
COMPARED = 24


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well an output of the int8 network follows the float one, over the pictures compared.

    Attributes:
        snr_db: power of the float output over the power of the difference, in decibels.
        cosine: of the two, -1..1.
        constant: the int8 output never changes.
    """

    output: str
    snr_db: float
    cosine: float
    constant: bool


def convert_run(run: Path, out: Path) -> list[Agreement]:
    """Quantize the run's network, compare, and write the packaged model to `out`.

    ``metrics.json`` in the run folder, where there is one, goes into the contract.

    Raises:
        VedetteError: a file of the run is missing or damaged; the int8 network does not follow the float one.
        MissingDependencyError: TensorFlow is not installed.
        SinkError: `out` cannot be written.
    """
    contract = _read_contract(run)
    for name in ("model.keras", "calibration.npz", "golden.png"):
        if not (run / name).is_file():
            raise VedetteError(
                f"{run / name} is missing; export the run again: vedette train faces --out {run}"
            )
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.tflite"
        quantize(run / "model.keras", run / "calibration.npz", plain)
        network = plain.read_bytes()
    agreements = _compare(run, network)
    package(add_metadata(network, contract), contract, (run / "golden.png").read_bytes(), out)
    return agreements


def _read_contract(run: Path) -> dict[str, Any]:
    try:
        contract: dict[str, Any] = json.loads((run / "contract.json").read_text(encoding="utf-8"))
        metrics = run / "metrics.json"
        if metrics.exists():
            contract["metrics"] = json.loads(metrics.read_text(encoding="utf-8"))
    except OSError as error:
        raise VedetteError(f"{run} is no exported run ({error.strerror}: {error.filename}).") from error
    except ValueError as error:
        raise VedetteError(f"{run}: contract.json or metrics.json is not valid JSON: {error}.") from error
    return contract


def _compare(run: Path, network: bytes) -> list[Agreement]:
    """Return the agreement of each output; refuse a network that has lost its way."""
    images = np.load(run / "calibration.npz")["images"][2 : 2 + COMPARED]
    wanted = float_answers(run / "model.keras", images)
    with LiteRTEngine(network, label="the int8 network") as engine:
        found: dict[str, list[NDArray[np.float64]]] = {spec.name: [] for spec in engine.outputs}
        for image in images:
            for tensor in engine.run(partial(_fill, image)):
                found[tensor.name].append(_real(tensor))
    agreements = [
        _agreement(name, wanted[name], np.concatenate(parts)) for name, parts in sorted(found.items())
    ]
    bad = [a for a in agreements if a.constant or a.snr_db < MIN_SNR_DB]
    if bad:
        told = ", ".join(f"{a.output} ({'constant' if a.constant else f'{a.snr_db:.1f} dB'})" for a in bad)
        raise ModelError(
            f"the int8 network does not follow the float one in {told}; at least {MIN_SNR_DB:.0f} dB is needed. "
            "Calibrate on more and more varied pictures."
        )
    return agreements


def _fill(image: NDArray[np.uint8], buffers: Sequence[NDArray[np.generic]]) -> None:
    np.copyto(buffers[0][0], image)


def _real(tensor: Tensor) -> NDArray[np.float64]:
    return (tensor.data.astype(np.float64) - tensor.zero_point) * (tensor.scale or 1.0)


def _agreement(name: str, wanted: NDArray[np.float32], found: NDArray[np.float64]) -> Agreement:
    noise = float(np.mean((found - wanted) ** 2))
    signal = float(np.mean(np.square(wanted, dtype=np.float64)))
    lengths = float(np.linalg.norm(wanted) * np.linalg.norm(found))
    cosine = float(np.vdot(wanted, found)) / lengths if lengths else 0.0
    return Agreement(
        name, 10 * float(np.log10(signal / noise)) if noise else 99.0, cosine, bool(np.ptp(found) == 0)
    )
