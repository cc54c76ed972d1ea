"""Speed of the gallery: opening and changing it, and searching it against FAISS's flat index in the same run.

    python bench/gallery.py [--templates 1000 10000 100000] [--size 128] [--folder DIR] [--json]

Random unit vectors, one template a person. Times are the least of several rounds: what the machine can do when nothing
else runs; of opening, the processor's time of one round is told too. FAISS (`pip install faiss-cpu`)
is used where it is installed; its answers must be ours. It gets the same queries and as many threads as numpy (all
processors, or OMP_NUM_THREADS), and is asked for two neighbours, since we name the runner-up.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vedette.gallery.gallery import Gallery
from vedette.gallery.index import Snapshot
from vedette.gallery.rows import Rows
from vedette.gallery.seal import Key
from vedette.gallery.store import Store
from vedette.gallery.values import EmbeddingModel, Sample, new_id

BATCHES = (1, 8, 64)


def unit(rng: np.random.Generator, n: int, size: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return (n, size) float32 of unit length."""
    vectors = rng.standard_normal((n, size), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def least_ms(call: Callable[[], object], rounds: int) -> float:
    """Return the least time of a call, milliseconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def once_ms(call: Callable[[], object]) -> float:
    """Return the time of one call, milliseconds."""
    return least_ms(call, 1)


def fill(path: Path, key: Key, model: EmbeddingModel, vectors: np.ndarray[Any, Any]) -> None:
    """Write one person for each vector, in one transaction."""
    with Store(path) as store, store.writing():
        rows = Rows(store.db, key, str(path))
        rows.begin(model)
        rows.unlock()
        for i, vector in enumerate(vectors):
            person_id = new_id()
            rows.add_person(person_id, f"person {i}")
            rows.add_template(new_id(), person_id, Sample(vector, 1.0), time_ns=0)
        rows.changed()


def faiss_index(vectors: np.ndarray[Any, Any]) -> Any:
    """Return FAISS's flat index of the vectors; None where FAISS is not installed."""
    try:
        import faiss
    except ImportError:
        return None
    faiss.omp_set_num_threads(int(os.environ.get("OMP_NUM_THREADS", len(os.sched_getaffinity(0)))))
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


def measure(folder: Path, templates: int, size: int) -> dict[str, float]:
    """Return the figures for one size of gallery; milliseconds and ratios."""
    rng = np.random.default_rng(templates)
    vectors, key = unit(rng, templates, size), Key(rng.bytes(32))
    model, path = EmbeddingModel("0" * 64, size, 0.5), folder / f"{templates}.db"
    fill(path, key, model, vectors)
    rounds = 400 if templates <= 1000 else 30

    def start() -> None:
        with Gallery(path, key=key, model=model):
            pass

    figures = {"open_ms": least_ms(start, 3)}
    before = time.process_time()
    start()
    figures["open_cpu_ms"] = (time.process_time() - before) * 1000
    snapshot = Snapshot(np.arange(templates), np.arange(templates), vectors)
    index = faiss_index(vectors)
    with Gallery(path, key=key, model=model) as gallery:
        for batch in BATCHES:
            queries = unit(rng, batch, size)
            ours = least_ms(lambda q=queries: snapshot.best_two(q), rounds)
            figures[f"search_{batch}_ms"] = ours
            figures[f"identify_{batch}_ms"] = least_ms(lambda q=queries: gallery.identify(q), rounds)
            if index is not None:
                theirs = least_ms(lambda q=queries: index.search(q, 2), rounds)
                figures |= {f"faiss_{batch}_ms": theirs, f"ratio_{batch}": ours / theirs}
                person, first, second = snapshot.best_two(queries)
                scores, places = index.search(queries, 2)
                assert (person == places[:, 0]).all()
                np.testing.assert_allclose(np.stack([first, second], 1), scores, atol=1e-5)
        one = unit(rng, 1, size)[0]
        figures["enrol_ms"] = once_ms(lambda: gallery.enrol("somebody", [Sample(one, 1.0)]))
        figures["erase_ms"] = once_ms(lambda: gallery.erase("somebody"))
        figures["rekey_ms"] = once_ms(lambda: gallery.rekey(Key(rng.bytes(32))))
    return {name: round(value, 4) for name, value in figures.items()}


def show(templates: int, size: int, figures: dict[str, float]) -> None:
    """Print the figures of one size of gallery."""
    opened = f"opened in {figures['open_ms']:.0f} ms ({figures['open_cpu_ms']:.0f} ms of processor time)"
    print(f"{templates} templates of {size}: {opened}")
    for batch in BATCHES:
        line = f"  {batch:2d} at once: search {figures[f'search_{batch}_ms']:.3f} ms"
        line += f", identify {figures[f'identify_{batch}_ms']:.3f} ms"
        if f"ratio_{batch}" in figures:
            line += f", FAISS flat {figures[f'faiss_{batch}_ms']:.3f} ms (x {figures[f'ratio_{batch}']:.2f})"
        print(line)
    changes = (f"{verb} {figures[f'{verb}_ms']:.0f} ms" for verb in ("enrol", "erase", "rekey"))
    print(f"  once: {', '.join(changes)}", flush=True)


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--templates", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument(
        "--folder", type=Path, help="where the galleries are made; a temporary folder if not given"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for n in options.templates:
            results[n] = measure(Path(folder), n, options.size)
            if not options.json:
                show(n, options.size, results[n])
    if options.json:
        print(json.dumps(results))
    if not any(name.startswith("faiss") for figures in results.values() for name in figures):
        print(
            "FAISS is not installed, so nothing was compared with it: pip install faiss-cpu", file=sys.stderr
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
