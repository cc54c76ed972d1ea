"""The door, over real sockets: hosts, origins, tokens, headers, and files that are not served."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from vedette.web.dashboard import Dashboard
from web.scene import TOKEN, get, viewer


def post(dashboard: Dashboard, path: str, body: str, **headers: str) -> httpx.Response:
    url = f"http://127.0.0.1:{dashboard.address[1]}"
    return httpx.post(
        url + path, content=body, headers={"origin": url, **headers}, timeout=5, trust_env=False
    )


@pytest.mark.parametrize(
    "path",
    [
        "/index.html",
        "/login.html",
        "/../dashboard.py",
        "/%2e%2e/dashboard.py",
        "/pages/",
        "/docs",
        "/static",
        "//etc/passwd",
    ],
)
def test_only_known_files_are_served(dashboard: Dashboard, path: str) -> None:
    with viewer(dashboard, f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("path", ["/", "/app.js", "/style.css", "/api/stats", "/snapshot.jpg", "/nothing"])
def test_every_answer_has_the_headers_that_keep_others_out(dashboard: Dashboard, path: str) -> None:
    headers = get(dashboard, path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Host": "localhost"}, 200, id="ours"),
        pytest.param({"Host": "evil.example"}, 403, id="DNS rebinding"),
        pytest.param({"Host": ""}, 403, id="no name"),
        pytest.param({"Host": "localhost", "Origin": "http://localhost"}, 200, id="own origin"),
        pytest.param({"Host": "localhost", "Origin": "http://evil.example"}, 403, id="stranger's origin"),
        pytest.param(
            {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, 403, id="embedded elsewhere"
        ),
        pytest.param(
            {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, 200, id="followed a link"
        ),
    ],
)
def test_host_and_origin(dashboard: Dashboard, headers: dict[str, str], status: int) -> None:
    assert get(dashboard, "/api/stats", **headers).status_code == status


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null"])
def test_what_is_not_get_needs_our_origin(dashboard: Dashboard, origin: str | None) -> None:
    headers = b"" if origin is None else f"Origin: {origin}\r\n".encode()
    with viewer(
        dashboard, b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" + headers + b"\r\n"
    ) as c:
        assert c.recv(100).startswith(b"HTTP/1.1 403")


def test_a_websocket_is_not_opened(dashboard: Dashboard) -> None:
    upgrade = b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nConnection: Upgrade\r\n"
    key = b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    with viewer(dashboard, upgrade + key) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 403")


@pytest.fixture
def guarded() -> Iterator[Dashboard]:
    with Dashboard(port=0, token=TOKEN) as opened:
        yield opened


@pytest.mark.parametrize("path", ["/", "/app.js", "/api/stats", "/stream.mjpg", "/snapshot.jpg", "/nothing"])
def test_without_the_token_nothing_is_shown(guarded: Dashboard, path: str) -> None:
    answer = get(guarded, path)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert get(guarded, path, Authorization=f"Bearer {TOKEN}x").status_code == 401
    assert guarded.viewers == 0


def test_the_token_as_bearer(guarded: Dashboard) -> None:
    assert get(guarded, "/api/stats", Authorization=f"Bearer {TOKEN}").status_code == 200
    assert get(guarded, f"/api/stats?token={TOKEN}").status_code == 401  # in the page's address only


def test_the_token_in_the_address_is_taken_out_of_it(guarded: Dashboard) -> None:
    answer = get(guarded, f"/?token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert get(guarded, "/api/stats", Cookie=cookie.partition(";")[0]).status_code == 200


def test_the_token_posted(guarded: Dashboard) -> None:
    assert post(guarded, "/login", TOKEN).status_code == 204
    wrong = post(guarded, "/login", "x" * 100_000)
    assert wrong.status_code == 401
    assert "Max-Age=0" in wrong.headers["set-cookie"]


def test_guessing_is_slowed_down_and_the_right_token_is_not_told_apart(guarded: Dashboard) -> None:
    codes = [post(guarded, "/login", f"guess {k}").status_code for k in range(10)]
    assert codes == [401] * 10
    for answer in (
        post(guarded, "/login", TOKEN),
        get(guarded, f"/?token={TOKEN}"),
        get(guarded, "/api/stats", Authorization=f"Bearer {TOKEN}"),
    ):
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) <= 60


def test_who_is_logged_in_is_not_locked_out_by_others(guarded: Dashboard) -> None:
    """Behind a proxy or a tunnel all come from one address."""
    cookie = get(guarded, f"/?token={TOKEN}").headers["set-cookie"].partition(";")[0]
    for k in range(12):
        get(guarded, "/api/stats", Authorization=f"Bearer guess {k}")
    assert get(guarded, "/api/stats", Authorization=f"Bearer {TOKEN}").status_code == 429
    assert get(guarded, "/api/stats", Cookie=cookie).status_code == 200


def test_a_cookie_of_an_earlier_run_locks_nobody_out(guarded: Dashboard) -> None:
    """The page of yesterday asks every second."""
    stale = f"vedette_{guarded.address[1]}=yesterday"
    answers = [get(guarded, "/api/stats", Cookie=stale) for _ in range(12)]
    assert [a.status_code for a in answers] == [401] * 12
    assert "Max-Age=0" in answers[-1].headers["set-cookie"]
    assert post(guarded, "/login", TOKEN).status_code == 204


def test_the_address_shows_a_token_only_where_it_was_made_up(guarded: Dashboard) -> None:
    assert guarded.url == f"http://127.0.0.1:{guarded.address[1]}/"
    with Dashboard(port=0, token="auto") as opened:
        assert opened.url.endswith(f"/?token={opened.token}")
        assert get(opened, opened.url.partition(f":{opened.address[1]}")[2]).status_code == 303
