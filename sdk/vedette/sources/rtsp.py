"""Network cameras: RTSP, and motion JPEG over HTTP, through FFmpeg."""

from __future__ import annotations

import http.client
import socket
import ssl
import string
import time
from urllib.parse import quote, urlsplit

import cv2

from vedette.errors import SettingsError, SourceError, SourceLost
from vedette.sources.capture import Capture, OpenCapture, open_capture, read_on, to_rgb
from vedette.sources.uri import SourceURI
from vedette.types import Closing, Frame

__all__ = ["NetworkCamera", "open_rtsp"]

TIMEOUT_S = 10.0
_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_DIAGNOSIS_S = 2.0


def open_rtsp(uri: SourceURI) -> NetworkCamera:
    """Open the stream at a network address; options follow ``#``: ``timeout`` in seconds, ``give_up``.

    Size and rate are set in the camera.

    Raises:
        SourceError: no answer in time, refused, not permitted, or not a stream.
        SettingsError: an option is unknown or wrong, or the address has no host.
    """
    uri.allow("timeout", "give_up")
    return NetworkCamera(uri.path, name=str(uri), timeout_s=uri.timeout_s(TIMEOUT_S))


class NetworkCamera(Closing):
    """A stream from the network. RTSP goes over TCP where the camera can, as lost packets tear pictures.

    Args:
        address: the whole address, with user and password where needed. It is never shown.
        name: what to call it in messages.
        timeout_s: longest wait for the connection, and for each frame.
        opener: opens the stream, see `OpenCapture`.

    Raises:
        SourceError: no answer in time, refused, not permitted, or not a stream.
        SettingsError: the address has no host.
    """

    live = True

    def __init__(
        self, address: str, *, name: str, timeout_s: float = TIMEOUT_S, opener: OpenCapture = open_capture
    ) -> None:
        self.name = name
        self.timeout_s = timeout_s
        self._index = 0
        _host_port(address, name)
        # OpenCV's own default for RTSP is `rtsp_flags=prefer_tcp`.
        limit_ms = round(timeout_s * 1000)
        params = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit_ms)
        start_s = time.monotonic()
        self._capture: Capture | None = opener(address, cv2.CAP_FFMPEG, params)
        if not self._capture.isOpened():
            self._capture.release()
            waited = time.monotonic() - start_s >= 0.9 * timeout_s
            raise SourceError(f"{name} cannot be opened: {_diagnose(address, timed_out=waited)}")

    def read(self) -> Frame | None:
        """Return the next frame, stamped when it arrived; None after `close`. A broken picture is passed over.

        Raises:
            SourceLost: the stream ended, or no picture came for `timeout_s`.
        """
        if self._capture is None:
            return None
        end_s = time.monotonic() + 0.9 * self.timeout_s
        good, picture = read_on(self._capture, end_s=end_s)
        now_ns = time.monotonic_ns()
        if not good:
            waited = time.monotonic() >= end_s
            cause = (
                f"no picture came for {self.timeout_s:g} s" if waited else "the other side ended the stream"
            )
            raise SourceLost(
                f"{self.name}: lost after {self._index} frames: {cause}. Check the camera and the network; the option "
                "'give_up' (seconds) makes it try again."
            )
        index, self._index = self._index, self._index + 1
        return Frame(to_rgb(picture), index, now_ns, now_ns, self.name)

    def close(self) -> None:
        """Close the connection."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None


def _host_port(address: str, name: str) -> tuple[str, int]:
    scheme = address.partition(":")[0]
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:  # its text may hold the password
        host, port = None, None
    # A second @ means that a password was cut in two; its end must not be taken for the host and shown.
    if not host or ("@" in parts.netloc and "@" in parts.path):
        raise SettingsError(
            f"{name} names no host, or not clearly; write {scheme}://user:password@host:port/path, and @ : / # ? in "
            "user, password or path as %40 %3A %2F %23 %3F."
        )
    return host, port or _PORTS[scheme.lower()]


def _diagnose(address: str, *, timed_out: bool) -> str:
    """Return why the stream at `address` did not open, and what to do; asks the host in a bounded time."""
    host, port = _host_port(address, "it")
    where = f"{host}, port {port}"
    try:
        socket.create_connection((host, port), _DIAGNOSIS_S).close()
    except (socket.gaierror, UnicodeError):  # UnicodeError: an empty or too long label
        return f"the name {host} is not known in this network; check it, or use the camera's IP address."
    except TimeoutError:
        return f"no answer from {where}; check the address, the camera's power, and any firewall."
    except ConnectionRefusedError:
        return f"{where} refuses the connection; check the port, and that streaming is switched on in the camera."
    except OSError as error:
        return f"{where} cannot be reached: {error.strerror or error}; check the network."
    if timed_out:
        return f"{where} takes the connection but sends no stream; check the path, or raise the option 'timeout'."
    if address.startswith("http"):
        return _http_answer(address)
    return (
        f"{where} answers, but not with this stream; check path, user and password in the camera's settings."
    )


def _http_answer(address: str) -> str:
    parts = urlsplit(address)
    host, port = _host_port(address, "it")
    secure = parts.scheme == "https"
    connection = (http.client.HTTPSConnection if secure else http.client.HTTPConnection)(
        host, port, timeout=_DIAGNOSIS_S
    )
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", quote(path, safe=string.punctuation))
        answer = connection.getresponse()
        status, kind = answer.status, answer.headers.get_content_type()
    except (OSError, http.client.HTTPException, ssl.SSLError):
        return f"{host}, port {port} answers, but not as a web server does; check the port."
    finally:
        connection.close()
    if status in (401, 403):
        return (
            f"{host} does not permit it ({status}); check user and password: http://user:password@{host}/..."
        )
    if status >= 400:
        return f"{host} answers {status} {http.client.responses.get(status, '')}; check the path."
    return f"{host} sends {kind}, not a stream of pictures; give the address of the MJPEG stream itself."
