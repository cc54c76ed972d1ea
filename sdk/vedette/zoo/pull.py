"""Download a known model: checked, resumed, never half a file in place. Of the standard library only."""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vedette import __version__
from vedette.errors import ModelError, SettingsError, SinkError
from vedette.sinks.files import free_bytes, sink_error
from vedette.zoo import sha256_of
from vedette.zoo.known import Known

__all__ = ["pull"]

CHUNK = 1 << 16
MOST_REDIRECTS = 5
STUCK = 3
"""So many tries in a row that bring nothing, and it is given up."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class _Broken(Exception):
    """The connection did not bring all; another try may go on from there."""


class _Final(_Broken):
    """Another try would bring the same."""


def pull(
    model: Known,
    folder: Path,
    *,
    timeout_s: float = 20.0,
    limit_s: float = 1800.0,
    pause_s: float = 1.0,
    progress: Callable[[int], None] = lambda _have: None,
) -> Path:
    """Return the file of `model` in `folder`, which is downloaded unless it is there already.

    What comes is kept in ``NAME.tflite.part`` until it is whole and its hash right; an interrupted download is gone on
    with from there. Redirects are followed from https to https only.

    Args:
        model: see `vedette.zoo.known`.
        folder: made if it is missing.
        timeout_s: how long the server may be silent.
        limit_s: for all of it.
        pause_s: before the first new try; twice as long before each further one.
        progress: told how many bytes are here.

    Raises:
        ModelError: it cannot be had, or what comes is something else. Says where to put it by hand.
        SettingsError: the address is not allowed.
        SinkError: the folder cannot be written, the disk is full, or another pull is at work.
    """
    _check_url(model.url)
    target = folder / f"{model.name}.tflite"
    part = folder / f"{model.name}.tflite.part"
    get = _Get(model, part, timeout_s=timeout_s, end_s=time.monotonic() + limit_s, progress=progress)
    try:
        with _alone(folder):
            if target.exists() and sha256_of(target) == model.sha256:
                return target
            _fill(get, pause_s)
            part.replace(target)
    except OSError as error:
        raise sink_error(part, error) from error
    except _Broken as error:
        raise ModelError(
            f"cannot get {model.name} from {urlsplit(model.url).hostname}: {error}. Try again later; it goes on where "
            f"it was cut off. Or get {model.url} on a machine that can, and put it at {target}; its SHA-256 must be "
            f"{model.sha256}."
        ) from error
    return target


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other pulls out of `folder`. The lock is the folder's own, so it leaves nothing behind."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SinkError(f"another pull is writing to {folder}; wait until it is done.") from error
        yield
    finally:
        os.close(handle)


class _Get:
    """One download. Holds state: the part file, which grows."""

    def __init__(
        self, model: Known, part: Path, *, timeout_s: float, end_s: float, progress: Callable[[int], None]
    ) -> None:
        self.model, self.part = model, part
        self._timeout_s, self._end_s, self._progress = timeout_s, end_s, progress
        self._opener = urllib.request.build_opener(_Redirects())

    @property
    def have(self) -> int:
        """How many bytes are here."""
        return self.part.stat().st_size if self.part.exists() else 0

    @property
    def left_s(self) -> float:
        """How long it may still take."""
        return self._end_s - time.monotonic()

    def receive(self) -> None:
        """Ask for what is missing, and write what comes.

        Raises:
            _Broken: not all came.
            ModelError: the server has something else.
            OSError: it cannot be written.
        """
        have = self.have
        if have < self.model.bytes:
            with self._open(have) as reply:
                have = self._start(reply, have)
                self._check_room(self.model.bytes - have)
                with self.part.open("r+b" if have else "wb") as file:
                    file.seek(have)
                    for chunk in self._chunks(reply, self.model.bytes - have):
                        file.write(chunk)
                        have += len(chunk)
                        self._progress(have)
                    file.flush()
                    os.fsync(file.fileno())  # else a power cut may leave the name without the bytes
        if have < self.model.bytes:
            raise _Broken(f"the connection ended after {have} of {self.model.bytes} bytes")

    def _open(self, have: int) -> Any:
        headers = {"User-Agent": f"vedette/{__version__}", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        try:
            return self._opener.open(
                urllib.request.Request(self.model.url, headers=headers), timeout=self._timeout_s
            )
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:
                self.part.unlink()
            why = f"it answers {error.code} {error.reason}"
            if error.code in _AGAIN or error.code == 416:
                raise _Broken(why) from error
            raise _Final(why) from error
        except urllib.error.URLError as error:  # not connected
            raise (_Broken if self.have else _Final)(str(error.reason)) from error
        except (OSError, http.client.HTTPException) as error:
            raise _Broken(str(error) or type(error).__name__) from error

    def _start(self, reply: Any, have: int) -> int:
        """Return from which byte on `reply` gives the file: `have`, or 0 where the server starts anew."""
        start = 0
        if reply.status == 206:
            found = _RANGE.fullmatch(reply.headers.get("Content-Range", ""))
            if found is None or int(found[1]) != have:
                self.part.unlink()
                raise _Broken("it does not go on where it was asked to")
            start = have
        length = reply.headers.get("Content-Length", "")
        size = start + int(length) if length.isdecimal() else self.model.bytes
        if size != self.model.bytes:
            raise ModelError(
                f"{reply.url} offers {size} bytes, {self.model.name} has {self.model.bytes}: it is another file. "
                "Nothing was downloaded."
            )
        return start

    def _check_room(self, missing: int) -> None:
        free = free_bytes(self.part)
        if free is not None and free < missing:
            raise SinkError(
                f"cannot write {self.part}: {missing / 1e6:.1f} MB are needed, {free / 1e6:.1f} MB are free; make "
                "room, or name another folder in VEDETTE_MODELS."
            )

    def _chunks(self, reply: Any, missing: int) -> Iterator[bytes]:
        """Yield what comes, `missing` bytes at most, until the server ends or is silent or time is over."""
        while missing:
            try:
                chunk = reply.read1(min(CHUNK, missing))
            except (OSError, http.client.HTTPException) as error:
                raise _Broken(str(error) or type(error).__name__) from error
            if not chunk:
                return
            missing -= len(chunk)
            yield chunk
            if missing and self.left_s <= 0:
                raise _Final("it is too slow: time is over")


def _fill(get: _Get, pause_s: float) -> None:
    """Complete the part file, and hold it to its hash. What an earlier call left may be spoilt: then once anew."""
    resumed = get.have > 0
    if get.have > get.model.bytes:
        get.part.unlink()
    _insist(get, pause_s)
    found = sha256_of(get.part)
    if found != get.model.sha256:
        get.part.unlink()
        if not resumed:
            raise ModelError(
                f"{get.model.url} gives something else than {get.model.name}: SHA-256 {found}, not {get.model.sha256}. "
                "Nothing was kept."
            )
        _fill(get, pause_s)


def _insist(get: _Get, pause_s: float) -> None:
    """Try until all is here; give up where nothing more comes."""
    stuck = 0
    while True:
        had = get.have
        try:
            return get.receive()
        except _Final:
            raise
        except _Broken:
            stuck = 0 if get.have > had else stuck + 1
            if stuck >= STUCK or get.left_s <= pause_s:
                raise
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 30.0)


def _check_url(url: str, *, before: str | None = None) -> None:
    """Refuse what is neither https nor this machine's own http, and a redirect from https to anything else.

    Raises:
        SettingsError: it is refused.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    https = host is not None and parts.scheme == "https"
    local = host in _LOOPBACK and parts.scheme == "http"
    if https or (local and (before is None or urlsplit(before).scheme == "http")):
        return
    what = f"{before} redirects to {url}" if before else f"the model's address is {url}"
    raise SettingsError(f"{what}; only https is trusted, and http on this machine.")


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MOST_REDIRECTS

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        try:
            _check_url(newurl, before=req.full_url)
        except SettingsError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)
