"""People over HTTP. Names and ids travel in bodies, not in addresses: those end up in histories and logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vedette.errors import FaceRefused, GalleryError, SettingsError
from vedette.web.bodies import read_json
from vedette.web.people import People

__all__ = ["make_people_routes"]

MOST_BYTES = 4096
"""Longest body: a name and a few figures."""

_NONE = "this run names nobody; start it with --stage faces --stage track --stage recognize"

_Given = Mapping[str, Any]


def make_people_routes(people: Callable[[], People | None]) -> list[Route]:
    """Return the routes of the page's API; the door is guarded by `Guard`."""

    def route(path: str, act: Callable[[People, _Given], Any], method: str) -> Route:
        async def answer(request: Request) -> Response:
            who = people()
            if who is None:
                return JSONResponse({"error": _NONE}, 404)
            try:
                given = request.query_params if method == "GET" else await read_json(request, MOST_BYTES)
                told = await run_in_threadpool(act, who, given)
            except FaceRefused as error:
                return JSONResponse({"error": str(error), "reasons": error.reasons}, 422)
            except (GalleryError, SettingsError) as error:
                return JSONResponse({"error": str(error)}, 422)
            return told if isinstance(told, Response) else JSONResponse(told)

        return Route(path, answer, methods=[method])

    return [
        route("/api/people", lambda who, given: who.describe(offset=_whole(given, "offset", 0)), "GET"),
        route("/api/people/seen", lambda who, _given: who.seen(), "GET"),
        route("/api/people/picture", _picture, "GET"),
        route("/api/people/enrol", _enrol, "POST"),
        route("/api/people/erase", _erase, "POST"),
        route("/api/people/calibrate", _calibrate, "POST"),
    ]


def _picture(who: People, given: _Given) -> Response:
    jpeg = who.picture(_whole(given, "template"))
    if jpeg is None:
        return JSONResponse(
            {"error": "no picture of that template is kept, or faces are blurred in this run"}, 404
        )
    return Response(jpeg, media_type="image/jpeg")


def _enrol(who: People, given: _Given) -> dict[str, Any]:
    name, keep, agreed = given.get("name"), given.get("keep_picture", False), given.get("agreed")
    if not isinstance(name, str) or not isinstance(keep, bool):
        raise SettingsError('send {"name": "...", "agreed": true, "keep_picture": false}.')
    if agreed is not True:
        raise SettingsError(
            'ask the person first; "agreed": true says that they know what is kept and agreed.'
        )
    return who.enrol(name, keep_picture=keep)


def _erase(who: People, given: _Given) -> dict[str, Any]:
    if "person" in given and "template" not in given:
        return {"templates": who.erase(_whole(given, "person"))}
    who.erase_template(_whole(given, "template"))
    return {"templates": 1}


def _calibrate(who: People, given: _Given) -> dict[str, Any]:
    far = given.get("far")
    if far is not None and (isinstance(far, bool) or not isinstance(far, int | float)):
        raise SettingsError(
            'send {"far": 0.01}, the rate of false accepts in one search; or {} for that of last time.'
        )
    return who.calibrate(far)


def _whole(given: _Given, name: str, default: int | None = None) -> int:
    """Return a whole number of 0 or more, 53 bits at most as ids have.

    Raises:
        SettingsError: it is none, or not given where there is no default.
    """
    value = given.get(name, default)
    try:
        number = -1 if isinstance(value, bool | float) or value is None else int(value)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number < 2**53:
        raise SettingsError(f"{name} must be given as a whole number.")
    return number
