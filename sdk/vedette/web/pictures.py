"""Results as JPEG files: small ones for the stream, each encoded once; and the whole picture for a snapshot."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import cv2

from vedette.errors import SinkError
from vedette.ops.draw import annotate, scaled
from vedette.types import Image, Results
from vedette.web.feed import Picture

__all__ = ["Pictures", "encode"]

_SNAPSHOT_QUALITY = 95


class Pictures:
    """The newest results, and their JPEGs as far as somebody asked for them. Safe to use from several threads.

    Args:
        max_px: longest side of a streamed picture; larger ones are reduced.
        quality: of the JPEG, 1..100.

    Attributes:
        encoded: how many pictures were encoded for the stream so far.
    """

    def __init__(self, *, max_px: int, quality: int) -> None:
        self.encoded = 0
        self._max_px, self._quality = max_px, quality
        self._lock = threading.Lock()
        self._newest: tuple[Results, int] | None = None
        self._made: dict[bool, Picture] = {}
        self._before: bytes | None = None

    def put(self, results: Results) -> None:
        """Take the place of what was newest."""
        with self._lock:
            self._newest = results, time.monotonic_ns()
            self._made, self._before = {}, None

    @property
    def newest(self) -> tuple[Results, int] | None:
        """The newest results and when they came (monotonic, ns); None before the first."""
        with self._lock:
            return self._newest

    def stream(self, *, boxes: bool, before: bool = False) -> Picture | None:
        """Return the newest picture for the stream, with or without `boxes`; None before the first.

        With `before` it holds the same frame before it was enhanced, too, without boxes.
        """
        with self._lock:
            if self._newest is None:
                return None
            results, written_ns = self._newest
            if boxes not in self._made:
                jpeg = self._encode(_drawn(results, self._max_px, boxes=boxes))
                self._made[boxes] = Picture(jpeg, results.frame.index, written_ns)
            if not before:
                return self._made[boxes]
            if self._before is None:
                first = next(iter(results.enhanced.values()), None)
                self._before = self._encode(_reduced(first.before, self._max_px)) if first else b""
            return replace(self._made[boxes], before=self._before)

    def _encode(self, image: Image) -> bytes:
        self.encoded += 1
        return encode(image, quality=self._quality)

    def snapshot(self, *, boxes: bool) -> Picture | None:
        """Return the newest picture in full size, with or without `boxes`; None before the first."""
        newest = self.newest
        if newest is None:
            return None
        results, written_ns = newest
        image = results.frame.image
        whole = annotate(image, results.found, zones=results.zones) if boxes else image
        return Picture(encode(whole, quality=_SNAPSHOT_QUALITY), results.frame.index, written_ns)


def encode(image: Image, *, quality: int) -> bytes:
    """Return `image` as a JPEG file of `quality` 1..100.

    Raises:
        SinkError: it cannot be one; a side is longer than 65500 px.
    """
    try:
        done, data = cv2.imencode(
            ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
        )
    except cv2.error as error:
        raise SinkError(f"the dashboard cannot encode a picture of {image.shape}: {error.err}") from error
    if not done:
        raise SinkError(f"the dashboard cannot encode a picture of {image.shape} as JPEG.")
    return data.tobytes()


def _drawn(results: Results, max_px: int, *, boxes: bool) -> Image:
    """Return the picture with its longest side at most `max_px`; drawn on afterwards, so that lines stay sharp."""
    image = _reduced(results.frame.image, max_px)
    factor = _factor(results.frame.image, max_px)
    return annotate(image, scaled(results.found, factor), zones=results.zones) if boxes else image


def _reduced(image: Image, max_px: int) -> Image:
    factor = _factor(image, max_px)
    if factor == 1:
        return image
    size_wh = [max(1, round(side * factor)) for side in (image.shape[1], image.shape[0])]
    return cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA).astype(image.dtype, copy=False)


def _factor(image: Image, max_px: int) -> float:
    longest_px: int = max(image.shape[:2])
    return min(1.0, max_px / longest_px)
