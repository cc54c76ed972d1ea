"""Throw damaged files at all that reads them: nothing but ModelError may come out, soon, and in little memory.

`make fuzz` runs it with 100,000 mutations; the tests run a few thousand. The files are those of ../shared/data/models
where they are, and generated ones always. Most mutations hit the places that the reader goes to.
"""

from __future__ import annotations

import random
import resource
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from drawn_graphs import O, T, chain, draw, image, runnable_classifier
from vedette.errors import ModelError
from vedette.recognise import recognise
from vedette.tflite.attached import read_attached, read_ultralytics
from vedette.tflite.compiled import read_compiled
from vedette.tflite.flat import Reader
from vedette.tflite.graph import read_graph
from vedette.tflite.metadata import read_metadata

MODELS = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "models"
MEMORY_BYTES = 3 << 30
NUMBERS = (0, 1, 2, 4, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC)
PATH = Path("mutant.tflite")


@dataclass
class Report:
    """What came of it: how many were read whole, recognised, refused; the slowest in CPU seconds."""

    cases: int = 0
    read: int = 0
    recognised: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    escaped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Seed:
    """A file, the places that the reader goes to, and how much each reading takes."""

    name: str
    data: bytes
    places: tuple[int, ...]
    cost_s: float


def generated() -> dict[str, bytes]:
    """Return files that need nothing from outside."""
    boxes, scores = T("boxes", (1, 1917, 4)), T("scores", (1, 1917, 91))
    made = [T(f"out{i}", ()) for i in range(4)]
    names = [t.name for t in made]
    post = O("TFLite_Detection_PostProcess", ["boxes", "scores"], names, {"num_classes": 90, "y_scale": 10.0})
    ssd = draw(
        [image((300, 300)), boxes, scores, *made],
        ["image"],
        names,
        [O("RESHAPE", ["image"], ["boxes"]), post],
    )
    notes = {"temp_meta.txt": b"{'task': 'detect', 'names': {0: 'a', 1: 'b'}, 'stride': 32}"}
    yolo = chain(
        image(), T("out", (1, 6, 84), "int8", 0.005, -128), "CONV_2D", "CONCATENATION", attached=notes
    )
    return {"classifier": runnable_classifier({"labels.txt": b"a\n" * 12}), "ssd": ssd, "yolo": yolo}


def examine(data: bytes, report: Report) -> None:
    """Read all there is to read of a file.

    Raises:
        ModelError: it is damaged or not recognised; anything else is a defect.
    """
    graph = read_graph(data)
    _ = graph.counts, graph.macs, graph.arena_bytes, graph.weight_bytes, graph.dynamic
    _ = [graph.name(i) for i in (*graph.inputs, *graph.outputs)]
    read_metadata(graph)
    read_compiled(graph)
    read_ultralytics(read_attached(data))
    report.read += 1
    recognise(data, path=PATH)
    report.recognised += 1


def make_seed(name: str, data: bytes) -> Seed:
    """Return a seed: the file is read once while the places are written down."""
    places: list[int] = []
    real = Reader.number

    def spy(self: Reader, form: str, place: int) -> int | float:
        if len(self.data) == len(data):
            places.append(place)
        return real(self, form, place)

    Reader.number = spy  # type: ignore[method-assign]
    start = time.process_time()
    try:
        examine(data, Report())
    except ModelError:
        pass  # a real file that is refused has places, too
    finally:
        Reader.number = real  # type: ignore[method-assign]
    return Seed(name, data, tuple(sorted(set(places))), time.process_time() - start)


def mutate(seed: Seed, rng: random.Random) -> bytes:
    """Return the seed's file with one to four kinds of damage."""
    data = bytearray(seed.data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        rng.choice(DAMAGE)(data, _place(seed, len(data), rng), rng)
        if len(data) < 8:
            break
    return bytes(data)


def _place(seed: Seed, size: int, rng: random.Random) -> int:
    kind = rng.random()
    place = (
        rng.choice(seed.places)
        if kind < 0.7
        else max(0, size - rng.randrange(2000))
        if kind < 0.85
        else rng.randrange(size)
    )
    return min(place, size - 1)


def _flip(data: bytearray, place: int, rng: random.Random) -> None:
    data[place] ^= 1 << rng.randrange(8)


def _byte(data: bytearray, place: int, rng: random.Random) -> None:
    data[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _number(data: bytearray, place: int, rng: random.Random) -> None:
    number = rng.choice((*NUMBERS, len(data), len(data) - place, rng.getrandbits(32)))
    data[place : place + 4] = struct.pack("<I", number & 0xFFFFFFFF)


def _cut(data: bytearray, place: int, _rng: random.Random) -> None:
    del data[max(place, 8) :]


def _remove(data: bytearray, place: int, rng: random.Random) -> None:
    del data[place : place + rng.choice((1, 2, 4, 64))]


def _repeat(data: bytearray, place: int, rng: random.Random) -> None:
    size = rng.choice((4, 16, 256))
    data[place : place + size] = bytes(data[-size:])


def _move(data: bytearray, place: int, rng: random.Random) -> None:
    """Put a number that stands elsewhere here: offsets that lead to real tables, but wrong ones."""
    other = rng.randrange(max(1, len(data) - 4))
    data[place : place + 4] = data[other : other + 4]


DAMAGE: tuple[Callable[[bytearray, int, random.Random], None], ...] = (
    _flip, _flip, _byte, _number, _number, _cut, _remove, _repeat, _move,
)  # fmt: skip


def seeds(models: Path = MODELS) -> list[Seed]:
    """Return generated files, and the real ones where they are."""
    files = generated()
    if models.is_dir():
        files |= {p.name: p.read_bytes() for p in sorted(models.glob("*.tflite"))}
    return [make_seed(name, data) for name, data in files.items()]


def fuzz(
    cases: int, *, seed: int, given: list[Seed], progress: Callable[[Report], None] = lambda _r: None
) -> Report:
    """Return what came of `cases` mutations; files that are read fast come more often."""
    rng, report = random.Random(seed), Report()
    weights = [1 / (0.002 + one.cost_s) for one in given]
    for case in range(cases):
        (one,) = rng.choices(given, weights)
        state = rng.getstate()
        data = mutate(one, rng)
        start = time.process_time()
        try:
            examine(data, report)
        except ModelError:
            report.refused += 1
        except BaseException as error:
            report.escaped.append(
                f"{one.name}, case {case}, {type(error).__name__}: {error}; state {hash(state)}"
            )
            if isinstance(error, KeyboardInterrupt):
                raise
        report.cases += 1
        report.slowest_s = max(report.slowest_s, time.process_time() - start)
        if case % 5000 == 4999:
            progress(report)
    return report


def main(words: list[str]) -> int:
    """Fuzz with `CASES [SEED]`; 1 where something escaped."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    cases, seed = int(words[0]), int(words[1]) if len(words) > 1 else 0
    given = seeds()
    print(f"{len(given)} files: {', '.join(one.name for one in given)}", flush=True)
    report = fuzz(cases, seed=seed, given=given, progress=lambda r: print(r, flush=True))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{report}\nat most {memory:.0f} MB of memory")
    return 1 if report.escaped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
