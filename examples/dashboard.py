"""The live picture in a browser, and the results in a file: ``python dashboard.py 0 results.jsonl [FRAMES]``.

Port 0 takes a free one. Any other address than this machine's own demands a token: ``web://0.0.0.0:8080?token=auto``.
"""

import sys

import vedette

SOURCE = sys.argv[1] if len(sys.argv) > 1 else "demo://?size=640x360"
FILE = sys.argv[2] if len(sys.argv) > 2 else "results.jsonl"
FRAMES = int(sys.argv[3]) if len(sys.argv) > 3 else None  # None: until Ctrl-C


def tell(sink: object) -> None:
    if hasattr(sink, "url"):
        print(f"look at {sink.url}", flush=True)


if __name__ == "__main__":
    sinks = ["web://127.0.0.1:0", f"{FILE}?append=1"]
    for _ in vedette.run(SOURCE, ["faces"], sinks, frames=FRAMES, on_sink=tell):
        pass
