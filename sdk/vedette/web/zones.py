"""The zones of the run, for the page's editor: shown to who may watch, and saved for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vedette.errors import SettingsError
from vedette.stages.zone_file import FileZones
from vedette.web.bodies import read_json

__all__ = ["make_zone_route"]

MOST_BYTES = 1 << 18
"""Longest body: some hundred zones of a hundred corners."""

_NONE = (
    "this run has no zones to edit; start it with --stage track --stage zones=FILE.toml; "
    "the file need not be there yet"
)


def make_zone_route(zones: Callable[[], FileZones | None]) -> Route:
    """Return the route at which the zones are read (GET) and saved (PUT); the door is guarded by `Guard`."""

    async def answer(request: Request) -> Response:
        file = zones()
        if file is None:
            return JSONResponse({"error": _NONE}, 404)
        if request.method == "PUT":
            try:
                tables, version = _parse(await read_json(request, MOST_BYTES))
                await run_in_threadpool(file.save, tables, version)
            except SettingsError as error:
                return JSONResponse({"error": str(error)}, 422)
        return JSONResponse(await run_in_threadpool(file.describe))

    return Route("/api/zones", answer, methods=["GET", "PUT"])


def _parse(given: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the tables and the version that were sent.

    Raises:
        SettingsError: something else was.
    """
    if not isinstance(given.get("zones"), dict):
        raise SettingsError('send {"version": "...", "zones": {"zone": {...}, "line": {...}}}.')
    return given["zones"], str(given.get("version"))
