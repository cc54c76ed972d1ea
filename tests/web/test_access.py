"""Hosts, origins, tokens: who is let in."""

from __future__ import annotations

import socket

import pytest

from vedette.errors import SettingsError
from vedette.web.access import Attempts, cookies, host_name, is_loopback, is_own_origin, make_access
from web.scene import TOKEN


@pytest.mark.parametrize(
    ("header", "name"),
    [
        pytest.param("localhost:8080", "localhost", id="with port"),
        pytest.param("LocalHost", "localhost", id="case"),
        pytest.param("localhost.", "localhost", id="final dot"),
        pytest.param("[::1]:8080", "::1", id="IPv6"),
        pytest.param("", None, id="empty"),
        pytest.param("localhost:http", None, id="port is no number"),
        pytest.param("localhost@evil.example", None, id="user part"),
        pytest.param("evil@localhost", None, id="user part before ours"),
        pytest.param("localhost/evil", None, id="path"),
        pytest.param("local\thost", None, id="tab"),
        pytest.param("[::1", None, id="open bracket"),
    ],
)
def test_host_name(header: str, name: str | None) -> None:
    assert host_name(header) == name


@pytest.mark.parametrize(
    ("bound", "header", "allowed"),
    [
        pytest.param("127.0.0.1", "localhost:8080", True, id="loopback name"),
        pytest.param("127.0.0.1", "[::1]:8080", True, id="loopback v6"),
        pytest.param("127.0.0.1", "localhost:9000", True, id="tunnelled port"),
        pytest.param("127.0.0.1", "evil.example:8080", False, id="DNS rebinding"),
        pytest.param("127.0.0.1", "127.0.0.1.evil.example", False, id="address as prefix"),
        pytest.param("127.0.0.1", "192.168.1.7:8080", False, id="other address"),
        pytest.param("192.168.1.7", "192.168.1.7:8080", True, id="bound address"),
        pytest.param("192.168.1.7", "192.168.1.8:8080", False, id="neighbour"),
        pytest.param("0.0.0.0", "192.168.1.8:8080", True, id="any address when all are bound"),
        pytest.param("0.0.0.0", "evil.example", False, id="name when all are bound"),
        pytest.param("0.0.0.0", "cam.example:8080", True, id="configured name"),
    ],
)
def test_allows_host(bound: str, header: str, allowed: bool) -> None:
    access = make_access(bound, 8080, token=TOKEN, allowed_hosts=("Cam.example",))
    assert access.allows_host(header) is allowed


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        pytest.param("http://localhost:8080", True, id="ours"),
        pytest.param("https://localhost:8080", True, id="ours behind TLS"),
        pytest.param("http://localhost", False, id="other port"),
        pytest.param("http://localhost:8080.evil.example", False, id="ours as prefix"),
        pytest.param("http://evil.example", False, id="stranger"),
        pytest.param("null", False, id="opaque"),
        pytest.param("", False, id="empty"),
        pytest.param("file://localhost:8080", False, id="file"),
    ],
)
def test_is_own_origin(origin: str, own: bool) -> None:
    assert is_own_origin(origin, "localhost:8080") is own


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        pytest.param("127.0.0.1", True, id="v4"),
        pytest.param("127.8.8.8", True, id="the whole net"),
        pytest.param("::1", True, id="v6"),
        pytest.param("localhost", True, id="name"),
        pytest.param("0.0.0.0", False, id="all v4"),
        pytest.param("::", False, id="all v6"),
        pytest.param("", False, id="empty is all"),
        pytest.param("192.168.1.7", False, id="network"),
        pytest.param("no.such.name.invalid", False, id="unknown name"),
        pytest.param("a..b", False, id="malformed"),
    ],
)
def test_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", ""])
def test_others_can_reach_it_so_a_token_is_demanded(host: str) -> None:
    with pytest.raises(SettingsError, match="token=auto"):
        make_access(host, 8080, token=None)


@pytest.mark.parametrize("token", ["", "short", "a token with ünicode in it", "line\nbreak-and-much-more"])
def test_a_weak_token_is_refused_even_here(token: str) -> None:
    with pytest.raises(SettingsError, match="16"):
        make_access("127.0.0.1", 8080, token=token)


def test_auto_makes_a_new_token_each_time() -> None:
    first, second = (make_access("0.0.0.0", 8080, token="auto").token for _ in range(2))
    assert first
    assert second
    assert first != second
    assert len(first) >= 32


def test_tokens_and_cookies() -> None:
    access = make_access("0.0.0.0", 8080, token=TOKEN)
    assert access.accepts(TOKEN)
    assert not access.accepts(TOKEN + "x")
    assert not access.accepts("")
    assert not access.accepts("ü")
    assert access.accepts_cookie(access.cookie_value)
    assert not access.accepts_cookie(TOKEN)
    assert not access.accepts_cookie("")
    assert TOKEN not in access.cookie_value
    assert make_access("0.0.0.0", 8081, token=TOKEN).accepts_cookie(access.cookie_value)  # the next run
    assert not make_access("0.0.0.0", 8080, token=TOKEN + "x").accepts_cookie(access.cookie_value)


def test_without_a_token_nothing_is_accepted_as_one() -> None:
    access = make_access("127.0.0.1", 8080, token=None)
    assert not access.accepts("")
    assert not access.accepts_cookie(access.cookie_value)


@pytest.mark.parametrize(
    ("bound", "allowed"), [("127.0.0.1", False), ("192.168.1.7", True), ("0.0.0.0", True)]
)
def test_the_machine_s_own_name_is_good_where_others_can_reach_it(bound: str, allowed: bool) -> None:
    name = socket.gethostname()
    access = make_access(bound, 8080, token=TOKEN)
    assert [access.allows_host(host) for host in (name, f"{name}.local:8080")] == [allowed, allowed]


def test_cookies() -> None:
    assert cookies("a=1; vedette_80=x=y;broken; b=") == {"a": "1", "vedette_80": "x=y", "b": ""}
    assert cookies("") == {}


def test_wrong_tokens_make_an_address_wait_and_only_that_one() -> None:
    now = [100.0]
    attempts = Attempts(limit=3, window_s=60, clock=lambda: now[0])
    for _ in range(3):
        assert attempts.wait_s("a") == 0
        attempts.wrong("a")
        now[0] += 1
    assert attempts.wait_s("a") == pytest.approx(57)
    assert attempts.wait_s("b") == 0
    now[0] += 57
    assert attempts.wait_s("a") == 0
    attempts.wrong("a")
    assert attempts.wait_s("a") == 0  # counted anew


def test_addresses_are_remembered_in_bounded_number() -> None:
    attempts = Attempts(limit=1, size=10)
    for k in range(100):
        attempts.wrong(str(k))
    assert [attempts.wait_s(str(k)) > 0 for k in (0, 89, 90, 99)] == [False, False, True, True]
