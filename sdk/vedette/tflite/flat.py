"""Read flatbuffers and flexbuffers that nobody vouches for: every offset is checked, and the work is bounded.

Written after the binary format's description: https://flatbuffers.dev/internals and
https://flatbuffers.dev/flexbuffers (types and widths of flexbuffer values).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from vedette.errors import ModelError

__all__ = ["Reader", "Table", "read_flexmap"]

BUDGET = 2_000_000
"""Numbers that are read of one file, at most. A real network of a thousand operators takes some 60,000."""

TABLE_COST = 10
TEXT_LIMIT = 1 << 16
_INT, _UINT, _FLOAT, _KEY, _STRING, _INDIRECT, _BOOL = 1, 2, 3, 4, 5, (6, 7, 8), 26


class Reader:
    """Bytes, and how much may still be read of them.

    Raises:
        ModelError: from every method, where the bytes lead outside themselves or ask for too much work.
    """

    def __init__(self, data: bytes | memoryview, *, budget: int = BUDGET) -> None:
        self.data = memoryview(data)
        self._left = budget

    def spend(self, cost: int) -> None:
        """Take `cost` from the budget."""
        self._left -= cost
        if self._left < 0:
            raise ModelError("its tables hold more entries than a network has; the file is damaged.")

    def number(self, form: str, place: int) -> int | float:
        """Return the little-endian number of struct format `form` at `place`."""
        try:
            if place < 0:
                raise struct.error
            value: int | float = struct.unpack_from(f"<{form}", self.data, place)[0]
        except struct.error as error:
            raise ModelError(
                f"it points outside the file, to byte {place}; it is damaged or cut short."
            ) from error
        return value

    def whole(self, form: str, place: int) -> int:
        """Return the whole number at `place`."""
        return int(self.number(form, place))

    def span(self, place: int, size: int) -> memoryview:
        """Return `size` bytes from `place`, without a copy."""
        if place < 0 or size < 0 or place + size > len(self.data):
            raise ModelError(f"it points outside the file, to byte {place}; it is damaged or cut short.")
        return self.data[place : place + size]

    def root(self) -> Table:
        """Return the table that the first four bytes point to."""
        return Table(self, self.whole("I", 0))


class Table:
    """A flatbuffer table at `place`; fields are asked for by their number in the schema."""

    __slots__ = ("_fields", "_place", "_reader", "_size")

    def __init__(self, reader: Reader, place: int) -> None:
        reader.spend(TABLE_COST)
        self._reader, self._place = reader, place
        self._fields = place - reader.whole("i", place)
        self._size = reader.whole("H", self._fields)

    def _field(self, slot: int) -> int:
        """Return where the field's value lies; 0 where the table has none."""
        entry = 4 + 2 * slot
        if entry + 2 > self._size:
            return 0
        offset = self._reader.whole("H", self._fields + entry)
        return self._place + offset if offset else 0

    def _target(self, slot: int) -> int:
        place = self._field(slot)
        return place + self._reader.whole("I", place) if place else 0

    def number(self, slot: int, form: str, default: int = 0) -> int:
        """Return a whole number."""
        place = self._field(slot)
        return self._reader.whole(form, place) if place else default

    def real(self, slot: int, default: float = 0.0) -> float:
        """Return a float32."""
        place = self._field(slot)
        return float(self._reader.number("f", place)) if place else default

    def table(self, slot: int) -> Table | None:
        """Return a table; None where there is none."""
        place = self._target(slot)
        return Table(self._reader, place) if place else None

    def _vector(self, slot: int, width: int) -> memoryview:
        place = self._target(slot)
        if not place:
            return memoryview(b"")
        return self._reader.span(place + 4, self._reader.whole("I", place) * width)

    def raw(self, slot: int) -> memoryview:
        """Return a vector of bytes, without a copy."""
        return self._vector(slot, 1)

    def text(self, slot: int) -> str:
        """Return a string, at most `TEXT_LIMIT` bytes of it; what is no UTF-8 is replaced."""
        span = self.raw(slot)[:TEXT_LIMIT]
        self._reader.spend(len(span) // 8)
        return bytes(span).decode("utf-8", "replace")

    def numbers(self, slot: int, form: str, *, limit: int | None = None) -> tuple[int | float, ...]:
        """Return a vector of numbers of struct format `form`, at most `limit` of it."""
        width = struct.calcsize(f"<{form}")
        span = self._vector(slot, width)
        count = len(span) // width
        count = count if limit is None else min(count, limit)
        self._reader.spend(count)
        return struct.unpack_from(f"<{count}{form}", span)

    def whole_numbers(self, slot: int, form: str = "i", *, limit: int | None = None) -> tuple[int, ...]:
        """Return a vector of whole numbers."""
        return tuple(int(v) for v in self.numbers(slot, form, limit=limit))

    def length(self, slot: int) -> int:
        """Return how many elements a vector has, as it says itself."""
        place = self._target(slot)
        return self._reader.whole("I", place) if place else 0

    def tables(self, slot: int) -> Iterator[Table]:
        """Yield the tables of a vector."""
        place = self._target(slot)
        for i in range(self.length(slot)):
            entry = place + 4 + 4 * i
            yield Table(self._reader, entry + self._reader.whole("I", entry))

    def blobs(self, slot: int) -> Iterator[memoryview]:
        """Yield the strings of a vector as bytes, without a copy."""
        place = self._target(slot)
        for i in range(self.length(slot)):
            self._reader.spend(TABLE_COST)
            entry = place + 4 + 4 * i
            start = entry + self._reader.whole("I", entry)
            yield self._reader.span(start + 4, self._reader.whole("I", start))


def read_flexmap(data: memoryview) -> dict[str, int | float | str]:
    """Return the numbers and strings of a flexbuffer whose root is a map; other values are left out.

    Raises:
        ModelError: it leads outside itself.
    """
    reader = Reader(data, budget=20_000)
    if len(data) < 3:
        return {}
    width, kind = data[-1], data[-2]
    if width not in (1, 2, 4, 8) or kind >> 2 != 9:
        return {}
    end = len(data) - 2 - width
    place = end - reader.whole(_form(width), end)
    return _read_map(reader, place, 1 << (kind & 3))


def _form(width: int, kind: int = _UINT) -> str:
    forms = {_INT: "bhiq", _FLOAT: "eefd"}.get(kind, "BHIQ")
    return forms[(1, 2, 4, 8).index(width)]


def _read_map(reader: Reader, place: int, width: int) -> dict[str, int | float | str]:
    """Return a map's values. Before `place` stand the keys' offset and width, and the number of entries."""
    form = _form(width)
    count = reader.whole(form, place - width)
    key_width = reader.whole(form, place - 2 * width)
    if key_width not in (1, 2, 4, 8):
        raise ModelError("the options of one of its operators are damaged; copy the file again.")
    keys = place - 3 * width
    keys -= reader.whole(form, keys)
    reader.spend(count * TABLE_COST)
    found = {}
    for i in range(count):
        entry = keys + i * key_width
        name = _read_key(reader, entry - reader.whole(_form(key_width), entry))
        kind = reader.whole("B", place + count * width + i)
        value = _read_value(reader, place + i * width, width, kind)
        if value is not None:
            found[name] = value
    return found


def _read_key(reader: Reader, place: int) -> str:
    span = bytes(reader.span(place, min(128, max(0, len(reader.data) - place))))
    return span.partition(b"\0")[0].decode("utf-8", "replace")


def _read_value(reader: Reader, place: int, width: int, packed: int) -> int | float | str | None:
    kind, inner = packed >> 2, 1 << (packed & 3)
    if kind == _BOOL:
        kind = _UINT
    if kind in _INDIRECT:
        place -= reader.whole(_form(width), place)
        kind, width = kind - 5, inner
    if kind in (_INT, _UINT, _FLOAT):
        return reader.number(_form(width, kind), place)
    if kind == _STRING:
        place -= reader.whole(_form(width), place)
        size = reader.whole(_form(inner), place - inner)
        return bytes(reader.span(place, min(size, TEXT_LIMIT))).decode("utf-8", "replace")
    return None
