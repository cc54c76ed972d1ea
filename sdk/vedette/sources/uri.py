"""Name any source of pictures in one line of text, and open it.

::

    0                                              the camera of this device
    picamera2://0?size=1280x720&fps=30             a Raspberry Pi camera module
    v4l2:///dev/video0?size=1280x720&fps=30        a USB camera; /dev/video0 alone will do
    rtsp://user:password@host/stream#timeout=10    a network camera
    http://host/stream.mjpg#timeout=10             motion JPEG over HTTP
    clip.mp4?pace=real&loop=1                      a video file
    photo.jpg, photos/, 'photos/*.png'             pictures
    demo://                                        a virtual camera

Options follow ``?``. Behind network addresses they follow ``#``: there, what follows ``?`` is for the server.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import cast
from urllib.parse import parse_qsl, unquote

from vedette.errors import SettingsError, SourceError, unknown_name
from vedette.types import Source

__all__ = ["LIVE_OPTIONS", "SCHEMES", "SourceURI", "is_csi_board", "open_source", "parse_source"]

LIVE_OPTIONS = ("size", "fps", "timeout", "give_up")
"""Options of every camera: what to ask for; seconds without a frame until it is lost; seconds to retry."""

_HOMES: Mapping[str, str] = MappingProxyType(
    {
        "demo": "vedette.sources.demo:open_demo",
        "http": "vedette.sources.rtsp:open_rtsp",
        "https": "vedette.sources.rtsp:open_rtsp",
        "images": "vedette.sources.images:open_images",
        "picamera2": "vedette.sources.picamera2:open_picamera2",
        "rtsp": "vedette.sources.rtsp:open_rtsp",
        "rtsps": "vedette.sources.rtsp:open_rtsp",
        "v4l2": "vedette.sources.v4l2:open_v4l2",
        "video": "vedette.sources.video:open_video",
    }
)
SCHEMES = (*sorted(_HOMES), "camera", "file")
"""What may stand before ``://``. ``camera`` and ``file`` find out which of the others is meant."""

_NETWORK = ("http", "https", "rtsp", "rtsps")
_OPTIONS = re.compile(r"\?([A-Za-z_]\w*=[^?/&]*(?:&[A-Za-z_]\w*(?:=[^?/&]*)?)*)$")
_SECRET = re.compile(r"(?i)([?&/;_#][\w-]*(?:pass|pwd|token|secret|key|auth|sig)[\w-]*=)[^&#/?;\s]*")
_VIDEO = frozenset(
    f".{end}"
    for end in "avi flv h264 h265 m2ts m4v mjpeg mjpg mkv mov mp4 mpeg mpg ogv ts webm wmv".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True, repr=False)
class SourceURI:
    """A source as the user named it, taken apart. Its text form hides passwords.

    Attributes:
        text: as given, passwords included: never to be shown.
        scheme: one of `SCHEMES`.
        path: what the scheme names: a camera number, a device, a path; for network schemes the whole address.
        options: name -> value, as text.
    """

    text: str
    scheme: str
    path: str
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        return _redact(self.text)

    def __repr__(self) -> str:
        return f"SourceURI({str(self)!r})"

    def allow(self, *names: str) -> None:
        """Check that no option but `names` is given.

        Raises:
            SettingsError: another one is; the nearest of `names` is named.
        """
        for name in self.options:
            if name not in names:
                raise unknown_name(f"option of {self.scheme} source", name, names)

    def size_wh(self, name: str = "size") -> tuple[int, int] | None:
        """Return the option ``WIDTHxHEIGHT`` in pixels, None where it is not given."""
        text = self.options.get(name)
        if text is None:
            return None
        match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
        if match is None:
            raise self._bad(name, "a size such as 1280x720")
        return int(match[1]), int(match[2])

    def number(self, name: str, default: float, *, low: float = 0.0, high: float = math.inf) -> float:
        """Return the option as a finite number from `low` to `high`."""
        text = self.options.get(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and low <= value <= high):
            upto = "or more" if math.isinf(high) else f"to {high:g}"
            raise self._bad(name, f"a number, {low:g} {upto}")
        return value

    def fps(self) -> float | None:
        """Return the option ``fps``, frames per second, None where it is not given."""
        return self.number("fps", 0.0, low=0.1, high=1000.0) if "fps" in self.options else None

    def timeout_s(self, default: float) -> float:
        """Return the option ``timeout``: seconds without a frame before the source counts as lost."""
        return self.number("timeout", default, low=0.1, high=3600.0)

    def flag(self, name: str) -> bool:
        """Return the option as yes or no; no where it is not given."""
        return self.choice(name, ("0", "1", "no", "yes", "false", "true"), "0") in ("1", "yes", "true")

    def choice(self, name: str, known: Iterable[str], default: str) -> str:
        """Return the option, one of `known`."""
        value = self.options.get(name, default)
        names = tuple(known)
        if value not in names:
            raise unknown_name(f"value of option '{name}'", value, names)
        return value

    def _bad(self, name: str, wanted: str) -> SettingsError:
        given = self.options[name]
        return SettingsError(f"option '{name}' of source {self} is '{given}'; {wanted} is needed.")


def parse_source(text: str) -> SourceURI:
    """Return `text` taken apart. Nothing is opened or looked up.

    Raises:
        SettingsError: the scheme is not known, the text is empty, or an option is given twice.
    """
    if not text.strip():
        raise SettingsError(
            "no source is given; name a camera (0), a file, a folder or a URI such as demo://."
        )
    scheme, found, rest = text.partition("://")
    if not found:
        return _parse_short(text)
    scheme = scheme.lower()
    if scheme not in SCHEMES:
        raise unknown_name("kind of source", scheme, SCHEMES)
    if scheme in _NETWORK:
        address, _, query = text.partition("#")
        return SourceURI(text, scheme, address, _options(text, query))
    path, _, query = rest.partition("?")
    return SourceURI(text, scheme, unquote(path), _options(text, query))


def open_source(text: str) -> Source:
    """Open the source that `text` names: a URI, a path, or a camera's number.

    Raises:
        SourceError: it does not exist, cannot be opened, or is not what it seems.
        SettingsError: an unknown scheme or option; the nearest known is named.
        MissingDependencyError: the source needs a package that is not installed.
    """
    uri = parse_source(text)
    if uri.scheme == "camera":
        uri = _which_camera(uri)
    elif uri.scheme == "file":
        uri = _which_file(uri)
    module, _, function = _HOMES[uri.scheme].partition(":")
    opener = getattr(importlib.import_module(module), function)
    return cast("Callable[[SourceURI], Source]", opener)(uri)


def is_csi_board(sys_folder: Path = Path("/sys/class/video4linux")) -> bool:
    """Return True where the kernel has a camera-module (CSI) node, which libcamera must drive.

    Args:
        sys_folder: holds a folder for each video node, with its card name in the file ``name``.
    """
    # USB cameras carry their product name; the Pi's receivers carry these.
    receivers = ("unicam", "rp1-cfe", "csi2", "bcm2835-unicam")
    names = (_read(path) for path in sorted(sys_folder.glob("video*/name")))
    return any(name.lower().startswith(receivers) for name in names)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _parse_short(text: str) -> SourceURI:
    path, query = text, ""
    match = _OPTIONS.search(text)
    if match is not None:  # any other '?' is a wildcard
        path, query = text[: match.start()], match[1]
    options = _options(text, query)
    if re.fullmatch(r"\d{1,3}", path):
        return SourceURI(text, "camera", path, options)
    if re.fullmatch(r"/dev/video\d+", path):
        return SourceURI(text, "v4l2", path, options)
    return SourceURI(text, "file", path, options)


def _options(text: str, query: str) -> Mapping[str, str]:
    options: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        pairs = parse_qsl(part, keep_blank_values=True)
        name, value = pairs[0] if "=" in part and pairs else (part, "1")
        if name in options:
            raise SettingsError(f"option '{name}' of source {_redact(text)} is given twice; give it once.")
        options[name] = value
    return MappingProxyType(options)


def _which_camera(uri: SourceURI) -> SourceURI:
    if is_csi_board():
        return SourceURI(uri.text, "picamera2", uri.path, uri.options)
    return SourceURI(uri.text, "v4l2", f"/dev/video{uri.path}", uri.options)


def _which_file(uri: SourceURI) -> SourceURI:
    return SourceURI(uri.text, "images" if _holds_images(uri) else "video", uri.path, uri.options)


def _holds_images(uri: SourceURI) -> bool:
    path = Path(uri.path).expanduser()
    if path.is_dir() or (not path.exists() and any(sign in uri.path for sign in "*?[")):
        return True
    if not path.exists():
        raise SourceError(f"there is no file or folder {uri.path}; check it, or give a camera such as 0.")
    if path.suffix.lower() in _VIDEO:
        return False
    images = importlib.import_module("vedette.sources.images")
    return bool(images.looks_like_image(path))


def _redact(text: str) -> str:
    scheme, found, rest = text.partition("://")
    if not found or scheme.lower() not in _NETWORK:
        return text
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    port_only = re.fullmatch(r"[^:@]*(:\d{1,5})?", authority) is not None
    if "@" in rest and not port_only:  # to the last @: a password may hold one, or a slash
        user, colon, _ = rest.rpartition("@")[0].partition(":")
        rest = f"{user if colon else ''}{':' if colon else ''}***@{rest.rpartition('@')[2]}"
    return scheme + found + _SECRET.sub(r"\1***", rest)
