"""Who may see the dashboard: decisions on hosts, origins and tokens, without any I/O but name look-up.

Three attacks are kept out. A stranger on the network has no token. A web page that the user visits cannot reach in:
its name is not ours even where it resolves to our address (DNS rebinding: the Host check), and its requests carry its
own name (the Origin check). Somebody who tries tokens is made to wait.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from vedette.errors import SettingsError

__all__ = ["Access", "Attempts", "host_name", "is_loopback", "is_own_origin", "make_access"]

MIN_TOKEN = 16
"""Least length of a token, characters."""

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Access:
    """What is needed to be let in.

    Attributes:
        hosts: names and addresses that a browser may call us by, lower case, without port or brackets.
        any_ip: whether any literal IP address will do; so where all addresses are bound.
        token: the secret, None where everybody on this machine may watch.
        cookie: name of the cookie that remembers a login; differs by port, as cookies do not.
        cookie_value: what it says. The token cannot be read from it, and trying tokens by way of it costs time: it is
            let in without a wait.
    """

    hosts: frozenset[str]
    any_ip: bool
    token: str | None
    cookie: str
    cookie_value: str

    def allows_host(self, header: str) -> bool:
        """Tell whether a request with this Host header is meant for us."""
        name = host_name(header)
        return name is not None and (name in self.hosts or (self.any_ip and _is_ip(name)))

    def accepts(self, token: str) -> bool:
        """Tell, in constant time, whether `token` is the right one."""
        return self.token is not None and hmac.compare_digest(token.encode(), self.token.encode())

    def accepts_cookie(self, value: str) -> bool:
        """Tell, in constant time, whether `value` is that of somebody who is logged in."""
        return self.token is not None and hmac.compare_digest(value.encode(), self.cookie_value.encode())


def make_access(host: str, port: int, *, token: str | None, allowed_hosts: tuple[str, ...] = ()) -> Access:
    """Return the rules for a server bound to `host`; ``token="auto"`` makes one up.

    Raises:
        SettingsError: others could reach `host` and there is no token, or it is too short or not printable ASCII.
    """
    if token == "auto":
        token = secrets.token_urlsafe(24)
    public = not is_loopback(host)
    if token is None and public:
        raise SettingsError(
            f"the dashboard on {host} can be seen by others, so it needs a token: add token=auto to have one made, "
            f"or token=SECRET with at least {MIN_TOKEN} characters; or bind it to 127.0.0.1."
        )
    if token is not None and (len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable()):
        raise SettingsError(
            f"token is too weak: give at least {MIN_TOKEN} plain letters and digits, or token=auto."
        )
    everywhere = host in ("", "0.0.0.0", "::")
    names = {*_LOOPBACK_NAMES, host, *allowed_hosts, *(_own_names() if public else ())}
    hosts = frozenset(n.lower().strip("[]") for n in names if n)
    return Access(hosts, everywhere, token, f"vedette_{port}", _cookie_value(token) if token else "")


def _cookie_value(token: str) -> str:
    """Return the same in every run, at a price for who tries tokens: scrypt (RFC 7914), 16 MiB and some 0.1 s."""
    return hashlib.scrypt(token.encode(), salt=b"vedette dashboard cookie", n=2**14, r=8, p=1).hex()


def host_name(header: str) -> str | None:
    """Return the name or address in a Host header (``name[:port]``), lower case; None when it is malformed."""
    try:
        parts = urlsplit(f"//{header}")
        _ = parts.port  # raises when it is not a number
    except ValueError:
        return None
    if not parts.hostname or parts.netloc != header or "@" in header:
        return None
    return parts.hostname.rstrip(".")


def is_own_origin(origin: str, host: str) -> bool:
    """Tell whether a page from `origin` (``scheme://name[:port]``) is ours, called `host` in the Host header."""
    scheme, found, rest = origin.partition("://")
    return bool(found) and scheme in ("http", "https") and rest.lower() == host.lower()


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach `host`; a name that cannot be looked up is not trusted."""
    if host in ("", "0.0.0.0", "::"):
        return False
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)


def cookies(header: str) -> Mapping[str, str]:
    """Return the cookies in a Cookie header by name."""
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return {name: value for name, equals, value in pairs if equals}


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _own_names() -> tuple[str, str]:
    name = socket.gethostname()
    return name, f"{name}.local"


class Attempts:
    """Count wrong tokens by address; whoever gave too many has to wait. Holds state, of bounded size.

    Args:
        limit: wrong tokens that are forgiven.
        window_s: for how long they count.
        size: how many addresses are remembered; the longest unseen is forgotten first.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        limit: int = 10,
        window_s: float = 60.0,
        size: int = 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit, self._window_s, self._size, self._clock = limit, window_s, size, clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # count, when the first was

    def wait_s(self, address: str) -> float:
        """Return for how long `address` is not listened to, seconds; 0 when it is."""
        count, first = self._wrong.get(address, (0, 0.0))
        left = first + self._window_s - self._clock()
        return left if count >= self._limit and left > 0 else 0.0

    def wrong(self, address: str) -> None:
        """Note that `address` gave a wrong token."""
        count, first = self._wrong.pop(address, (0, 0.0))
        if not count or self._clock() - first >= self._window_s:
            count, first = 0, self._clock()
        self._wrong[address] = (count + 1, first)
        while len(self._wrong) > self._size:
            self._wrong.popitem(last=False)
