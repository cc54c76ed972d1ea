"""Stand-ins for cameras, models and outputs, for tests of programs that use Vedette.

>>> from vedette.testing import FakeSource
>>> with FakeSource(n=2, size_wh=(8, 6)) as source:
...     sizes = [frame.size_wh for frame in iter(source.read, None)]
>>> sizes
[(8, 6), (8, 6)]
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vedette.errors import EngineError, SinkError, SourceLost
from vedette.types import Closing, Frame, Image, Results, Tensor, TensorSpec

__all__ = ["FakeEngine", "FakeSource", "ListSink", "fake_image", "spec"]


def fake_image(index: int = 0, size_wh: tuple[int, int] = (64, 48)) -> Image:
    """Return a plain grey picture, (H, W, 3) uint8; the grey level is `index` modulo 256."""
    return np.full((size_wh[1], size_wh[0], 3), index % 256, np.uint8)


class FakeSource(Closing):
    """A source of given pictures, or of `n` grey ones, which can fail or fall silent on demand.

    Args:
        images: (H, W, 3) uint8 RGB each; `n` plain ones when not given.
        n: how many pictures to make; then the source ends.
        size_wh: their width and height.
        fps: frames per second of the time stamps.
        live: whether it behaves as a camera: time stamps from the monotonic clock.
        interval_s: seconds to wait before each frame.
        fail_after: frames after which `error` is raised.
        stall_after: frames after which `read` blocks until `release` or, where `stubborn` is False, `close`.
        error: what is raised; a `SourceLost` when not given.
        stubborn: `close` does not end a stalled `read`, as with a hung driver.

    Attributes:
        closed: how often `close` was called.
    """

    def __init__(
        self,
        images: Sequence[Image] | None = None,
        *,
        n: int = 10,
        size_wh: tuple[int, int] = (64, 48),
        fps: float = 30.0,
        live: bool = False,
        interval_s: float = 0.0,
        fail_after: int | None = None,
        stall_after: int | None = None,
        error: BaseException | None = None,
        stubborn: bool = False,
        name: str = "fake",
        timeout_s: float = 5.0,
    ) -> None:
        self.name = name
        self.live = live
        self.timeout_s = timeout_s
        self.closed = 0
        self._images = [fake_image(i, size_wh) for i in range(n)] if images is None else list(images)
        self._step_ns = round(1e9 / fps)
        self._interval_s = interval_s
        self._fail_after = fail_after
        self._stall_after = stall_after
        self._error = error
        self._stubborn = stubborn
        self._released = threading.Event()
        self._next = 0

    def read(self) -> Frame | None:
        """Return the next picture, None at the end. Raises what `fail_after` asks for."""
        if self._next == self._stall_after:
            self._released.wait()
        if self._next == self._fail_after:
            raise self._error or SourceLost(f"{self.name}: no frame after {self._next}, as the test asked")
        if self._next >= len(self._images):
            return None
        if self._interval_s:
            time.sleep(self._interval_s)
        index, self._next = self._next, self._next + 1
        now_ns = time.monotonic_ns()
        time_ns = now_ns if self.live else index * self._step_ns
        return Frame(self._images[index], index, time_ns, now_ns, self.name)

    def release(self) -> None:
        """Let a stalled `read` go on."""
        self._released.set()

    def close(self) -> None:
        """Count the call, and end a stalled `read` unless `stubborn`."""
        self.closed += 1
        if not self._stubborn:
            self._released.set()


def spec(
    name: str, shape: tuple[int, ...], dtype: str = "float32", *, scale: float = 0.0, zero_point: int = 0
) -> TensorSpec:
    """Return a tensor's description; `shape` has 0 where a dimension is dynamic, scale 0 is not quantized."""
    return TensorSpec(name, shape, np.dtype(dtype), scale, zero_point)


class FakeEngine(Closing):
    """An engine that answers with given arrays, or with what a function makes of the filled inputs.

    Args:
        inputs, outputs: what the model takes and gives, see `spec`.
        answer: one array for each output, or a function from the input buffers to them. Zeros when not given.
        error: an `EngineError` with this text is raised by each run.

    Attributes:
        fed: a copy of the input buffers of each run.
        closed: how often `close` was called.
    """

    name = "fake"

    def __init__(
        self,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        answer: Sequence[NDArray[np.generic]]
        | Callable[[Sequence[NDArray[np.generic]]], Sequence[NDArray[np.generic]]]
        | None = None,
        *,
        error: str | None = None,
    ) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.fed: list[tuple[NDArray[np.generic], ...]] = []
        self.closed = 0
        self._answer = answer if answer is not None else [_zeros(s) for s in outputs]
        self._error = error
        self._lock = threading.Lock()

    def run(
        self,
        fill: Callable[[Sequence[NDArray[np.generic]]], None],
        *,
        size_wh: tuple[int, int] | None = None,
    ) -> tuple[Tensor, ...]:
        """Let `fill` write the inputs, `size_wh` large where they are dynamic, and return the answer.

        Raises:
            EngineError: the test asked for it, or the answer is not what `outputs` says.
        """
        with self._lock:
            if self._error is not None:
                raise EngineError(self._error)
            buffers = [_zeros(s, size_wh) for s in self.inputs]
            fill(buffers)
            self.fed.append(tuple(b.copy() for b in buffers))
            data = self._answer(buffers) if callable(self._answer) else self._answer
        return tuple(_tensor(s, a) for s, a in zip(self.outputs, data, strict=True))

    def close(self) -> None:
        """Count the call."""
        self.closed += 1


class ListSink(Closing):
    """A sink that keeps what it is given.

    Args:
        fail_after: results after which `write` raises a `SinkError`.

    Attributes:
        results: what was written, in order.
        closed: how often `close` was called.
    """

    def __init__(self, name: str = "list", *, fail_after: int | None = None) -> None:
        self.name = name
        self.results: list[Results] = []
        self.closed = 0
        self._fail_after = fail_after

    def write(self, results: Results) -> None:
        """Keep `results`.

        Raises:
            SinkError: the test asked for it.
        """
        if len(self.results) == self._fail_after:
            raise SinkError(f"{self.name}: failed after {self._fail_after} results, as the test asked")
        self.results.append(results)

    def close(self) -> None:
        """Count the call."""
        self.closed += 1


def _zeros(tensor: TensorSpec, size_wh: tuple[int, int] | None = None) -> NDArray[np.generic]:
    asked = dict(zip((2, 1), size_wh or (1, 1), strict=True))
    return np.zeros([size or asked.get(i, 1) for i, size in enumerate(tensor.shape)], tensor.dtype)


def _tensor(tensor: TensorSpec, data: NDArray[np.generic]) -> Tensor:
    fits = len(data.shape) == len(tensor.shape) and all(
        want in (0, have) for want, have in zip(tensor.shape, data.shape, strict=True)
    )
    if not fits or data.dtype != tensor.dtype:
        have, want = f"{data.dtype} {data.shape}", f"{tensor.dtype} {tensor.shape}"
        raise EngineError(f"the fake answer for '{tensor.name}' is {have}, declared is {want}")
    return Tensor(tensor.name, data.copy(), tensor.scale, tensor.zero_point)
