"""A web server in a thread of its own: bound before it starts, stopped within a time limit."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from vedette.errors import SinkError

__all__ = ["ServerThread", "bind"]

_START_S = 10.0
_STOP_S = 3.0
_GRACE_S = 0.3
_SEND_BUFFER = 256 * 1024
_SILENT_MS = 20_000
_ASK_S = 10.0
_BACKLOG = 64

_WHY = {
    errno.EADDRINUSE: "the port is taken; choose another one, web://{host}:0 picks a free one, "
    "`lsof -i :{port}` shows who has it",
    errno.EACCES: "ports below 1024 need rights that this user lacks; choose one above, such as 8080",
    errno.EADDRNOTAVAIL: "this machine has no such address; `ip addr` shows those it has",
}


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host` and `port` (0: a free one).

    Raises:
        SinkError: it cannot; says why and what to do.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise SinkError(
            f"the dashboard cannot be bound to {host}:{port}: no such name or address."
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        _tune(listener)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        why = _WHY.get(error.errno or 0, error.strerror or str(error)).format(host=host, port=port)
        raise SinkError(f"the dashboard cannot be bound to {host}:{port}: {why}.") from error
    return listener


def _tune(listener: socket.socket) -> None:
    """Keep little in store for a slow viewer, and let go of a silent one; connections inherit this."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_USER_TIMEOUT", _SILENT_MS), ("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5)):
        if hasattr(socket, name):  # not everywhere
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class _Protocol(H11Protocol):
    """HTTP for whoever asks: hangs up on who has not sent a whole request in time, or is one too many.

    An accepted connection takes a descriptor from the whole process, and needs no token; so their number is kept below
    the server's `limit_concurrency`. Who has waited longest without asking makes room for who comes.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            waiting = [
                (c._deadline.when(), c) for c in self.connections if isinstance(c, _Protocol) and c._deadline
            ]
            min(waiting, key=lambda pair: pair[0])[1]._hang_up()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._forget()

    def _watch(self) -> None:
        """Set a limit to the request that is awaited or under way; one that is whole has all the time it takes."""
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(_ASK_S, self._hang_up)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self._forget()
        self.connections.discard(self)  # at once: the loop tells of the loss only when it comes round again
        self.transport.abort()


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Give the answers under way a moment, then hang up on whoever is left."""
        end = asyncio.get_running_loop().time() + _GRACE_S
        while self.server_state.tasks and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.02)
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        await super().shutdown(sockets)


class ServerThread:
    """Serves the application that `make` returns, in a thread with a loop of its own.

    Args:
        listener: a listening socket; closed by this object from now on.
        make: called with the loop, in the thread.
        max_connections: how many are kept at the same time, 2 or more.

    Attributes:
        error: what ended the thread, if anything did.
    """

    def __init__(
        self,
        listener: socket.socket,
        make: Callable[[asyncio.AbstractEventLoop], ASGIApp],
        *,
        max_connections: int,
    ) -> None:
        self.error: BaseException | None = None
        self._listener, self._make, self._max_connections = listener, make, max_connections
        self._server: _Server | None = None
        self._up = Event()
        self._thread = Thread(target=self._run, name="dashboard", daemon=True)
        self._thread.start()
        if not self._up.wait(_START_S) or self.error is not None:
            self.stop()
            raise SinkError(
                f"the dashboard's server did not start: {self.error or 'it took too long'}."
            ) from self.error

    @property
    def alive(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive()

    def stop(self) -> bool:
        """End the thread; return whether it did within three seconds."""
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(_STOP_S)
        with suppress(OSError):
            self._listener.close()
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self.error = error
        finally:
            self._up.set()

    async def _serve(self) -> None:
        config = uvicorn.Config(
            self._make(asyncio.get_running_loop()),
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,  # as many are accepted in one go, before the first of them can be refused
            limit_concurrency=self._max_connections + 1,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        asyncio.get_running_loop().call_soon(self._up.set)
        await self._server.serve(sockets=[self._listener])
