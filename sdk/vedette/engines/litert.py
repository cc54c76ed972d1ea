"""TFLite on the CPU, by LiteRT or by the older tflite-runtime: the same interpreter behind one seam."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vedette.errors import EngineError, MissingDependencyError, ModelError
from vedette.types import Closing, Tensor, TensorSpec

__all__ = ["RUNTIMES", "LiteRTEngine", "free_cores", "usable_cores"]

RUNTIMES = {
    "litert": ("ai_edge_litert", "ai-edge-litert"),
    "tflite-runtime": ("tflite_runtime", "tflite-runtime"),
}
"""Runtime name -> package imported, distribution installed; in the order of preference."""

MAX_DEFAULT_THREADS = 4
_log = logging.getLogger("vedette")


def usable_cores() -> int:
    """Return how many cores this process may use: its affinity, and its cgroup's quota where there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass  # no cgroup v2, or quota "max"
    return cores


def free_cores() -> int:
    """Return usable cores less those that others keep busy (one-minute load), 1 to 4.

    More threads than free cores make inference slower, not faster.
    """
    free = usable_cores() - round(os.getloadavg()[0])
    return max(1, min(MAX_DEFAULT_THREADS, free))


class LiteRTEngine(Closing):
    """A TFLite model ready to run on the CPU. Safe to call from several threads; calls queue up.

    Args:
        model: the whole `.tflite` file.
        label: what to call the model in messages.
        threads: 1..usable cores, more is cut down to that; the free cores when not given.
        runtime: a key of `RUNTIMES`; the first that is installed when not given.

    Raises:
        MissingDependencyError: no TFLite runtime is installed, or it does not fit the installed numpy.
        ModelError: the runtime refuses the model.
    """

    def __init__(
        self, model: bytes, *, label: str = "model", threads: int | None = None, runtime: str | None = None
    ) -> None:
        if threads is not None and threads < 1:
            raise EngineError(f"threads is {threads}; give 1 or more.")
        self.threads = min(free_cores() if threads is None else threads, usable_cores())
        self._label = label
        self._lock = threading.Lock()
        module, package = _runtime(runtime)
        self.name = f"{package} {importlib.metadata.version(package)} cpu x{self.threads}"
        self._interpreter: Any = _make(module, model, label, self.threads)
        self._read_specs()
        self.run(_fill_with_zeros)  # warm up: the first run plans and allocates

    def _read_specs(self) -> None:
        names = _signature_names(self._interpreter)
        details = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._input_ids = [d["index"] for d in details[0]]
        self._output_ids = [d["index"] for d in details[1]]
        self.inputs = tuple(_spec(d, names) for d in details[0])
        self.outputs = tuple(_spec(d, names) for d in details[1])

    def run(
        self,
        fill: Callable[[Sequence[NDArray[np.generic]]], object],
        *,
        size_wh: tuple[int, int] | None = None,
    ) -> tuple[Tensor, ...]:
        """Let `fill` write into the input buffers, invoke, and return copies of the outputs.

        `fill` must not keep the buffers: they belong to the interpreter.

        Args:
            fill: what writes the inputs.
            size_wh: what width and height the only input is to have, of a model that takes any. A change plans its
                memory anew.

        Raises:
            EngineError: the model failed while running, does not take that size, or the engine is closed.
        """
        with self._lock:
            if self._interpreter is None:
                raise EngineError(f"{self._label}: the engine is closed.")
            if size_wh is not None:
                self._resize(size_wh)
            fill([self._interpreter.tensor(i)() for i in self._input_ids])
            try:
                self._interpreter.invoke()
            except RuntimeError as error:
                why = (
                    "the fill function kept a buffer" if "reference to internal data" in str(error) else error
                )
                raise EngineError(f"{self._label}: running the model failed in {self.name}: {why}") from error
            return tuple(
                Tensor(spec.name, self._interpreter.get_tensor(i), spec.scale, spec.zero_point)
                for i, spec in zip(self._output_ids, self.outputs, strict=True)
            )

    def _resize(self, size_wh: tuple[int, int]) -> None:
        (index,) = self._input_ids
        shape = list(self._interpreter.tensor(index)().shape)
        wanted = [shape[0], size_wh[1], size_wh[0], *shape[3:]]
        if shape == wanted:
            return
        try:
            self._interpreter.resize_tensor_input(index, wanted)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise EngineError(
                f"{self._label}: the model does not take a picture of {size_wh[0]}x{size_wh[1]}: {_first_line(error)}"
            ) from error

    def invoke(self) -> None:
        """Run the model on whatever its input holds and fetch nothing: the floor that benchmarks compare with."""
        with self._lock:
            self._interpreter.invoke()

    def close(self) -> None:
        """Free the model's memory. Waits for a run in progress; running again raises EngineError."""
        with self._lock:
            self._interpreter = None


def _fill_with_zeros(buffers: Sequence[NDArray[np.generic]]) -> None:
    for buffer in buffers:
        np.copyto(buffer, 0)


def _runtime(name: str | None) -> tuple[Any, str]:
    for key in [name] if name else list(RUNTIMES):
        if key not in RUNTIMES:
            raise MissingDependencyError(
                f"no TFLite runtime is called '{key}'. Known: {', '.join(RUNTIMES)}."
            )
        module, package = RUNTIMES[key]
        try:
            return importlib.import_module(f"{module}.interpreter"), package
        except ModuleNotFoundError:
            _log.debug("runtime %s is not installed", key)
        except (ImportError, AttributeError, SystemError) as error:
            raise MissingDependencyError(
                f"{package} is installed but does not load with numpy {np.__version__}: {error}. "
                "tflite-runtime needs numpy below 2: pip install 'vedette[legacy]'."
            ) from error
    raise MissingDependencyError(
        "no TFLite runtime is installed. Install one: pip install ai-edge-litert "
        "(32-bit or old boards: pip install 'vedette[legacy]')."
    )


def _make(module: Any, model: bytes, label: str, threads: int) -> Any:
    try:
        interpreter = module.Interpreter(model_content=model, num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{label}: the runtime refuses the model: {_first_line(error)}") from error
    except SystemError as error:
        raise MissingDependencyError(
            f"the TFLite runtime does not fit numpy {np.__version__}: {_first_line(error)}. "
            "tflite-runtime needs numpy below 2: pip install 'vedette[legacy]'."
        ) from error
    return interpreter


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _signature_names(interpreter: Any) -> dict[int, str]:
    """Return tensor index -> name in the model's only signature; empty where it has none or several."""
    signatures = interpreter._get_full_signature_list()
    if len(signatures) != 1:
        return {}
    (signature,) = signatures.values()
    return {index: name for side in ("inputs", "outputs") for name, index in signature[side].items()}


def _spec(detail: dict[str, Any], names: dict[int, str]) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    shape = tuple(int(n) if n > 0 else 0 for n in detail.get("shape_signature", detail["shape"]))
    name = names.get(detail["index"], detail["name"])
    return TensorSpec(name, shape, np.dtype(detail["dtype"]), float(scale), int(zero_point))
