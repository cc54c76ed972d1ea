"""Pictures of every kind come as 8-bit RGB; broken ones are passed over until there are too many."""

import cv2
import numpy as np
import pytest

from vedette.errors import SourceError, VedetteError
from vedette_train.data.pictures import Cache, leave_out_broken, read_rgb, readable, size_wh_of
from vedette_train.data.samples import ClassPhoto
from written import picture, put

GREY = np.full((8, 12), 100, np.uint8)
CLEAR = np.full((8, 12, 4), (0, 0, 200, 0), np.uint8)


def cmyk(path):
    from PIL import Image

    Image.new("CMYK", (12, 8), (0, 255, 255, 0)).save(path)


def turned(path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (12, 8), (255, 0, 0)).save(path, exif=exif)


def written_as(array):
    return lambda path: cv2.imwrite(str(path), array)


@pytest.mark.parametrize(
    ("name", "write", "shape", "rgb"),
    [
        pytest.param("x.png", written_as(GREY), (8, 12, 3), (100, 100, 100), id="grey"),
        pytest.param(
            "x.png", written_as(GREY.astype(np.uint16) * 257), (8, 12, 3), (100, 100, 100), id="16 bit"
        ),
        pytest.param("x.png", written_as(CLEAR), (8, 12, 3), (200, 0, 0), id="transparent"),
        pytest.param("x.jpg", cmyk, (8, 12, 3), (255, 0, 0), id="CMYK"),
        pytest.param("x.jpg", turned, (12, 8, 3), (255, 0, 0), id="EXIF"),
    ],
)
def test_every_kind_is_read(tmp_path, name, write, shape, rgb):
    write(tmp_path / name)
    image = read_rgb(tmp_path / name)

    assert (image.shape, image.dtype) == (shape, np.uint8)
    np.testing.assert_allclose(image[4, 4], rgb, atol=3)  # JPEG
    assert size_wh_of(tmp_path / name) == (shape[1], shape[0])


def test_a_cut_off_picture_is_no_picture(tmp_path):
    data = cv2.imencode(".jpg", picture(0))[1].tobytes()
    (tmp_path / "x.jpg").write_bytes(data[: len(data) // 2])

    with pytest.raises(SourceError, match="cut off"):
        read_rgb(tmp_path / "x.jpg")
    (tmp_path / "y.jpg").write_bytes(b"no picture")
    assert size_wh_of(tmp_path / "y.jpg") is None


def test_the_cache_holds_so_many_bytes_whatever_the_pictures(tmp_path):
    read = []

    def picture_of(path):
        read.append(path.name)
        side = int(path.name)
        return np.zeros((side, side, 3), np.uint8)

    cache = Cache(picture_of, most_bytes=3 * 20 * 20 * 3)
    for name in ("20", "21", "10", "20", "40", "10"):  # 40 alone is more than there is room for
        assert cache(tmp_path / name).shape[0] == int(name)
        assert cache.bytes <= 3 * 20 * 20 * 3
    assert read == ["20", "21", "10", "40", "10"]


def test_the_cache_forgets_what_was_longest_unused(tmp_path):
    read = []
    cache = Cache(lambda path: read.append(path.name) or np.zeros((10, 10, 3), np.uint8), most_bytes=600)
    for name in "abacab":
        cache(tmp_path / name)
    assert "".join(read) == "abcb"


def test_photos_that_cannot_be_read_are_passed_over(tmp_path):
    photos = [ClassPhoto(put(tmp_path / f"{i}.png", i), i) for i in range(3)]
    photos[1].path.write_bytes(b"no picture")
    assert [photo.class_id for photo, _ in readable(photos)] == [0, 2]


def drawing(paths):
    return lambda rng: read_rgb(paths[rng.integers(len(paths))])


def test_broken_pictures_are_passed_over(tmp_path):
    paths = [put(tmp_path / f"{i}.png", i) for i in range(10)]
    paths[3].write_bytes(b"")
    told = set()
    draw = leave_out_broken(drawing(paths), pictures=10, tell=told.add)

    assert all(draw(np.random.default_rng(seed)).shape == (80, 120, 3) for seed in range(60))
    assert len(told) == 1
    assert "3.png is empty" in told.pop()


def test_too_many_broken_pictures_end_it(tmp_path):
    paths = [put(tmp_path / f"{i}.png", i) for i in range(10)]
    for i in (3, 4):
        paths[i].write_bytes(b"")
    draw = leave_out_broken(drawing(paths), pictures=10)

    with pytest.raises(
        VedetteError, match=r"2 of 10 pictures cannot be read, more than 10%.*[34]\.png is empty.*data check"
    ):
        for seed in range(200):
            draw(np.random.default_rng(seed))
