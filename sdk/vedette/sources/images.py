"""Pictures from files: one, a folder of them, or those that a pattern such as ``photos/*.jpg`` finds."""

from __future__ import annotations

import logging
import re
import struct
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.errors import SourceError
from vedette.sources.capture import is_text, to_rgb
from vedette.sources.uri import SourceURI
from vedette.types import Closing, Frame, Image

__all__ = [
    "EXTENSIONS",
    "ImageFiles",
    "decode_image",
    "decode_with",
    "find_images",
    "looks_like_image",
    "open_images",
    "orientation",
    "read_bytes",
    "read_image",
    "turned",
]

EXTENSIONS = frozenset(
    (
        ".bmp",
        ".gif",
        ".jp2",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".pbm",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".tif",
        ".tiff",
        ".webp",
    )
)
"""What a picture's file name ends with, in small letters."""

MAX_FILE_BYTES = 1 << 30
MAX_PIXELS = 1 << 28
MAX_SIDE = 1_000_000
_KINDS = "JPEG, PNG, WebP, TIFF, BMP, GIF, JPEG 2000 and PNM can be read"
_SIZES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), 16, ">II"),
    (re.compile(rb"GIF8"), 6, "<HH"),
    (re.compile(rb"(?s)BM.{12}\x0c"), 18, "<HH"),  # OS/2
    (re.compile(rb"BM"), 18, "<ii"),
)
"""A kind's first bytes, where its header has width and height, and how."""

_NETPBM = re.compile(rb"P[1-6](?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})")
_log = logging.getLogger("vedette")


def open_images(uri: SourceURI) -> ImageFiles:
    """Open the pictures that `uri` names. Options: ``recursive`` for a folder, ``fps`` of their time stamps (1).

    Raises:
        SourceError: there is no such file or folder, or no picture in it.
        SettingsError: an option is unknown or wrong.
    """
    uri.allow("recursive", "fps")
    paths = find_images(uri.path, recursive=uri.flag("recursive"))
    single = len(paths) == 1 and paths[0] == Path(uri.path).expanduser()
    return ImageFiles(paths, name=str(uri), fps=uri.fps() or 1.0, strict=single)


class ImageFiles(Closing):
    """A source of picture files, in the given order.

    A file that cannot be read is left out and noted, unless `strict`; its index is left out as well. A frame's
    `source` is the path of its file.

    Args:
        paths: the files.
        name: what the user called them.
        fps: pictures per second of the time stamps.
        strict: raise for a file that cannot be read.

    Attributes:
        skipped: path and reason of each file left out so far.
    """

    live = False

    def __init__(
        self, paths: Sequence[Path], *, name: str = "images", fps: float = 1.0, strict: bool = False
    ) -> None:
        self.name = name
        self.skipped: tuple[tuple[Path, str], ...] = ()
        self._paths = tuple(paths)
        self._step_ns = 1e9 / fps
        self._strict = strict
        self._next = 0

    def read(self) -> Frame | None:
        """Return the next picture that can be read, None after the last.

        Raises:
            SourceError: `strict`, and a file cannot be read; or not a single one of them could.
        """
        while self._next < len(self._paths):
            index, self._next = self._next, self._next + 1
            path = self._paths[index]
            try:
                image = read_image(path)
            except SourceError as error:
                if self._strict:
                    raise
                _log.warning("left out: %s", error)
                self.skipped = (*self.skipped, (path, str(error)))
                continue
            return Frame(image, index, round(index * self._step_ns), time.monotonic_ns(), str(path))
        if self.skipped and len(self.skipped) == len(self._paths):
            first = self.skipped[0][1]
            raise SourceError(
                f"{self.name}: none of {len(self._paths)} pictures can be read. The first: {first}"
            )
        return None

    def close(self) -> None:
        """End the source: `read` returns None from now on."""
        self._paths = ()


def find_images(path: str, *, recursive: bool = False) -> tuple[Path, ...]:
    """Return the picture files of a folder or pattern in natural order (2 before 10), or the one file named.

    Hidden files are left out of folders. Of a folder, names decide (`EXTENSIONS`); of a pattern, contents may as well.

    Raises:
        SourceError: nothing is there.
    """
    place = Path(path).expanduser()
    try:
        if place.is_dir():
            found: Iterable[Path] = place.rglob("*") if recursive else place.iterdir()
            paths = [p for p in found if p.suffix.lower() in EXTENSIONS and _is_plain(p)]
            missing = f"no picture is in the folder {path} ({_KINDS}); 'recursive=1' looks in folders below."
        elif place.exists():
            return (place,)
        else:
            root = Path(place.anchor)
            paths = [
                p for p in root.glob(str(place.relative_to(root))) if _is_plain(p) and looks_like_image(p)
            ]
            missing = f"no picture matches {path}; check the path, and quote the pattern against the shell."
    except (OSError, ValueError, NotImplementedError) as error:
        raise SourceError(f"{path} cannot be listed: {error}") from error
    if not paths:
        raise SourceError(missing)
    return tuple(sorted(paths, key=_natural))


def looks_like_image(path: Path) -> bool:
    """Return True where a file's name or first bytes are a picture's."""
    return path.suffix.lower() in EXTENSIONS or (
        path.is_file() and is_text(str(path)) and cv2.haveImageReader(str(path))
    )


def read_image(path: str | Path) -> Image:
    """Return the picture in a file, (H, W, 3) uint8 RGB, turned upright as its EXIF or TIFF orientation says.

    Grey becomes RGB, 16 bits become the upper 8, CMYK becomes RGB. Transparency is left out: colours are as stored
    beneath it, which is also what training sees. Of an animation the first picture is returned.

    Raises:
        SourceError: it is missing, not readable, not a picture, cut off, or larger than `MAX_PIXELS` or `MAX_SIDE`.
    """
    return decode_image(read_bytes(path), label=str(path))


def read_bytes(path: str | Path) -> bytes:
    """Return the file of a picture, whole.

    Raises:
        SourceError: it is missing, not readable, or larger than `MAX_FILE_BYTES`.
    """
    file = Path(path).expanduser()
    if not file.exists():
        raise SourceError(f"there is no file {path}; check the path.")
    if not file.is_file():
        raise SourceError(f"{path} is not a file but a {'folder' if file.is_dir() else 'device or pipe'}.")
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise SourceError(
                f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB, the limit for a picture's file."
            )
        return file.read_bytes()
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read: {error.strerror}; check its permissions and the disk."
        ) from error


def decode_image(data: bytes, *, label: str) -> Image:
    """Return the picture that the bytes of a file hold, as `read_image` does; `label` names it in messages.

    Raises:
        SourceError: it is not a picture, cut off, or larger than `MAX_PIXELS` or `MAX_SIDE`.
    """
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    # OpenCV turns WebP from 4.11 on only, so that it is done here for all.
    flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if webp else 0)
    picture = to_rgb(decode_with(data, flags, label=label).astype(np.uint8, copy=False))
    return turned(picture, _webp_orientation(data)) if webp else picture


def decode_with(data: bytes, flags: int, *, label: str) -> NDArray[Any]:
    """Return what OpenCV decodes from the bytes of a file with its own `flags`, blue first, checked.

    Raises:
        SourceError: as `decode_image`.
    """
    if not data:
        raise SourceError(f"{label} is empty (0 bytes); copy or take the picture again.")
    _check_size(label, _declared_size(data))
    if data[:2] == b"\xff\xd8" and not _jpeg_is_whole(data):
        raise SourceError(
            f"{label} is a JPEG that is cut off ({len(data)} bytes); copy or take the picture again."
        )
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, MemoryError) as error:
        if "MAX_IMAGE" in str(error):
            raise _too_large(label, "too many pixels") from error
        raise SourceError(f"{label} cannot be decoded: {_first_line(error)}") from error
    if bgr is None or data[4:12] in (b"ftypavif", b"ftypavis"):
        raise SourceError(f"{label} is not a picture, is damaged, or is of another kind: {_KINDS}.")
    _check_size(label, (bgr.shape[1], bgr.shape[0]))  # of the kinds whose header is not read here
    return bgr


def _check_size(label: str, size_wh: tuple[int, int] | None) -> None:
    if size_wh is not None and (size_wh[0] * size_wh[1] > MAX_PIXELS or max(size_wh) > MAX_SIDE):
        raise _too_large(label, f"{size_wh[0]} x {size_wh[1]} pixels")


def _too_large(label: str, size: str) -> SourceError:
    limit = f"{MAX_PIXELS / 1e6:.0f} million, {MAX_SIDE / 1e6:.0f} million on a side"
    return SourceError(f"{label} has {size}; the limit is {limit}. Make it smaller first.")


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(p), p) if p.isdigit() and p.isascii() else (1, 0, p) for p in parts]


def _declared_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height as the header has them, None for a kind that is not known here.

    Sources: PNG 11.2.2; GIF89a, 18; BITMAPCOREHEADER, BITMAPINFOHEADER; ISO/IEC 15444-1, I.5.3.1 (ihdr); Netpbm;
    TIFF 6.0, 8; ITU-T T.81, B.2.2. A WebP is never too large: its sides have 14 bits.
    """
    for magic, at, order in _SIZES:
        if magic.match(data) and len(data) >= at + struct.calcsize(order):
            width, height = struct.unpack_from(order, data, at)
            return abs(width), abs(height)
    if data[4:8] == b"jP  " and (at := data.find(b"ihdr", 0, 1000)) >= 0 and len(data) >= at + 12:
        height, width = struct.unpack_from(">II", data, at + 4)
        return width, height
    if plain := _NETPBM.match(data):
        return int(plain[1]), int(plain[2])
    if data[:2] in (b"II", b"MM"):
        return _tiff_tag(data, 256) or 0, _tiff_tag(data, 257) or 0
    for marker, start in _jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(data) >= start + 7:
            height, width = struct.unpack(">HH", data[start + 3 : start + 7])
            return width, height
    return None


def _jpeg_segments(data: bytes) -> Iterable[tuple[int, int]]:
    """Yield marker and place of each segment (its length field) up to the first scan (ITU-T T.81, annex B)."""
    at = 2 if data[:2] == b"\xff\xd8" else len(data)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        yield marker, at + 2
        if marker == 0xDA:
            return
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def _jpeg_is_whole(data: bytes) -> bool:
    """Return True where the end marker follows the picture's own scan; OpenCV fills what is missing with grey."""
    scans = [start for marker, start in _jpeg_segments(data) if marker == 0xDA]
    return bool(scans) and data.find(b"\xff\xd9", scans[0]) >= 0


def orientation(data: bytes) -> int:
    """Return the EXIF orientation, 1..8, that a JPEG, PNG or WebP carries; 1 where it has none, and of other kinds.

    Sources: Exif 2.3, 4.7.2 (APP1 of JPEG); PNG extensions 1.5, 3.7 (eXIf).
    """
    if data[:4] == b"RIFF":
        return _webp_orientation(data)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        at = 8
        while at + 8 <= len(data):
            size = int.from_bytes(data[at : at + 4], "big")
            if data[at + 4 : at + 8] == b"eXIf":
                return _exif_orientation(data[at + 8 : at + 8 + size])
            at += 12 + size
    for marker, start in _jpeg_segments(data):
        if marker == 0xE1 and data[start + 2 : start + 8] == b"Exif\0\0":
            size = int.from_bytes(data[start : start + 2], "big")
            return _exif_orientation(data[start + 8 : start + size])
    return 1


def _webp_orientation(data: bytes) -> int:
    """Return the EXIF orientation, 1..8, of a WebP; 1 where it has none."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"EXIF":
            return _exif_orientation(data[at + 8 : at + 8 + size].removeprefix(b"Exif\0\0"))
        at += 8 + size + size % 2
    return 1


def _exif_orientation(exif: bytes) -> int:
    """Return tag 0x0112 (Exif 2.3, 4.6.2), 1 where it has none."""
    value = _tiff_tag(exif, 0x0112)
    return value if value is not None and 1 <= value <= 8 else 1


def _tiff_tag(data: bytes, wanted: int) -> int | None:
    """Return a tag, SHORT or LONG, of the first directory of a TIFF header (TIFF 6.0, 2), None where it has none."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    try:
        if order is None:
            return None
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", data, at)
            if tag == wanted and kind in (3, 4):
                return int(struct.unpack_from(order + ("H" if kind == 3 else "I"), data, at + 8)[0])
    except struct.error:
        pass  # damaged EXIF: the picture itself may be whole
    return None


def turned(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return the picture upright; 5..8 swap width and height (Exif 2.3, table 6)."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    across = orientation in (2, 3, 6, 7)
    down = orientation in (3, 4, 7, 8)
    return np.ascontiguousarray(image[:: -1 if down else 1, :: -1 if across else 1])
