"""Annotated pictures: one file a frame, or some of them on a contact sheet."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vedette.errors import SettingsError, SinkError
from vedette.ops.draw import annotate, scaled
from vedette.ops.images import letterbox
from vedette.sinks.files import check_folder, sink_error, write_atomic
from vedette.types import Closing, Image, Results

__all__ = ["PICTURES", "ImagesSink", "PictureSink", "SheetSink"]

PICTURES = frozenset(
    f".{end}"
    for end in "bmp gif jp2 jpe jpeg jpg pbm pgm png pnm ppm tif tiff webp".split()  # noqa: SIM905
)
"""Endings of file names that are pictures: those of `vedette.sources.images`."""


class ImagesSink(Closing):
    """One annotated JPEG a frame, whole or not there, in a folder.

    Attributes:
        name: ``images:FOLDER``.
    """

    def __init__(self, folder: str | Path, *, every_s: float = 0.0, quality: int = 90) -> None:
        """Make `folder` unless it is there.

        Args:
            folder: its parent exists.
            every_s: least seconds, by the time of the source, between two pictures; 0 takes every frame.
            quality: of JPEG, 1..100.

        Raises:
            SettingsError: a value out of range.
            SinkError: the folder cannot be made or written.
        """
        self._folder = Path(folder)
        self.name = f"images:{folder}"
        if not 1 <= quality <= 100 or every_s < 0:
            raise SettingsError(
                f"{self.name}: quality={quality} must be 1..100, every={every_s:g}s not negative"
            )
        self._every_ns, self._quality = round(every_s * 1e9), quality
        self._due_ns: int | None = None
        self._stems: dict[str, str] = {}  # by source
        if not self._folder.exists():
            check_folder(self._folder)
        try:
            self._folder.mkdir(exist_ok=True)
        except FileExistsError as error:
            raise SinkError(f"cannot write pictures into {folder}: it is a file, not a folder") from error
        except OSError as error:
            raise sink_error(self._folder, error) from error
        check_folder(self._folder / "frame.jpg")

    def write(self, results: Results) -> None:
        """Write one picture, if it is due.

        Raises:
            SinkError: the disk is full or gone, or the source's own pictures lie in the folder.
        """
        if not self._due(results.frame.time_ns):
            return
        _spare_the_source(self._folder, results.frame.source)
        path = self._folder / self._file_name(results)
        write_atomic(
            path,
            _encode(annotate(results.frame.image, results.found, zones=results.zones), ".jpg", self._quality),
        )

    def close(self) -> None:
        """Do nothing: every picture is in place."""

    def _due(self, time_ns: int) -> bool:
        """Return whether a picture is due; if so, the next one is at the next whole interval since the first."""
        if self._every_ns and self._due_ns is not None:
            late_ns = time_ns - self._due_ns
            if late_ns < 0:
                return False
            self._due_ns += (late_ns // self._every_ns + 1) * self._every_ns
        else:
            self._due_ns = time_ns + self._every_ns
        return True

    def _file_name(self, results: Results) -> str:
        """Return a name after the source's file, with the frame's index where it is no picture."""
        source, path = results.frame.source, Path(results.frame.source)
        if source not in self._stems:
            self._stems[source] = self._unused(path.stem if path.suffix else "frame")
        stem = self._stems[source]
        return f"{stem}.jpg" if _is_picture(source) else f"{stem}-{results.frame.index:06d}.jpg"

    def _unused(self, stem: str) -> str:
        """Return `stem`, with a number behind where another source of this run has it."""
        name, count = stem, 1
        while name in self._stems.values():
            count += 1
            name = f"{stem}-{count}"
        return name


class PictureSink(Closing):
    """One picture in one file, of the kind that its name says.

    Attributes:
        name: the path.
    """

    def __init__(self, path: Path) -> None:
        """Check that `path`, which ends in .png, .jpg or .jpeg, can be written.

        Raises:
            SettingsError: another ending.
            SinkError: it cannot be written.
        """
        self.name, self._path, self._source = str(path), path, ""
        _check_ending(path)
        check_folder(path)

    def write(self, results: Results) -> None:
        """Write the picture; of one source there is no second.

        Raises:
            SinkError: a picture has been written already, it is the source itself, or it cannot be written.
        """
        source = results.frame.source
        if self._source:
            raise SinkError(
                f"{self.name} holds the answer to {self._source}; for more than one picture name a folder"
            )
        if self._path.exists() and Path(source).exists() and self._path.samefile(source):
            raise SinkError(f"cannot write {self.name}: it is read from; name another file")
        picture = annotate(results.frame.image, results.found, zones=results.zones)
        write_atomic(self._path, _encode(picture, self._path.suffix.lower(), 95))
        self._source = source

    def close(self) -> None:
        """Do nothing: the picture is in place."""


class SheetSink(Closing):
    """A contact sheet: up to `count` annotated thumbnails, evenly chosen from all frames, on one picture.

    Attributes:
        name: ``sheet:PATH``.
    """

    def __init__(self, path: str | Path, *, columns: int = 4, count: int = 12, width: int = 320) -> None:
        """Check that `path` can be written; that is done at closing.

        Args:
            path: ends in .png, .jpg or .jpeg.
            columns: 1..16.
            count: how many thumbnails, 1..256.
            width: of a thumbnail in pixels, 64..1920.

        Raises:
            SettingsError: a value out of range.
            SinkError: it cannot be written.
        """
        self._path = Path(path)
        self.name = f"sheet:{path}"
        _check_ending(self._path)
        limits = (("columns", columns, 1, 16), ("count", count, 1, 256), ("width", width, 64, 1920))
        for what, value, low, high in limits:
            if not low <= value <= high:
                raise SettingsError(f"{self.name}: {what}={value} must be {low}..{high}")
        check_folder(self._path)
        self._columns, self._count, self._width = columns, count, width
        self._kept: list[tuple[Image, str]] = []
        self._stride = 1
        self._seen = 0
        self._start_ns = 0
        self._closed = False

    def write(self, results: Results) -> None:
        """Keep a thumbnail of every `stride`-th frame; the stride doubles when there are twice as many as wanted."""
        if self._closed:
            raise SinkError(f"{self.name} is closed")
        if self._seen == 0:
            self._start_ns = results.frame.time_ns
        if self._seen % self._stride == 0:
            self._kept.append((self._thumbnail(results), self._caption(results)))
        self._seen += 1
        if len(self._kept) >= 2 * self._count:
            self._kept = self._kept[::2]
            self._stride *= 2

    def close(self) -> None:
        """Write the sheet; without a frame there is none.

        Raises:
            SinkError: it cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        if self._kept:
            write_atomic(self._path, _encode(self._sheet(), self._path.suffix.lower(), 92))

    def _thumbnail(self, results: Results) -> Image:
        """Return the frame made small, annotated after that, so that the labels read."""
        width, height = results.frame.size_wh
        factor = min(self._width / width, self._width / height)  # upright pictures keep within a square
        size = max(1, round(width * factor)), max(1, round(height * factor))
        small = cv2.resize(results.frame.image, size, interpolation=cv2.INTER_AREA)
        return annotate(np.asarray(small, np.uint8), scaled(results.found, factor), zones=results.zones)

    def _caption(self, results: Results) -> str:
        seconds = (results.frame.time_ns - self._start_ns) / 1e9
        found = sum(len(one) for one in results.found.values())
        return f"#{results.frame.index}  {seconds:.1f} s  {found} found"

    def _sheet(self) -> Image:
        """Return the thumbnails in rows on dark grey, each above its caption."""
        last = len(self._kept) - 1
        picks = sorted({round(k) for k in np.linspace(0, last, min(self._count, last + 1))})
        cells = [self._kept[k] for k in picks]
        columns = min(self._columns, len(cells))
        gap, line = 8, 24
        high = max(picture.shape[0] for picture, _ in cells)
        rows = -(-len(cells) // columns)
        sheet: Image = np.full(
            (gap + rows * (high + line + gap), gap + columns * (self._width + gap), 3), 24, np.uint8
        )
        for k, (picture, caption) in enumerate(cells):
            x, y = gap + k % columns * (self._width + gap), gap + k // columns * (high + line + gap)
            letterbox(
                picture, (self._width, high), pad_value=24, out=sheet[y : y + high, x : x + self._width]
            )
            cv2.putText(sheet, caption, (x, y + high + 17), cv2.FONT_HERSHEY_SIMPLEX, min(0.5, self._width / 500),
                        (235, 235, 235), 1, cv2.LINE_AA)  # fmt: skip
        return sheet


def _encode(picture: Image, ending: str, quality: int) -> bytes:
    options = [] if ending == ".png" else [cv2.IMWRITE_JPEG_QUALITY, quality]
    done, data = cv2.imencode(ending, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise SinkError(
            f"cannot encode a picture of {picture.shape[1]} x {picture.shape[0]} pixels as {ending}"
        )
    return data.tobytes()


def _check_ending(path: Path) -> None:
    if path.suffix.lower() not in {".png", ".jpg", ".jpeg"}:
        raise SettingsError(f"cannot write {path}: its name ends in .png, .jpg or .jpeg")


def _is_picture(source: str) -> bool:
    """Return whether a frame's source is a picture's file, not a stream or a video."""
    return "://" not in source and Path(source).suffix.lower() in PICTURES


def _spare_the_source(folder: Path, source: str) -> None:
    """Refuse the folder of the picture that was read: a.bmp becomes a.jpg, which may be the next picture there."""
    try:
        same = _is_picture(source) and folder.samefile(Path(source).parent)
    except (OSError, ValueError):
        return  # one of the two does not exist
    if same:
        raise SinkError(
            f"cannot write pictures into {folder}: {Path(source).name} is read from it; name another folder"
        )
