"""Three comparisons, apart, so that a gap has an address: preprocessing, tensors, the task's own figures.

The run says how it is judged, as training and conversion meet in files only: ``contract["evaluation"]`` is
``{"command": ["-m", "package.module", "{model}", ...], "limits": {"figure": 0.01}}``. The command is run by this
Python, once with the float model and once with the smaller one in the place of ``{model}``, through the SDK; its last
line is a JSON object of figures, larger is better.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vedette.errors import VedetteError
from vedette.ops.images import letterbox
from vedette_convert.inputs import Material, real_values
from vedette_convert.package import package

__all__ = ["LIMITS", "Judgement", "Metric", "compare_preprocessing", "evaluate", "judge", "told"]

LIMITS = (("psnr", 0.1), (r"ap(?![a-z])|top|acc|iou|f1", 0.01))
"""Figures by name (searched, without case) -> how much may be lost: 0.1 dB, one point. Others are told, not judged."""

MAX_LEVELS = 1.0
TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of both forms. `limit` is None where it is not judged."""

    name: str
    wanted: float
    found: float
    limit: float | None

    @property
    def holds(self) -> bool:
        """Whether no more is lost than allowed; half a rounding step of four digits is let through."""
        return self.limit is None or self.wanted - self.found <= self.limit + 5e-5


@dataclass(frozen=True, slots=True)
class Judgement:
    """The task's figures, and which of them fall too far."""

    metrics: tuple[Metric, ...] = ()

    @property
    def failing(self) -> tuple[Metric, ...]:
        """The figures that lose more than their limit."""
        return tuple(m for m in self.metrics if not m.holds)


def compare_preprocessing(material: Material) -> list[float]:
    """Return for each stored reference how far the device's fitting is from training's: mean grey levels, 0 is best.

    Raises:
        VedetteError: it is more than `MAX_LEVELS`: no quantization would mend that.
    """
    given, found = material.input, []
    for picture, wanted in material.references:
        real = real_values(letterbox(picture, given.size_wh, pad_value=given.pad_value)[0], given)
        if real.shape != wanted.shape:
            raise VedetteError(f"training fed {wanted.shape}, the contract's input is {real.shape}.")
        found.append(float((np.abs(real - wanted) * np.array(given.std, np.float32)).mean()))
    worst = max(found, default=0.0)
    if not worst <= MAX_LEVELS:
        raise VedetteError(
            f"training and device fit pictures differently: {worst:.1f} grey levels apart on average (allowed "
            f"{MAX_LEVELS:g}). Use vedette.ops.images.letterbox in training, or mend the contract's mean, std "
            "and pad_value."
        )
    return found


def evaluate(material: Material, network: bytes) -> dict[str, float]:
    """Return the figures of `network` by the run's own evaluation; nothing where the run names none.

    Raises:
        VedetteError: the evaluation fails, takes too long, or does not end with a JSON object of numbers.
    """
    command = material.contract.get("evaluation", {}).get("command")
    if not command:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.tflite"
        package(network, material.contract, material.golden, model)
        words = [str(word).replace("{model}", str(model)) for word in command]
        try:
            done = subprocess.run(
                [sys.executable, *words], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise VedetteError(
                f"the evaluation `{' '.join(words)}` took longer than {TIMEOUT_S} s."
            ) from error
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    if done.returncode != 0:
        raise VedetteError(f"the evaluation `{' '.join(words)}` failed: {last}")
    try:
        figures = json.loads((done.stdout.strip().splitlines() or [""])[-1])
        return {str(name): float(value) for name, value in figures.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise VedetteError(
            f"the evaluation `{' '.join(words)}` must end with a JSON object of numbers: {error}."
        ) from error


def judge(
    wanted: Mapping[str, float], found: Mapping[str, float], limits: Mapping[str, float] | None
) -> Judgement:
    """Return both forms' figures side by side; `limits` by name, else `LIMITS`.

    Raises:
        VedetteError: a figure with a limit is missing.
    """
    missing = sorted(({*wanted} | {*(limits or {})}) - {*found})
    if missing:
        raise VedetteError(f"the evaluation tells nothing of {', '.join(missing)}.")
    return Judgement(tuple(Metric(n, wanted[n], found[n], _limit(n, limits)) for n in sorted(wanted)))


def _limit(name: str, limits: Mapping[str, float] | None) -> float | None:
    if limits is not None:
        return limits.get(name)
    return next((most for words, most in LIMITS if re.search(words, name, re.IGNORECASE)), None)


def told(metrics: Sequence[Metric]) -> str:
    """Return what figures lose, for a message."""
    return ", ".join(f"{m.name} {m.wanted:.4g} -> {m.found:.4g} (allowed -{m.limit:g})" for m in metrics)
