"""Switching the enhancing stages over HTTP."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vedette.errors import SettingsError
from vedette.web.bodies import read_json
from vedette.web.enhance import Switches

__all__ = ["make_enhance_route"]

MOST_BYTES = 4096
"""Longest body: two names and a word."""

_NONE = "this run enhances nothing; start it with --stage enhance=MODEL"


def make_enhance_route(switches: Callable[[], Switches]) -> Route:
    """Return the route at which stages are switched (POST); the door is guarded by `Guard`."""

    async def answer(request: Request) -> Response:
        found = switches()
        if not found.stages:
            return JSONResponse({"error": _NONE}, 404)
        try:
            found.set(await read_json(request, MOST_BYTES))
        except SettingsError as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse({"enhance": found.describe()})

    return Route("/api/enhance", answer, methods=["POST"])
