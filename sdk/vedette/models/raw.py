"""A network whose answer nobody decodes here: its raw outputs, so that its golden sample can be replayed too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vedette.errors import ModelError, VedetteError
from vedette.models.network import Network
from vedette.sources.images import decode_image
from vedette.types import Image, Tensor

__all__ = ["RawNetwork"]

STORED_VALUES = 64
TOLERANCE = 0.05  # of an output's spread: a dozen int8 codes; runtimes differ by one or two


class RawNetwork(Network):
    """One model on one engine, without a head; see `vedette.models.network.Network`."""

    def answer(self, image: Image) -> dict[str, dict[str, Any]]:
        """Return for each output its ``spread`` (largest less smallest real value) and `STORED_VALUES` of its values.

        Args:
            image: (H, W, 3) uint8 RGB of any size.
        """
        return {tensor.name: _summary(tensor) for tensor in self.infer(image)[0]}

    def replay_golden(self) -> str:
        """Run the model on its own stored picture and compare with its stored answer; return what was compared.

        Raises:
            VedetteError: the answer differs by more than `TOLERANCE`; a damaged file or runtime.
        """
        golden = self.model.contract.golden
        if golden is None:
            raise ModelError(f"{self.model.path} carries no golden sample; convert it again.")
        found = self.answer(decode_image(golden.image, label=f"the golden picture in {self.model.path}"))
        off = {name: _distance(golden.outputs.get(name), values) for name, values in found.items()}
        worst = max(off, key=lambda name: off[name])
        if not off[worst] <= TOLERANCE:
            raise VedetteError(
                f"{self.info.name} on {self.engine.name} answers {off[worst]:.1%} of its spread away from its golden "
                f"sample in {worst} (allowed {TOLERANCE:.0%}). The runtime or the file is broken; reinstall both."
            )
        return f"{len(found)} output(s), off by {off[worst]:.2%} of their spread"


def _summary(tensor: Tensor) -> dict[str, Any]:
    real = (tensor.data.astype(np.float64).ravel() - tensor.zero_point) * (tensor.scale or 1.0)
    places = np.linspace(0, len(real) - 1, min(STORED_VALUES, len(real))).astype(int)
    return {"spread": float(f"{np.ptp(real):.6g}"), "values": [float(f"{v:.6g}") for v in real[places]]}


def _distance(stored: Mapping[str, Any] | None, found: Mapping[str, Any]) -> float:
    """Return the largest difference in parts of the stored spread; infinite where there is nothing to compare."""
    if stored is None or len(stored["values"]) != len(found["values"]):
        return float("inf")
    off = np.abs(np.subtract(stored["values"], found["values"])).max()
    return float(off / max(stored["spread"], 1e-9))
