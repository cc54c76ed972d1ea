"""The zip at the end of a `.tflite`: label files, a Vedette contract, what Ultralytics says of its exports."""

from __future__ import annotations

import ast
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

from vedette.errors import ModelError

__all__ = ["read_attached", "read_ultralytics"]

END = b"PK\x05\x06"
END_REACH = 65_557  # a zip's directory ends with 22 bytes and a comment of at most 65,535
MAX_MEMBERS = 50
MAX_MEMBER_BYTES = 4_000_000
MAX_NESTING = 40
ULTRALYTICS = ("metadata.json", "temp_meta.txt")
_DAMAGE = (
    zipfile.BadZipFile,
    KeyError,
    IndexError,
    OSError,
    EOFError,
    RuntimeError,
    OverflowError,
    ValueError,
    struct.error,
    zlib.error,
)


def read_attached(data: bytes) -> dict[str, bytes]:
    """Return the attached files by name; none where there is no zip. Files above 4 MB are left out.

    Raises:
        ModelError: there is a zip, and it is damaged.
    """
    if END not in data[-END_REACH:]:
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            small = [i for i in archive.infolist() if i.file_size <= MAX_MEMBER_BYTES][:MAX_MEMBERS]
            return {info.filename: _read(archive, info) for info in small}
    except _DAMAGE as error:
        raise ModelError(
            f"the files attached to it (labels, contract) are damaged: {error}. Copy the model again."
        ) from error


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Return a member, stopping where it is longer than it says."""
    with archive.open(info) as member:
        return member.read(MAX_MEMBER_BYTES)


def read_ultralytics(attached: Mapping[str, bytes]) -> Mapping[str, Any]:
    """Return what Ultralytics wrote beside its export: task, names, stride, imgsz; empty where it wrote nothing.

    Raises:
        ModelError: the note is there and cannot be read.
    """
    for name in ULTRALYTICS:
        if name in attached:
            found = _parse(attached[name].decode("utf-8", "replace"), name)
            if isinstance(found, dict) and "names" in found:
                return found
    return {}


def _parse(text: str, name: str) -> Any:
    """Read JSON, or Python's literals as older exports have them."""
    try:
        if name.endswith(".json"):
            return json.loads(text)
        if _nesting(text) > MAX_NESTING:
            raise ValueError("it is nested too deeply")
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        raise ModelError(f"{name}, attached to it, cannot be read: {error}. Copy the model again.") from error


def _nesting(text: str) -> int:
    deepest = depth = 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        deepest = max(deepest, depth)
    return deepest
