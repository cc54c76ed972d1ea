"""What a file that was compiled for an Edge TPU says of itself.

Field numbers are those of libedgetpu's `executable.fbs`: Package, MultiExecutable, Executable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vedette.tflite.flat import Reader, Table
from vedette.tflite.graph import Graph

__all__ = ["CUSTOM_OP", "Compiled", "read_compiled"]

CUSTOM_OP = "edgetpu-custom-op"
MARK = b"DWN1"
KINDS: Mapping[int, str] = {0: "stand-alone", 1: "parameter caching", 2: "execution only"}
MAX_EXECUTABLES = 64


@dataclass(frozen=True, slots=True)
class Compiled:
    """The parts of a network that run on an Edge TPU.

    Attributes:
        min_runtime: version of the Edge TPU runtime that it needs at least.
        cached_bytes: parameters that stay on the chip between pictures.
        streamed_bytes: parameters that travel to the chip with every picture.
        executables: kinds of the compiled parts.
    """

    min_runtime: int
    cached_bytes: int
    streamed_bytes: int
    executables: tuple[str, ...]


def read_compiled(graph: Graph) -> Compiled | None:
    """Return what is known of the compiled operators; None where there are none.

    Raises:
        ModelError: they are damaged.
    """
    ops = [op for op in graph.ops if op.kind == CUSTOM_OP]
    if not ops:
        return None
    runtime, cached, streamed = 0, 0, 0
    kinds: list[str] = []
    for op in ops:
        place = bytes(op.custom_options[:4096]).find(MARK)  # within a flexbuffer, near its beginning
        if place < 4:
            continue
        package = Reader(op.custom_options[place - 4 :], budget=100_000).root()
        runtime = max(runtime, package.number(0, "i"))
        for executable in _executables(package):
            kind = executable.number(13, "h")
            kinds.append(KINDS.get(kind, f"kind {kind}"))
            size = len(executable.raw(6))
            cached, streamed = (cached + size, streamed) if kind == 1 else (cached, streamed + size)
    return Compiled(runtime, cached, streamed, tuple(kinds))


def _executables(package: Table) -> list[Table]:
    multi = package.raw(1)
    if len(multi) < 8:
        return []
    blobs = Reader(multi, budget=100_000).root().blobs(0)
    return [
        Reader(blob, budget=100_000).root() for blob, _ in zip(blobs, range(MAX_EXECUTABLES), strict=False)
    ]
