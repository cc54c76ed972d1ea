"""The door of the dashboard: every request passes here first, and every answer leaves with its headers."""

from __future__ import annotations

import math
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vedette.errors import SettingsError
from vedette.web.access import Access, Attempts, cookies, is_own_origin
from vedette.web.bodies import read_body
from vedette.web.static import page

__all__ = ["Guard"]

PUBLIC = frozenset({"/login", "/login.js", "/theme.js", "/style.css", "/icon.svg"})
"""What the login page needs; nothing secret."""

PAGES = ("/", "/people")
"""Where a browser that is not logged in gets the login page."""

_HEADERS = (
    (b"content-security-policy", b"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
     b"frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),
)  # fmt: skip
_MAX_TOKEN = 512
_COOKIE_AGE_S = 30 * 24 * 3600


class Guard:
    """An ASGI application around another: lets in who may, see `Access`.

    Args:
        app: the dashboard.
        access: gives the rules; they may become stricter while it serves.
        attempts: counts the wrong tokens.
    """

    def __init__(self, app: ASGIApp, access: Callable[[], Access], attempts: Attempts) -> None:
        self._app, self._rules, self._attempts = app, access, attempts

    @property
    def _access(self) -> Access:
        return self._rules()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; nothing but HTTP is served."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        request = Request(scope, receive)
        answer = self._stranger(request) or await self._login(request) or self._no_token(request) or self._app
        await answer(scope, receive, _hardened(send))

    def _stranger(self, request: Request) -> Response | None:
        """Refuse what another web page sends, or what is meant for another server."""
        host = request.headers.get("host", "")
        if not self._access.allows_host(host):
            return _error(
                403, f"this dashboard is not called '{host[:80]}'; if it should be, add hosts=NAME to web://"
            )
        origin = request.headers.get("origin")
        if origin is None and request.method not in ("GET", "HEAD"):
            return _error(403, f"{request.method} needs an Origin header")
        if origin is not None and not is_own_origin(origin, host):
            return _error(403, "other web pages may not use this dashboard")
        headers = request.headers
        if (
            headers.get("sec-fetch-site") in ("cross-site", "same-site")
            and headers.get("sec-fetch-mode") != "navigate"
        ):
            return _error(403, "other web pages may not show this dashboard's pictures")
        return None

    async def _login(self, request: Request) -> Response | None:
        """Answer a token that is sent to be remembered: posted by the login page, or in the address."""
        if request.url.path == "/login" and request.method == "POST":
            token = await _body(request)
            return self._waiting(request) or self._remember(request, token, Response(status_code=204))
        token = request.query_params.get("token", "")
        if request.url.path != "/" or not token or self._access.token is None:
            return None
        return self._waiting(request) or self._remember(
            request, token, RedirectResponse("/", status_code=303)
        )

    def _remember(self, request: Request, token: str, answer: Response) -> Response:
        if not self._access.accepts(token):
            return self._wrong(request)
        answer.set_cookie(
            self._access.cookie,
            self._access.cookie_value,
            max_age=_COOKIE_AGE_S,
            httponly=True,
            samesite="strict",
        )
        return answer

    def _no_token(self, request: Request) -> Response | None:
        """Refuse who has neither the token nor the cookie, where one is needed."""
        if self._access.token is None or request.url.path in PUBLIC:
            return None
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        cookie = cookies(request.headers.get("cookie", "")).get(self._access.cookie, "")
        if self._access.accepts_cookie(cookie):
            return None  # whatever others at the same address do, such as behind a proxy
        if not bearer:  # a cookie of an earlier run is no try
            return self._forget(request) if cookie else self._ask(request)
        if waiting := self._waiting(request):
            return waiting
        return None if self._access.accepts(bearer) else self._wrong(request)

    def _wrong(self, request: Request) -> Response:
        self._attempts.wrong(_address(request))
        return self._forget(request)

    def _forget(self, request: Request) -> Response:
        answer = self._ask(request)
        answer.delete_cookie(self._access.cookie, httponly=True, samesite="strict")
        return answer

    def _ask(self, request: Request) -> Response:
        if request.url.path in PAGES and request.method in ("GET", "HEAD"):
            return page("login.html", status=401)
        return _error(401, "a token is needed", {"WWW-Authenticate": "Bearer"})

    def _waiting(self, request: Request) -> Response | None:
        wait_s = math.ceil(self._attempts.wait_s(_address(request)))
        if not wait_s:
            return None
        return _error(429, f"too many wrong tokens; try again in {wait_s} s", {"Retry-After": str(wait_s)})


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": message}, status_code=status, headers=headers)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


async def _body(request: Request) -> str:
    """Return the text that was posted; nothing when it is longer than any token."""
    try:
        return (await read_body(request, _MAX_TOKEN)).decode("utf-8", errors="replace").strip()
    except SettingsError:
        return ""


def _hardened(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
        await send(message)

    return wrapped
