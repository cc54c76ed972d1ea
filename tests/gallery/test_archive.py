"""Carried to another device, and made anew for another model."""

from __future__ import annotations

import numpy as np
import pytest

from vedette.errors import GalleryError, GalleryKeyError
from vedette.gallery import archive as archives
from vedette.gallery.archive import Imported, export_archive, import_archive
from vedette.gallery.gallery import Gallery
from vedette.gallery.reenrol import Reenrolled, reenrol
from vedette.gallery.seal import Key
from vedette.gallery.values import EmbeddingModel, Sample

WORDS = "correct horse battery"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Make keys from passphrases in milliseconds."""
    monkeypatch.setattr(archives, "_SCRYPT", (2**14, 8, 1))


@pytest.fixture
def filled(opened, faces, samples, tmp_path, key):
    """A gallery of three people with pictures, exported."""
    people = faces(3)
    with opened() as gallery:
        for name, pictures in zip(("Ann", "Bob", "Cid"), people, strict=True):
            gallery.enrol(name, samples(pictures[:2], source="door.jpg", picture=name.encode() * 9))
    path = tmp_path / "people.archive"
    assert export_archive(tmp_path / "people.db", path, key=key, passphrase=WORDS) == 3
    return path


def test_an_archive_brings_everything_back_under_another_key(filled, faces, tmp_path, model):
    people, other = faces(3), Key(bytes(32))
    assert filled.stat().st_mode & 0o777 == 0o600
    data = filled.read_bytes()
    assert not any(word in data for word in (b"Ann", b"door", people[0, 0].tobytes()))
    new = tmp_path / "new.db"
    assert import_archive(new, filled, key=other, model=model, passphrase=WORDS) == Imported(3, 6, ())
    with Gallery(new, key=other, model=model) as gallery:
        assert [d.name for d in gallery.identify(people[:, 2])] == ["Ann", "Bob", "Cid"]
        info = gallery.templates("Bob")[0]
        assert (info.source, info.quality, info.has_picture) == ("door.jpg", 0.9, True)
        assert gallery.picture(info.id) == b"Bob" * 9


def test_importing_twice_adds_nothing_and_what_is_missing_is_added(
    filled, opened, faces, samples, tmp_path, key, model
):
    options = {"key": key, "model": model, "passphrase": WORDS}
    path = tmp_path / "people.db"
    assert import_archive(path, filled, **options) == Imported(0, 0, ())
    with opened() as gallery:
        gallery.erase_templates([gallery.templates("Ann")[0].id])
        gallery.enrol("Dan", samples(faces(4)[3]))
        assert import_archive(path, filled, **options) == Imported(0, 1, ())
        assert [(p.name, p.templates) for p in gallery.people()] == [
            ("Ann", 2),
            ("Bob", 2),
            ("Cid", 2),
            ("Dan", 3),
        ]


def test_an_archive_does_not_bring_back_who_was_erased(filled, opened, faces, tmp_path, key, model):
    options = {"key": key, "model": model, "passphrase": WORDS}
    with opened() as gallery:
        gallery.erase("Bob")
        assert import_archive(tmp_path / "people.db", filled, **options) == Imported(0, 0, ("Bob",))
        assert [p.name for p in gallery.people()] == ["Ann", "Cid"]
        back = import_archive(tmp_path / "people.db", filled, bring_back_erased=True, **options)
        assert back == Imported(1, 2, ())
        assert gallery.identify(faces(3)[1, 2])[0].name == "Bob"


def test_a_namesake_is_not_merged_with_somebody_else(filled, faces, samples, tmp_path, key, model):
    new = tmp_path / "new.db"
    with Gallery(new, key=key, model=model) as gallery:
        gallery.enrol("bob", samples(faces(9)[8]))
        with pytest.raises(GalleryError, match=r"1 names in the archive .*: Bob\. Nothing was imported"):
            import_archive(new, filled, key=key, model=model, passphrase=WORDS)
        assert [(p.name, p.templates) for p in gallery.people()] == [("bob", 3)]


def test_another_models_archive_is_refused(filled, tmp_path, key):
    other = EmbeddingModel("b" * 64, 64, 0.5)
    with pytest.raises(GalleryError, match=r"is of model aaaaaaaaaaaa, this gallery of bbbbbbbbbbbb"):
        import_archive(tmp_path / "new.db", filled, key=key, model=other, passphrase=WORDS)
    assert not (tmp_path / "new.db").exists()


def test_what_cannot_be_imported_or_exported_is_told(filled, tmp_path, key, model):
    options = {"key": key, "model": model}
    new, good = tmp_path / "new.db", filled.read_bytes()
    with pytest.raises(GalleryKeyError, match="wrong passphrase"):
        import_archive(new, filled, passphrase="something else", **options)
    bad = tmp_path / "bad"
    for data, error, told in (
        (good[:-1] + bytes([good[-1] ^ 1]), GalleryKeyError, "damaged"),
        (good[:100], GalleryKeyError, "damaged"),
        (good[:8] + b"\xff" * 12 + good[20:], GalleryError, "header is damaged"),
        (good[:20], GalleryError, "not an archive"),
        (b"", GalleryError, "not an archive"),
    ):
        bad.write_bytes(data)
        with pytest.raises(error, match=told):
            import_archive(new, bad, passphrase=WORDS, **options)
    with pytest.raises(GalleryError, match="cannot read the archive"):
        import_archive(new, tmp_path / "nowhere", passphrase=WORDS, **options)
    with pytest.raises(GalleryKeyError, match="not the key"):
        export_archive(tmp_path / "people.db", tmp_path / "b", key=Key(bytes(32)), passphrase=WORDS)
    with pytest.raises(GalleryKeyError, match="at least 12 characters"):
        export_archive(tmp_path / "people.db", tmp_path / "b", key=key, passphrase="short")
    with pytest.raises(GalleryError, match="exists; name another"):
        export_archive(tmp_path / "people.db", filled, key=key, passphrase=WORDS)
    with pytest.raises(GalleryError, match="there is no gallery"):
        export_archive(tmp_path / "none.db", tmp_path / "b", key=key, passphrase=WORDS)
    assert filled.read_bytes() == good
    assert not (tmp_path / "b").exists()
    assert not new.exists()


def test_the_shipped_cost_of_a_guess_is_the_recommended_one(monkeypatch):
    monkeypatch.undo()
    assert archives._SCRYPT == (2**16, 8, 2)  # OWASP's password storage cheat sheet
    assert len(archives._secret(WORDS, bytes(16), archives._SCRYPT)) == 32


def _by_name(people: np.ndarray):
    """Return a new model: 32 numbers that depend on the kept picture alone."""
    names = {name.encode() * 9: row for name, row in zip(("Ann", "Bob", "Cid"), people, strict=True)}
    return lambda picture: names[picture]


def test_a_gallery_is_made_anew_from_kept_pictures(filled, opened, samples, faces, tmp_path, key):
    path, other = tmp_path / "people.db", EmbeddingModel("b" * 64, 32, 0.5)
    rows = np.eye(32, dtype=np.float32)[:3]
    with opened() as gallery:
        ids = {p.name: p.id for p in gallery.people()}
    assert reenrol(path, key=key, model=other, embed=_by_name(rows)) == Reenrolled(3, 6, (), 0)
    with Gallery(path, key=key, model=other) as gallery:
        assert {p.name: p.id for p in gallery.people()} == ids
        assert [d.name for d in gallery.identify(rows)] == ["Ann", "Bob", "Cid"]
        assert gallery.templates("Ann")[0].source == "door.jpg"
        assert gallery.picture(gallery.templates("Ann")[0].id) == b"Ann" * 9
    with pytest.raises(GalleryError, match="made with model bbbbbbbbbbbb"):
        opened()


def test_nobody_is_lost_unasked(filled, opened, samples, faces, tmp_path, key):
    path, other = tmp_path / "people.db", EmbeddingModel("b" * 64, 32, 0.5)
    rows = np.eye(32, dtype=np.float32)[:3]
    with opened() as gallery:
        gallery.enrol("Dan", samples(faces(4)[3]))
        gallery.enrol("Ann", samples(faces(3)[0, 2:]))
    options = {"key": key, "model": other, "embed": _by_name(rows)}
    with pytest.raises(GalleryError, match=r"4 templates have no kept picture.*: of Ann, Dan; nothing"):
        reenrol(path, **options)
    with opened() as gallery:
        assert len(gallery.people()) == 4
    assert reenrol(path, drop_without_picture=True, **options) == Reenrolled(3, 6, ("Dan",), 4)
    with Gallery(path, key=key, model=other) as gallery:
        assert [p.name for p in gallery.people()] == ["Ann", "Bob", "Cid"]
        gallery.enrol("Dan", [Sample(rows[0], 1.0)])
    with pytest.raises(GalleryError, match="is of this model already; nothing was changed"):
        reenrol(path, drop_without_picture=True, **options)
    with pytest.raises(GalleryError, match="there is no gallery"):
        reenrol(tmp_path / "none.db", **options)


def test_a_picture_without_a_face_counts_as_lost(filled, opened, tmp_path, key):
    path, other = tmp_path / "people.db", EmbeddingModel("b" * 64, 32, 0.5)
    with pytest.raises(GalleryError, match="6 templates"):
        reenrol(path, key=key, model=other, embed=lambda _: None)
    with opened() as gallery:
        assert len(gallery.people()) == 3
