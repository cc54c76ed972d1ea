"""The dashboard as a sink: shows the newest results to whoever watches, and slows nobody down.

Needs the extra ``web`` (Starlette and uvicorn). Nothing is sent anywhere but to the browsers that ask.
"""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from vedette.board import Board, read_board
from vedette.errors import MissingDependencyError, SettingsError, SinkError, unknown_name
from vedette.stages.enhance import Enhance
from vedette.stages.recognize import Recognize
from vedette.stages.zone_file import FileZones
from vedette.stats import Stats
from vedette.types import Closing, Results
from vedette.web.access import make_access
from vedette.web.enhance import Switches
from vedette.web.feed import Feed
from vedette.web.figures import figures
from vedette.web.people import People
from vedette.web.pictures import Pictures

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["Dashboard", "open_dashboard"]

MAX_PX = 1280
"""Longest side of the streamed picture; the snapshot has the full size."""

_BOARD_EVERY_S = 2.0
_VISITORS = 48  # connections beside those who watch: pages, figures, snapshots
_OPTIONS = ("hosts", "max_viewers", "quality", "token")


class Dashboard(Closing):
    """A web page with the live picture and its figures. `write` costs nothing while nobody watches.

    Attributes:
        name: ``"dashboard"``.
        address: host and port that it is bound to.
        newest_only: of live results the newest is shown; none waits.
        zones: what the page's editor shows and saves; set by a run that has a file of zones.
        enhance: the stages that the page switches; set by a run that enhances its pictures.
    """

    newest_only = True

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 8080,
        *,
        token: str | None = None,
        allowed_hosts: tuple[str, ...] = (),
        max_viewers: int = 16,
        quality: int = 80,
    ) -> None:
        """Bind the address and start to serve.

        Args:
            host: address to bind; any but this machine's own (127.0.0.1, ::1) demands a token.
            port: 0 picks a free one.
            token: at least 16 characters; ``"auto"`` makes one up, see `url`.
            allowed_hosts: further names that browsers may call this machine by.
            max_viewers: 1 or more who watch the picture at the same time.
            quality: of the streamed JPEG, 1..100.

        Raises:
            SettingsError: a value is not allowed, or a token is missing.
            SinkError: the address cannot be bound.
            MissingDependencyError: the extra is not installed.
        """
        for name, value, low, high in (
            ("port", port, 0, 65535), ("max_viewers", max_viewers, 1, 1000), ("quality", quality, 1, 100),
        ):  # fmt: skip
            if not low <= value <= high:
                raise SettingsError(f"{name} of the dashboard is {value}, allowed is {low} to {high}.")
        make_access(host, port, token=token, allowed_hosts=allowed_hosts)  # refuse before binding
        thread = _import_thread()
        self.name = "dashboard"
        self._stats, self._pictures = Stats(), Pictures(max_px=MAX_PX, quality=quality)
        self.zones: FileZones | None = None
        self.enhance: tuple[Enhance, ...] = ()
        self._people: People | None = None
        self._board, self._board_s = Board(), -_BOARD_EVERY_S
        self._limit, self._closed = max_viewers, False
        self._made_up = token == "auto"
        self._allowed_hosts = allowed_hosts
        listener = thread.bind(host, port)
        self.address: tuple[str, int] = host or "0.0.0.0", listener.getsockname()[1]
        self._access = make_access(host, self.address[1], token=token, allowed_hosts=allowed_hosts)
        self._server = thread.ServerThread(listener, self._make_app, max_connections=max_viewers + _VISITORS)

    @property
    def token(self) -> str | None:
        """What a visitor has to know; None where everybody on this machine may watch."""
        return self._access.token

    @property
    def url(self) -> str:
        """The address to open in a browser; with the token where that was made up, for then nobody knows it yet."""
        host, port = self.address
        name = _outward_address() if host in ("0.0.0.0", "::") else host
        query = f"?token={quote(self.token, safe='')}" if self.token and self._made_up else ""
        return f"http://{f'[{name}]' if ':' in name else name}:{port}/{query}"

    @property
    def encoded(self) -> int:
        """How many pictures were encoded for viewers so far."""
        return self._pictures.encoded

    @property
    def viewers(self) -> int:
        """How many watch the picture now."""
        return len(self._feed)

    def show_people(self, stage: Recognize, *, private: bool = False) -> None:
        """Show who `stage` sees, on a page where people are enrolled and erased; all is behind the token from now on.

        Where none was needed so far, one is made up (see `url`), and who watches is sent home to come back with it.

        Args:
            stage: of the run.
            private: whether faces are blurred in the picture; then no kept picture of anybody is shown either.

        Raises:
            GalleryError: its gallery cannot be opened once more.
        """
        people = People(stage, private=private)
        if self._access.token is None:
            self._made_up = True
            self._access = make_access(*self.address, token="auto", allowed_hosts=self._allowed_hosts)
            self._feed.send_home()
        if self._people is not None:
            self._people.close()
        self._people = people

    def write(self, results: Results) -> None:
        """Show `results` to those who watch. Waits for none of them.

        Raises:
            SinkError: the dashboard is closed, or its server has ended.
        """
        if self._closed or not self._server.alive:
            raise SinkError(
                f"the dashboard on {self.address[0]}:{self.address[1]} is closed."
            ) from self._server.error
        self._stats.update(results)
        self._pictures.put(results)
        before = self._feed.wants_before
        made = {boxes: self._pictures.stream(boxes=boxes, before=before) for boxes in self._feed.wanted}
        if made:
            self._feed.publish({boxes: picture for boxes, picture in made.items() if picture is not None})

    def close(self) -> None:
        """Send the viewers home and free the port, within three seconds.

        Raises:
            SinkError: the server does not stop.
        """
        if self._closed:
            return
        self._closed = True
        self._feed.close()
        stopped = self._server.stop()
        if self._people is not None:
            self._people.close()
        if not stopped:
            raise SinkError("the dashboard's server did not stop within 3 s; it ends with this process.")

    def _make_app(self, loop: asyncio.AbstractEventLoop) -> ASGIApp:
        from vedette.web.server import make_server_app

        self._feed = Feed(loop, limit=self._limit)
        return make_server_app(
            self._pictures,
            self._feed,
            figures=self._figures,
            zones=lambda: self.zones,
            switches=self._switches,
            people=lambda: self._people,
            access=lambda: self._access,
        )

    def _figures(self) -> dict[str, Any]:
        now_ns, newest = time.monotonic_ns(), self._pictures.newest
        if now_ns / 1e9 - self._board_s >= _BOARD_EVERY_S:
            self._board, self._board_s = read_board(), now_ns / 1e9
        results, written_ns = newest or (None, now_ns)
        waited_s = (now_ns - written_ns) / 1e9
        told = figures(
            self._stats.snapshot(now_ns), results, self._board, waited_s=waited_s, viewers=self.viewers
        )
        return {**told, "people": self._people is not None, "enhance": self._switches().describe()}

    def _switches(self) -> Switches:
        newest = self._pictures.newest
        return Switches(self.enhance, newest[0] if newest else None)


def open_dashboard(uri: str) -> Dashboard:
    """Open the dashboard of a URI: ``web://[host][:port][?token=..&hosts=a,b&max_viewers=16&quality=80]``.

    ``token=auto`` makes a token up, ``token=@FILE`` reads it from a file.

    Raises:
        SettingsError: an option is unknown or not allowed, or a token is missing.
        SinkError: the address cannot be bound.
        MissingDependencyError: the extra is not installed.
    """
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(f"'{uri.partition('?')[0]}' is not an address: {error}.") from error
    if parts.scheme != "web" or parts.path not in ("", "/") or parts.username is not None or parts.fragment:
        raise SettingsError("the dashboard's address looks like web://127.0.0.1:8080?token=auto")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for key in options:
        if key not in _OPTIONS:
            raise unknown_name("option of web://", key, _OPTIONS)
    return Dashboard(
        host or "127.0.0.1",
        8080 if port is None else port,
        token=_token(options["token"]) if "token" in options else None,
        allowed_hosts=tuple(name for name in options.get("hosts", "").split(",") if name),
        max_viewers=_whole(options, "max_viewers", 16),
        quality=_whole(options, "quality", 80),
    )


def _token(text: str) -> str:
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the dashboard's token from {text[1:]}: {error}.") from error


def _whole(options: dict[str, str], name: str, default: int) -> int:
    try:
        return int(options.get(name, default))
    except ValueError as error:
        raise SettingsError(f"{name} of web:// is '{options[name]}', a whole number is needed.") from error


def _import_thread() -> Any:
    try:
        from vedette.web import thread
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"the dashboard needs {error.name}, which is not installed: pip install 'vedette[web]'"
        ) from error
    return thread


def _outward_address() -> str:
    """Return the address that this machine uses toward others; nothing is sent to find it out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737)
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
