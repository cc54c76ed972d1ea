"""Where the gallery is, which key opens it, and what is said where it cannot be opened."""

import stat
from pathlib import Path

import numpy as np
import pytest

from vedette.errors import GalleryError, GalleryKeyError
from vedette.galleries import GalleryPlace, gallery_place, open_gallery, read_key
from vedette.gallery.seal import CREDENTIAL, create_key_file
from vedette.gallery.values import EmbeddingModel, Sample

MODEL = EmbeddingModel("a" * 64, 8, 0.5)
FACE = np.eye(8, dtype=np.float32)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        pytest.param({"XDG_DATA_HOME": "/data"}, Path("/data"), id="set"),
        pytest.param({"XDG_DATA_HOME": "data"}, Path("~/.local/share").expanduser(), id="not absolute"),
        pytest.param({}, Path("~/.local/share").expanduser(), id="not set"),
    ],
)
def test_the_usual_place(environ, folder):
    faces = folder / "vedette" / "faces"
    assert gallery_place(environ=environ) == GalleryPlace(faces / "people.db", faces / "gallery.key")


def test_the_key_is_beside_a_gallery_that_is_named():
    assert gallery_place(Path("a/b.db"), environ={}) == GalleryPlace(Path("a/b.db"), Path("a/gallery.key"))
    assert gallery_place(Path("a/b.db"), Path("k"), environ={}).key == Path("k")


def test_systemd_hands_the_key_over(tmp_path):
    (tmp_path / "cred").mkdir()
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "cred")}
    assert (
        gallery_place(tmp_path / "a.db", environ=environ).credentials is None
    )  # one that holds other secrets
    key = create_key_file(tmp_path / "cred" / CREDENTIAL)
    place = gallery_place(tmp_path / "a.db", environ=environ)
    assert read_key(place) == key
    assert (
        gallery_place(tmp_path / "a.db", Path("k"), environ=environ).credentials is None
    )  # a key that is named wins
    with open_gallery(place, MODEL, create=True) as gallery:
        gallery.enrol("Ann", [Sample(FACE[0], 1.0)])
    assert not (tmp_path / "gallery.key").exists()


def test_the_first_enrolment_makes_folder_key_and_gallery_for_their_owner_alone(tmp_path):
    place = gallery_place(tmp_path / "deep" / "er" / "people.db", environ={})
    with open_gallery(place, MODEL, create=True) as gallery:
        gallery.enrol("Ann", [Sample(FACE[0], 1.0)])
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in (place.path.parent, place.path, place.key)
    }
    assert modes == {"er": 0o700, "people.db": 0o600, "gallery.key": 0o600}
    with open_gallery(place, MODEL) as gallery:
        assert [person.name for person in gallery.people()] == ["Ann"]


def test_listing_and_erasing_need_no_model(tmp_path):
    """Also of a gallery that was made with a model that is not here any more."""
    place = gallery_place(tmp_path / "people.db", environ={})
    open_gallery(place, MODEL, create=True).close()
    with open_gallery(place, MODEL) as gallery:
        gallery.enrol("Ann", [Sample(FACE[0], 1.0)])
    with open_gallery(place) as gallery:
        assert gallery.model.sha256 == MODEL.sha256
        assert gallery.erase("Ann") == 1
    with pytest.raises(GalleryError, match="was made with model aaaaaaaaaaaa"):
        open_gallery(place, EmbeddingModel("b" * 64, 8, 0.5))


def test_without_a_gallery_it_says_how_to_make_one(tmp_path):
    with pytest.raises(
        GalleryError, match=r"there is no gallery .*`vedette faces enroll NAME PICTURE` makes one"
    ):
        open_gallery(gallery_place(tmp_path / "people.db", environ={}), MODEL)
    assert list(tmp_path.iterdir()) == []


def spoil(place, how):
    if how == "no key":
        place.key.unlink()
    elif how == "other key":
        place.key.unlink()
        create_key_file(place.key)
    elif how == "open key":
        place.key.chmod(0o644)
    elif how == "no SQLite":
        place.path.write_bytes(b"people" * 2000)
    elif how == "empty":
        place.path.write_bytes(b"")
    else:
        place.path.write_bytes(place.path.read_bytes()[:5000])


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        pytest.param("no key", GalleryKeyError, "there is no key at", id="no key"),
        pytest.param("other key", GalleryKeyError, "not the key of the gallery", id="another key"),
        pytest.param("open key", GalleryKeyError, "chmod 600", id="a key open to others"),
        pytest.param(
            "no SQLite", GalleryError, "not a gallery, or its beginning is damaged", id="not SQLite"
        ),
        pytest.param("empty", GalleryError, "is not complete; remove it", id="empty"),
        pytest.param("cut", GalleryError, "damaged", id="cut short"),
    ],
)
def test_what_is_spoilt_is_told_with_a_way_out(tmp_path, how, kind, message):
    place = gallery_place(tmp_path / "people.db", environ={})
    with open_gallery(place, MODEL, create=True) as gallery:
        gallery.enrol("Ann", [Sample(row, 1.0, picture=bytes(3000)) for row in FACE])
    spoil(place, how)
    for model in (None, MODEL):
        with pytest.raises(kind, match=message):
            open_gallery(place, model)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GalleryError, match="cannot make the folder"):
        open_gallery(gallery_place(tmp_path / "file" / "people.db", environ={}), MODEL, create=True)
