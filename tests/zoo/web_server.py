"""A web server on this machine that keeps to a script: one act a request, the last one for all that follow."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["Act", "Server", "drop", "give", "hang", "serve", "status", "trickle"]

Act = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.headers.get("Range"))
        acts = self.server.acts
        act = acts.pop(0) if len(acts) > 1 else acts[0]
        with suppress(ConnectionError):
            act(self)
        self.close_connection = True

    def first_byte(self) -> int:
        """Return where the asked range begins."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(found[1]) if found else 0

    def head(self, code: int, **headers: object) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


class Server(ThreadingHTTPServer):
    """Attributes: acts, what is still to be done; asked, the Range header of each request; free, ends a `hang`."""

    daemon_threads = True

    def __init__(self, acts: list[Act]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.acts, self.asked, self.free = acts, list[str | None](), threading.Event()
        self.root = f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serve(*acts: Act) -> Iterator[Server]:
    """Serve from a free port until the end of the block."""
    with Server(list(acts)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.free.set()
            server.shutdown()
            thread.join(5)


def give(data: bytes, *, ranges: bool = True, length: bool = True, begin: int | None = None) -> Act:
    """Give `data`, from the byte asked for if `ranges`; say that it is from `begin` where that is given."""

    def act(handler: Handler) -> None:
        start = handler.first_byte() if ranges else 0
        headers: dict[str, object] = {"Content_Length": len(data) - start} if length else {}
        if start:
            told = start if begin is None else begin
            headers["Content_Range"] = f"bytes {told}-{len(data) - 1}/{len(data)}"
        handler.head(206 if start else 200, **headers)
        handler.wfile.write(data[start:])

    return act


def drop(data: bytes, after: int, *, says: int | None = None) -> Act:
    """Give `after` bytes and hang up; say that it will be all, or `says` bytes."""

    def act(handler: Handler) -> None:
        start = handler.first_byte()
        size = len(data) - start if says is None else says
        more = {"Content_Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        handler.head(206 if start else 200, Content_Length=size, **more)
        handler.wfile.write(data[start : start + after])

    return act


def hang(data: bytes = b"", *, after: int = 0) -> Act:
    """Give `after` bytes of `data`, or not even a headline, and say nothing any more."""

    def act(handler: Handler) -> None:
        if data:
            handler.head(200, Content_Length=len(data))
            handler.wfile.write(data[:after])
        handler.server.free.wait(20)

    return act


def trickle(data: bytes, *, every_s: float) -> Act:
    """Give a byte now and then."""

    def act(handler: Handler) -> None:
        handler.head(200, Content_Length=len(data))
        for k in range(len(data)):
            handler.wfile.write(data[k : k + 1])
            if handler.server.free.wait(every_s):
                return

    return act


def status(code: int, **headers: object) -> Act:
    """Answer `code` and nothing else."""
    return lambda handler: handler.head(code, Content_Length=0, **headers)
