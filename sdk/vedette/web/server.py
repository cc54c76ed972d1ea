"""The dashboard's answers: the page, the stream, the snapshot, the figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from vedette.errors import VedetteError
from vedette.stages.zone_file import FileZones
from vedette.web.access import Access, Attempts
from vedette.web.enhance import Switches
from vedette.web.enhance_routes import make_enhance_route
from vedette.web.feed import Feed, FeedFull, Picture, Viewer
from vedette.web.guard import Guard
from vedette.web.people import People
from vedette.web.people_routes import make_people_routes
from vedette.web.pictures import Pictures
from vedette.web.static import FILES, page
from vedette.web.zones import make_zone_route

__all__ = ["make_server_app"]

_PAGES = {"": "index.html", "people": "people.html"}
_BOUNDARY = b"--frame\r\n"
_STREAM_TYPE = "multipart/x-mixed-replace; boundary=frame"


def make_server_app(
    pictures: Pictures,
    feed: Feed,
    *,
    figures: Callable[[], dict[str, Any]],
    zones: Callable[[], FileZones | None],
    switches: Callable[[], Switches],
    people: Callable[[], People | None],
    access: Callable[[], Access],
) -> ASGIApp:
    """Return the ASGI application that shows all this to whom `access` lets in."""

    async def stream(request: Request) -> Any:
        try:
            viewer = feed.join(boxes=_wants_boxes(request), before=request.query_params.get("before") == "1")
        except FeedFull as full:
            return JSONResponse(
                {"error": f"{full}; close one and try again"}, 503, headers={"Retry-After": "5"}
            )
        return _Stream(viewer, feed, pictures)

    def snapshot(request: Request) -> Response:
        picture = pictures.snapshot(boxes=_wants_boxes(request))
        if picture is None:
            return JSONResponse({"error": "there is no picture yet"}, 503, headers={"Retry-After": "1"})
        name = f'attachment; filename="vedette-{picture.index:06d}.jpg"'
        headers = {"Content-Disposition": name, "X-Frame-Index": str(picture.index)}
        return Response(picture.jpeg, media_type="image/jpeg", headers=headers)

    def stats(request: Request) -> Response:
        return JSONResponse(figures())

    def file(request: Request) -> Response:
        name = request.url.path.removeprefix("/")
        return page(_PAGES.get(name, name))

    names = [*_PAGES, *(name for name in FILES if not name.endswith(".html"))]
    routes = [Route(f"/{name}", file) for name in names]
    routes += [Route("/stream.mjpg", stream), Route("/snapshot.jpg", snapshot), Route("/api/stats", stats)]
    routes += [make_zone_route(zones), make_enhance_route(switches), *make_people_routes(people)]
    app = Starlette(routes=routes, exception_handlers={VedetteError: _failed})
    return Guard(app, access, Attempts())


def _failed(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 500)


def _wants_boxes(request: Request) -> bool:
    return request.query_params.get("boxes", "1") != "0"


class _Stream:
    """An answer that goes on until the viewer leaves or the feed ends: JPEG after JPEG."""

    def __init__(self, viewer: Viewer, feed: Feed, pictures: Pictures) -> None:
        self._viewer, self._feed, self._pictures = viewer, feed, pictures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(self._until_gone(receive))
        try:
            await send(_start())
            if scope["method"] != "HEAD":
                await self._send_pictures(send)
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            self._feed.leave(self._viewer)

    async def _send_pictures(self, send: Send) -> None:
        viewer = self._viewer
        first = await run_in_threadpool(
            lambda: self._pictures.stream(boxes=viewer.boxes, before=viewer.before)
        )
        if first is not None:
            viewer.offer(first)
        await send({"type": "http.response.body", "body": _BOUNDARY, "more_body": True})
        while (picture := await viewer.next()) is not None:
            before = picture.before if viewer.before else b""
            await send({"type": "http.response.body", "body": _part(picture, before), "more_body": True})

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._viewer.close()


def _start() -> dict[str, Any]:
    return {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", _STREAM_TYPE.encode()), (b"x-accel-buffering", b"no")],
    }


def _part(picture: Picture, before: bytes) -> bytes:
    """Return one part; the boundary comes at once, for browsers show a part when they see its end.

    `before` follows the picture in the same part, so that the two cannot come apart; who shows JPEGs ignores it.
    """
    waited_ms = (time.monotonic_ns() - picture.written_ns) // 1_000_000
    head = (
        f"Content-Type: image/jpeg\r\nContent-Length: {len(picture.jpeg) + len(before)}\r\n"
        f"X-Before-Length: {len(before)}\r\n"
        f"X-Frame-Index: {picture.index}\r\nX-Frame-Waited-Ms: {waited_ms}\r\n\r\n"
    )
    return b"".join((head.encode(), picture.jpeg, before, b"\r\n", _BOUNDARY))
