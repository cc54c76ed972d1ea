"""Who connects and does not ask: let go of in time, and never so many that a visitor or the run suffers."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from vedette.web import thread
from vedette.web.dashboard import Dashboard
from web.scene import STREAM, TOKEN, eventually, get, make_results, viewer

GET = b"GET /api/stats HTTP/1.1\r\nHost: localhost\r\n"
LOGIN = b"POST /login HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nContent-Length: 20\r\n\r\n"


@contextmanager
def idle(dashboard: Dashboard, count: int) -> Iterator[list[socket.socket]]:
    """Connect, and say nothing."""
    with ExitStack() as stack:
        yield [stack.enter_context(viewer(dashboard, b"")) for _ in range(count)]


def is_hung_up(connection: socket.socket, *, within_s: float) -> bool:
    """Return whether the other side ends the connection in time, whatever it says before."""
    connection.settimeout(within_s)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        pass
    return True


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not tell of descriptors")
def test_idle_strangers_take_neither_descriptors_nor_places() -> None:
    with Dashboard(port=0, token=TOKEN) as dashboard:
        before = descriptors()
        with idle(dashboard, 200) as strangers:
            last_in_line = get(dashboard, "/api/stats", Authorization=f"Bearer {TOKEN}")
            assert last_in_line.status_code == 200
            assert eventually(lambda: descriptors() - before - len(strangers) <= 64)
            assert sum(is_hung_up(one, within_s=0.02) for one in strangers) >= 200 - 64


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not tell of descriptors")
def test_a_crowd_that_comes_while_the_server_is_busy_leaves_the_run_its_descriptors(
    caplog: pytest.LogCaptureFixture,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = threading.Event()
    with Dashboard(port=0, token=TOKEN) as dashboard, ExitStack() as stack:
        dashboard._feed._loop.call_soon_threadsafe(free.wait, 20)
        for _ in range(300):
            stranger = stack.enter_context(socket.socket())
            stranger.setblocking(False)
            stranger.connect_ex(dashboard.address)
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + 150, hard))
        try:
            free.set()
            assert get(dashboard, "/").status_code == 401
            dashboard.write(make_results(0))
            assert Path(__file__).read_bytes()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [r.getMessage() for r in caplog.records if r.name == "asyncio"] == []


def test_strangers_do_not_crowd_out_who_watches() -> None:
    with Dashboard(port=0) as dashboard, viewer(dashboard) as watching:
        assert eventually(lambda: dashboard.viewers == 1)
        with idle(dashboard, 200):
            assert get(dashboard, "/api/stats").status_code == 200
            assert dashboard.viewers == 1
            dashboard.write(make_results(0))
            assert b"200 OK" in watching.recv(100)


def test_all_who_may_watch_find_a_place() -> None:
    with Dashboard(port=0, max_viewers=70) as dashboard, ExitStack() as stack:
        for _ in range(70):
            stack.enter_context(viewer(dashboard))
        assert eventually(lambda: dashboard.viewers == 70)
        assert get(dashboard, "/api/stats").status_code == 200


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dashboard]:
    monkeypatch.setattr(thread, "_ASK_S", 0.4)
    with Dashboard(port=0, token=TOKEN) as opened:
        yield opened


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(GET, id="half the headers"),
        pytest.param(LOGIN + b"half", id="half the body"),
        pytest.param(GET + b"\r\n" + GET, id="one request and a half"),
    ],
)
def test_who_does_not_ask_in_time_is_hung_up_on(hurried: Dashboard, said: bytes) -> None:
    with viewer(hurried, said) as stranger:
        assert is_hung_up(stranger, within_s=2)


def test_a_letter_now_and_then_is_no_request(hurried: Dashboard) -> None:
    with viewer(hurried, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ") as stranger:
        ended = False
        for _ in range(20):
            try:
                stranger.sendall(b"x")
            except OSError:
                ended = True
                break
            ended = is_hung_up(stranger, within_s=0.1)
            if ended:
                break
        assert ended


def test_who_has_asked_may_watch_for_as_long_as_they_like(hurried: Dashboard) -> None:
    asked = STREAM.replace(b"\r\n\r\n", f"\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    with viewer(hurried, asked) as watching:
        assert not is_hung_up(watching, within_s=1.2)
        assert hurried.viewers == 1
