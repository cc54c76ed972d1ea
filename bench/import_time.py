"""Compare a cold `import vedette` with a cold `import numpy`: each in a fresh process, best of several.

Run by hand or by `make bench`: python bench/import_time.py [--json]. Exits with 1 where the ratio is over 2.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

LIMIT = 2.0
RUNS = 15
CODE = "import time; t = time.perf_counter_ns(); import {}; print(time.perf_counter_ns() - t)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    # Turn about, so that a busy second hits both alike.
    times = [(_import_ms("vedette"), _import_ms("numpy")) for _ in range(RUNS)]
    ours, numpys = (min(column) for column in zip(*times, strict=True))
    facts = {"vedette_ms": round(ours, 2), "numpy_ms": round(numpys, 2), "ratio": round(ours / numpys, 3)}
    print(json.dumps(facts) if options.json else ", ".join(f"{k} {v}" for k, v in facts.items()))
    return int(ours / numpys > LIMIT)


def _import_ms(module: str) -> float:
    command = [sys.executable, "-c", CODE.format(module)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return int(done.stdout) / 1e6


if __name__ == "__main__":
    raise SystemExit(main())
