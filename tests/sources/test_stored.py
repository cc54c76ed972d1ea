"""Pictures with their own depth and channels, read upright and written again."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vedette.errors import SettingsError, SinkError, SourceError
from vedette.sinks.stored import encode_stored
from vedette.sources.images import read_image
from vedette.sources.stored import read_stored


def random(shape: tuple[int, ...], dtype: str = "uint8") -> np.ndarray[Any, Any]:
    most = 1.0 if dtype == "float32" else np.iinfo(dtype).max
    return (np.random.default_rng(1).random(shape) * most).astype(dtype)


def exif(orientation: int) -> bytes:
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        pytest.param("a.png", (6, 9), "uint8", id="grey"),
        pytest.param("a.png", (6, 9), "uint16", id="grey, 16 bits"),
        pytest.param("a.png", (6, 9, 3), "uint16", id="16 bits"),
        pytest.param("a.png", (6, 9, 4), "uint16", id="16 bits and transparency"),
        pytest.param("a.tif", (6, 9, 3), "uint16", id="TIFF"),
        pytest.param("a.bmp", (6, 9, 3), "uint8", id="BMP"),
    ],
)
def test_what_is_written_is_read(tmp_path: Path, name: str, shape: tuple[int, ...], dtype: str) -> None:
    path, pixels = tmp_path / name, random(shape, dtype)
    data, lost = encode_stored(pixels, path)
    path.write_bytes(data)
    stored = read_stored(path)
    np.testing.assert_array_equal(stored.pixels, pixels)
    assert (lost, stored.notes) == ((), ())
    if len(shape) == 3:  # the first colour is red
        np.testing.assert_allclose(
            read_image(path)[..., 0], pixels[..., 0] >> (8 * (dtype == "uint16")), atol=1
        )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_pictures_are_upright_as_read_image_has_them(tmp_path: Path, kind: str, orientation: int) -> None:
    pixels = cv2.resize(random((3, 4, 3)), (32, 24), interpolation=cv2.INTER_LINEAR)
    data = cv2.imencode(f".{kind}", pixels)[1].tobytes()
    if kind == "jpeg":
        block = b"Exif\0\0" + exif(orientation)
        data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    else:
        body = b"eXIf" + exif(orientation)
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        data = data[:33] + chunk + data[33:]
    path = tmp_path / f"turned.{kind}"
    path.write_bytes(data)
    np.testing.assert_array_equal(read_stored(path).pixels, read_image(path))


def test_real_values_are_told_of(tmp_path: Path) -> None:
    pixels = random((5, 6, 3), "float32")
    pixels[0, 0] = np.nan
    path = tmp_path / "real.tif"
    cv2.imwrite(str(path), pixels[..., ::-1])
    stored = read_stored(path)
    assert stored.pixels.dtype == np.uint16
    assert stored.pixels[0, 0].tolist() == [0, 0, 0]
    np.testing.assert_allclose(stored.pixels[1:] / 65535, pixels[1:], atol=1e-5)
    assert "16 bits" in stored.notes[0]
    assert stored.notes[1].startswith("3 of them")


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "signed.tif"
    cv2.imwrite(str(path), np.zeros((4, 4), np.int16))
    with pytest.raises(SourceError, match="int16 numbers"):
        read_stored(path)
    with pytest.raises(SourceError, match="there is no file"):
        read_stored(tmp_path / "none.png")


def test_what_a_kind_cannot_hold_is_told() -> None:
    data, lost = encode_stored(random((6, 9, 4), "uint16"), Path("a.jpg"))
    assert cv2.imdecode(np.frombuffer(data, np.uint8), -1).shape == (6, 9, 3)
    assert len(lost) == 2
    with pytest.raises(SettingsError, match="a picture's name ends in one of"):
        encode_stored(random((6, 9, 3)), Path("a.gif"))
    with pytest.raises(SinkError, match="too many"):
        encode_stored(np.zeros((1, 70_000, 3), np.uint8), Path("a.jpg"))
