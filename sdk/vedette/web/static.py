"""The files of the page, by name; nothing else can be asked for."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from starlette.responses import Response

__all__ = ["FILES", "page"]

FILES = {
    "index.html": "text/html; charset=utf-8",
    "people.html": "text/html; charset=utf-8",
    "login.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "people.css": "text/css; charset=utf-8",
    "theme.js": "text/javascript; charset=utf-8",
    "stream.js": "text/javascript; charset=utf-8",
    "enhance.js": "text/javascript; charset=utf-8",
    "figures.js": "text/javascript; charset=utf-8",
    "zones.js": "text/javascript; charset=utf-8",
    "people.js": "text/javascript; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "login.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""Name -> media type of every file that is served."""


def page(name: str, *, status: int = 200) -> Response:
    """Return the answer that holds the file `name`, one of `FILES`."""
    return Response(_read(name), status_code=status, headers={"content-type": FILES[name]})


@cache
def _read(name: str) -> bytes:
    return (files("vedette.web") / "pages" / name).read_bytes()
