"""Run a network with every tensor readable: what calibration and the comparison of layers look at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.contract import InputContract
from vedette.errors import ModelError
from vedette.ops.quant import fill_input
from vedette.types import Image, TensorSpec

__all__ = ["Probe"]


class Probe:
    """One network in an interpreter that keeps all its tensors, on the plain kernels.

    A delegate would not write the tensors inside what it has taken over.

    Raises:
        ModelError: the runtime refuses the network.
    """

    def __init__(self, network: bytes, contract: InputContract) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        try:
            self._interpreter: Any = Interpreter(
                model_content=network,
                num_threads=1,
                experimental_preserve_all_tensors=True,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"the runtime refuses the converted network: {str(error).splitlines()[0]}"
            ) from error
        (detail,) = self._interpreter.get_input_details()
        scale, zero_point = detail["quantization"]
        shape = tuple(map(int, detail["shape"]))
        self._index = detail["index"]
        self._spec = TensorSpec(detail["name"], shape, np.dtype(detail["dtype"]), scale, zero_point)
        self._contract = contract
        details = self._interpreter.get_tensor_details()
        self._scales = {d["index"]: (*d["quantization"], d["dtype"]) for d in details}
        self.index = {d["name"]: d["index"] for d in details}
        names = self._interpreter._get_full_signature_list().values()
        told = {name: i for signature in names for name, i in signature["outputs"].items()}
        self.outputs = told or {d["name"]: d["index"] for d in self._interpreter.get_output_details()}

    def run(self, image: Image) -> None:
        """Fit `image`, (H, W, 3) uint8 RGB, into the input as a device does, and invoke."""
        buffer = np.zeros(self._spec.shape, self._spec.dtype)
        fill_input(image, buffer, self._spec, self._contract)
        self._interpreter.set_tensor(self._index, buffer)
        self._interpreter.invoke()

    def real(self, index: int) -> NDArray[np.float32]:
        """Return a copy of a tensor's real values."""
        scale, zero_point, dtype = self._scales[index]
        raw = self._interpreter.get_tensor(index)
        if not scale or dtype == np.float32:
            return np.asarray(raw, np.float32)
        return np.asarray((raw.astype(np.float32) - zero_point) * np.float32(scale), np.float32)

    def answers(self) -> dict[str, NDArray[np.float32]]:
        """Return the outputs of the last run by name."""
        return {name: self.real(i) for name, i in self.outputs.items()}
