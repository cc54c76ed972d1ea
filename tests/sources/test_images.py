"""Picture files: every kind comes as upright RGB, or as one clear error."""

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from vedette.errors import SourceError
from vedette.sources.images import decode_image, find_images, read_image
from vedette.sources.uri import open_source

W, H = 24, 16


def upright() -> np.ndarray:
    """Four plain quarters, BGR: red, green / blue, white."""
    picture = np.zeros((H, W, 3), np.uint8)
    picture[: H // 2, : W // 2, 2] = 255
    picture[: H // 2, W // 2 :, 1] = 255
    picture[H // 2 :, : W // 2, 0] = 255
    picture[H // 2 :, W // 2 :] = 255
    return picture


def stored(orientation: int) -> np.ndarray:
    """`upright` as a camera held otherwise stores it (Exif 2.3, table 6)."""
    picture = upright()
    if orientation >= 5:
        picture = picture.transpose(1, 0, 2)
    flips = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (-1, 1), 7: (-1, -1), 8: (1, -1)}
    down, across = flips.get(orientation, (1, 1))
    return np.ascontiguousarray(picture[::down, ::across])


def exif(orientation: int) -> bytes:
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def encoded(kind: str, picture: np.ndarray, *options: int) -> bytes:
    return cv2.imencode(kind, picture, options)[1].tobytes()


def jpeg_with_exif(orientation: int) -> bytes:
    data = encoded(".jpg", stored(orientation), cv2.IMWRITE_JPEG_QUALITY, 98)
    block = b"Exif\0\0" + exif(orientation)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_with_exif(orientation: int) -> bytes:
    data = encoded(".png", stored(orientation))
    return data[:33] + chunk(b"eXIf", exif(orientation)) + data[33:]


def webp_with_exif(orientation: int) -> bytes:
    picture = stored(orientation)
    body = encoded(".webp", picture, cv2.IMWRITE_WEBP_QUALITY, 101)[12:]
    size = struct.pack("<I", picture.shape[1] - 1)[:3] + struct.pack("<I", picture.shape[0] - 1)[:3]
    extended = b"VP8X" + struct.pack("<IB3x", 10, 0x08) + size
    meta = exif(orientation)
    whole = (
        b"WEBP" + extended + body + b"EXIF" + struct.pack("<I", len(meta)) + meta + b"\0" * (len(meta) % 2)
    )
    return b"RIFF" + struct.pack("<I", len(whole)) + whole


def tiff_with_orientation(orientation: int) -> bytes:
    picture = stored(orientation)[..., ::-1]
    height, width = picture.shape[:2]
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 2),
            (273, 4, 1, 200), (274, 3, 1, orientation), (277, 3, 1, 3), (278, 4, 1, height),
            (279, 4, 1, picture.size)]  # fmt: skip
    head = (
        b"II*\0"
        + struct.pack("<IH", 8, len(tags))
        + b"".join(struct.pack("<HHII", *t) for t in tags)
        + bytes(4)
    )
    return head.ljust(200, b"\0") + picture.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "make", [jpeg_with_exif, png_with_exif, webp_with_exif, tiff_with_orientation], ids=lambda f: f.__name__
)
def test_turned_upright(make: object, orientation: int) -> None:
    image = decode_image(make(orientation), label="x")  # type: ignore[operator]
    assert image.shape == (H, W, 3)
    # JPEG's colour is halved in resolution: the middle of each quarter is compared.
    difference = image[3::8, 5::12].astype(int) - upright()[3::8, 5::12, ::-1]
    assert np.abs(difference).max() <= 12


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        pytest.param(np.full((5, 7), 99, np.uint8), (99, 99, 99), id="grey"),
        pytest.param(np.full((5, 7), 40000, np.uint16), (156, 156, 156), id="grey-16-bit"),
        pytest.param(np.full((5, 7, 3), (1 << 8, 2 << 8, 3 << 8), np.uint16), (3, 2, 1), id="colour-16-bit"),
        pytest.param(np.full((5, 7, 4), (10, 20, 30, 0), np.uint8), (30, 20, 10), id="transparent"),
        pytest.param(np.full((1, 1, 3), (10, 20, 30), np.uint8), (30, 20, 10), id="1x1"),
        pytest.param(np.full((20, 20_000, 3), (10, 20, 30), np.uint8), (30, 20, 10), id="20000x20"),
    ],
)
def test_every_kind_becomes_rgb_of_8_bits(
    tmp_path: Path, pixels: np.ndarray, expected: tuple[int, ...]
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(".png", pixels))
    image = read_image(path)
    assert image.dtype == np.uint8
    assert image.shape == (*pixels.shape[:2], 3)
    assert image.flags.c_contiguous
    assert tuple(image[0, 0].tolist()) == expected


def test_cmyk_jpeg() -> None:
    pil = pytest.importorskip("PIL.Image", reason="Pillow writes the CMYK file")
    import io

    file = io.BytesIO()
    pil.new("CMYK", (16, 16), (0, 255, 255, 0)).save(file, "JPEG")
    assert decode_image(file.getvalue(), label="x")[8, 8].tolist() == pytest.approx([255, 0, 0], abs=4)


NOISE = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)


@pytest.mark.parametrize("kind", [".jpg", ".png", ".webp", ".tiff", ".bmp", ".gif", ".jp2"])
def test_cut_off_file_is_an_error_not_half_a_picture(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a{kind}"
    data = encoded(kind, NOISE)
    assert decode_image(data, label="whole").shape == NOISE.shape
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match=r"cut off|damaged|decoded") as caught:
        read_image(path)
    assert str(path) in str(caught.value)


def test_jpeg_with_thumbnail_is_cut_off_though_the_thumbnail_has_an_end() -> None:
    data = encoded(".jpg", NOISE)
    thumbnail = b"Exif\0\0" + encoded(".jpg", NOISE[:8, :8])
    whole = data[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + data[2:]
    assert decode_image(whole + b"trailing", label="x").shape == NOISE.shape
    with pytest.raises(SourceError, match="cut off"):
        decode_image(whole[:-500], label="x")


def huge_png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def huge_jpeg() -> bytes:
    data = bytearray(encoded(".jpg", NOISE))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65000, 65000)
    return bytes(data)


def huge_bmp() -> bytes:
    data = bytearray(encoded(".bmp", NOISE))
    data[18:26] = struct.pack("<ii", 60000, 60000)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(huge_png(20_000, 20_000), id="png"),
        pytest.param(huge_png(4_000_000, 1000), id="wide-png"),
        pytest.param(huge_png(1, 2_000_000), id="high-png"),
        pytest.param(huge_jpeg(), id="jpeg"),
        pytest.param(huge_bmp(), id="bmp"),
    ],
)
def test_giant_names_the_limit_before_it_is_unpacked(data: bytes) -> None:
    with pytest.raises(SourceError, match="the limit is 268 million"):
        decode_image(data, label="x")


def os2_bmp() -> bytes:
    """Return a BMP with the 12-byte header."""
    head = struct.pack("<IHHHH", 12, 64, 48, 1, 24)
    return b"BM" + struct.pack("<IHHI", 26 + 64 * 48 * 3, 0, 0, 26) + head + bytes(64 * 48 * 3)


PLAIN = np.full((48, 64, 3), 99, np.uint8)
COMMENTED = b"P5 # 1 2\n# 3\n64 # wide\n48 255 " + bytes(48 * 64)


@pytest.mark.parametrize(
    ("data", "size"),
    [
        *(
            pytest.param(encoded(kind, PLAIN), "64 x 48", id=kind)
            for kind in (".bmp", ".gif", ".jp2", ".jpg", ".png", ".ppm", ".tiff")
        ),
        pytest.param(tiff_with_orientation(6), "16 x 24", id="tiff with long tags"),
        pytest.param(b"P4\n64 48\n" + bytes(8 * 48), "64 x 48", id="pbm"),
        pytest.param(os2_bmp(), "64 x 48", id="bmp of OS/2"),
        pytest.param(COMMENTED, "64 x 48", id="pgm with comments"),
    ],
)
def test_the_limit_holds_before_decoding(data: bytes, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = decode_image(data, label="x").size // 3
    monkeypatch.setattr("vedette.sources.images.MAX_PIXELS", pixels)
    decode_image(data, label="x")
    monkeypatch.setattr("vedette.sources.images.MAX_PIXELS", pixels - 1)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(SourceError, match=f"x has {size} pixels; the limit is"):
        decode_image(data, label="x")


@pytest.mark.parametrize("kind", [".hdr", ".pam", ".ras", ".webp"])
def test_the_limit_holds_for_other_kinds_after_decoding(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(kind, PLAIN.astype(np.float32) if kind == ".hdr" else PLAIN)
    monkeypatch.setattr("vedette.sources.images.MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(SourceError, match="x has 64 x 48 pixels; the limit is"):
        decode_image(data, label="x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "there is no file", id="missing"),
        pytest.param(b"", "is empty", id="zero-bytes"),
        pytest.param(b"hello " * 100, "is not a picture", id="text"),
        pytest.param(b"\xff\xd8", "cut off", id="two-bytes"),
        pytest.param(
            b"\x00\x00\x00\x20ftypavif" + bytes(40), "is not a picture|cannot be decoded", id="avif"
        ),
    ],
)
def test_a_file_given_by_name_raises(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    with pytest.raises(SourceError) as caught, open_source(str(path)) as source:
        source.read()
    assert "none of" not in str(caught.value)


@pytest.mark.skipif(not cv2.haveImageWriter("a.avif"), reason="this OpenCV writes no AVIF")
def test_avif_is_refused_since_it_would_not_be_turned_upright() -> None:
    with pytest.raises(SourceError, match="of another kind"):
        decode_image(encoded(".avif", NOISE), label="x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(SourceError, match="cannot be read: Permission denied"):
        read_image(path)


def test_pipe_is_refused_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.jpg")
    with pytest.raises(SourceError, match="device or pipe"):
        read_image(tmp_path / "p.jpg")


def folder(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(encoded(".png", upright()))
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", ["a2.png", "a10.PNG", "b.jpg"], id="folder-in-natural-order"),
        pytest.param("?recursive=1", ["a2.png", "a10.PNG", "b.jpg", "sub/a1.png"], id="recursive"),
        pytest.param("a*", ["a2.png", "a10.PNG"], id="pattern"),
        pytest.param("a?.png", ["a2.png"], id="question-mark"),
        pytest.param("**/*1*", ["a10.PNG", "sub/a1.png"], id="deep-pattern"),
        pytest.param("*", ["a2.png", "a10.PNG", "b.jpg", "picture"], id="contents-decide-in-patterns"),
        pytest.param("b.jpg", ["b.jpg"], id="one"),
    ],
)
def test_which_files(tmp_path: Path, text: str, expected: list[str]) -> None:
    folder(tmp_path, "a10.PNG", "a2.png", "b.jpg", "sub/a1.png", ".hidden.png", "picture")
    (tmp_path / "notes.txt").write_text("x")
    with open_source(f"{tmp_path}/{text}") as source:
        assert not source.live
        frames = list(iter(source.read, None))
    assert [str(Path(f.source).relative_to(tmp_path)) for f in frames] == expected
    assert [(f.index, f.time_ns) for f in frames] == [(i, i * 10**9) for i in range(len(expected))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no picture is in the folder"),
        ("*.jpg", "no picture matches"),
        ("x[", r"there is no file|no picture matches"),
    ],
)
def test_nothing_found(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        open_source(f"{tmp_path}/{text}")


def test_broken_picture_in_a_folder_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "2.png").write_bytes(b"broken")
    with open_source(str(tmp_path)) as source:
        frames = list(iter(source.read, None))
        assert [f.index for f in frames] == [0, 2]
        assert [path for path, _ in source.skipped] == [tmp_path / "2.png"]  # type: ignore[attr-defined]
    assert "2.png" in caplog.text


def test_folder_of_nothing_but_broken_pictures_is_an_error(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(b"broken")
    with (
        open_source(str(tmp_path)) as source,
        pytest.raises(SourceError, match="none of 2 pictures can be read"),
    ):
        source.read()


def test_find_images_gives_paths(tmp_path: Path) -> None:
    folder(tmp_path, "1.png")
    assert find_images(str(tmp_path)) == (tmp_path / "1.png",)
