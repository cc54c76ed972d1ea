"""Keys and seals: who may read them, what they are bound to, and how they are changed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys

import pytest

from vedette.errors import GalleryError, GalleryKeyError, MissingDependencyError
from vedette.gallery import seal
from vedette.gallery.seal import (
    UNENCRYPTED,
    Key,
    create_key_file,
    make_sealer,
    parse_key,
    read_credential,
    read_key_file,
)

UID = bytes(16)


def test_a_key_file_is_made_for_its_owner_alone_and_never_twice(tmp_path):
    path = tmp_path / "key"
    key = create_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key_file(path) == key
    assert key.secret.hex() not in repr(key)
    assert create_key_file(tmp_path / "other") != key
    with pytest.raises(GalleryKeyError, match="never overwritten"):
        create_key_file(path)
    assert read_key_file(path) == key


def test_half_a_key_is_not_left_in_the_way_of_the_next(small_disk):
    disk, _ = small_disk
    stat = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(stat.f_bavail * stat.f_frsize))
    with pytest.raises(GalleryKeyError, match="No space left"):
        create_key_file(disk / "key")
    (disk / "filler").unlink()
    assert create_key_file(disk / "key") == read_key_file(disk / "key")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622, 0o777], ids=oct)
def test_a_key_that_others_can_reach_is_refused(tmp_path, mode):
    path = tmp_path / "key"
    create_key_file(path)
    path.chmod(mode)
    with pytest.raises(GalleryKeyError, match=rf"mode {mode:04o}\): chmod 600"):
        read_key_file(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_somebody_elses_key_is_refused(tmp_path):
    path = tmp_path / "key"
    create_key_file(path)
    os.chown(path, 12345, 12345)
    with pytest.raises(GalleryKeyError, match="belongs to user 12345"):
        read_key_file(path)


def test_what_is_no_key_is_refused_without_showing_it(tmp_path):
    link, good, short = tmp_path / "link", tmp_path / "good", tmp_path / "short"
    create_key_file(good)
    link.symlink_to(good)
    short.touch(0o600)
    short.write_text("c0ffee")
    with pytest.raises(GalleryKeyError, match=r"there is no key at .* bring the file back"):
        read_key_file(tmp_path / "nowhere")
    with pytest.raises(GalleryKeyError, match="cannot read the key"):
        read_key_file(link)
    with pytest.raises(GalleryKeyError, match="not a regular file"):
        read_key_file(tmp_path)
    with pytest.raises(GalleryKeyError, match="64 hexadecimal digits") as told:
        read_key_file(short)
    assert "c0ffee" not in str(told.value)
    short.write_text("")
    with pytest.raises(GalleryKeyError, match="is empty, as after a power cut"):
        read_key_file(short)
    with pytest.raises(GalleryKeyError, match="32 bytes, not 3"):
        Key(b"abc")


def test_a_credential_may_be_the_groups_by_an_acl_but_not_the_worlds(tmp_path):
    path = tmp_path / "vedette-gallery-key"
    key = create_key_file(path)
    path.chmod(0o440)
    assert read_credential(tmp_path) == key
    assert parse_key(f" {key.secret.hex().upper()}\n") == key
    path.chmod(0o444)
    with pytest.raises(GalleryKeyError, match="open to others"):
        read_credential(tmp_path)


def test_a_seal_is_bound_to_gallery_and_place():
    key = Key(bytes(range(32)))
    sealer = make_sealer(key, UID)
    sealed = sealer.seal(b"face", b"here")
    assert sealer.open(sealed, b"here") == b"face"
    assert sealer.seal(b"face", b"here") != sealed
    broken = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for other, value, place in (
        (sealer, sealed, b"there"),
        (sealer, broken, b"here"),
        (sealer, b"", b"here"),
        (make_sealer(key, bytes([1]) * 16), sealed, b"here"),
        (make_sealer(Key(bytes(32)), UID), sealed, b"here"),
    ):
        with pytest.raises(GalleryError, match="changed, moved or damaged"):
            other.open(value, place)


def test_the_keys_are_derived_as_rfc_5869_says():
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    secret, uid = bytes(range(32)), bytes(range(16))
    wanted = HKDF(SHA256(), 32, uid, b"vedette gallery seal").derive(secret)
    assert seal._derive(secret, uid, b"seal") == wanted


def test_rows_that_were_swapped_are_noticed(opened, faces, samples, tmp_path):
    people = faces(2, 1)
    with opened() as gallery:
        gallery.enrol("Ann", samples(people[0]))
        gallery.enrol("Bob", samples(people[1]))
    with sqlite3.connect(tmp_path / "people.db") as db:
        (a, x), (b, y) = db.execute("SELECT id, sealed FROM template").fetchall()
        db.executemany("UPDATE template SET sealed = ? WHERE id = ?", [(y, a), (x, b)])
    db.close()
    with pytest.raises(GalleryError, match="changed, moved or damaged"):
        opened()


def test_a_template_given_to_somebody_else_is_noticed(opened, faces, samples, tmp_path):
    people = faces(2, 1)
    with opened() as gallery:
        gallery.enrol("Ann", samples(people[0]))
        gallery.enrol("Bob", samples(people[1]))
        with sqlite3.connect(tmp_path / "people.db") as db:
            one, two = (row[0] for row in db.execute("SELECT person_id FROM template"))
            db.execute("UPDATE template SET person_id = ? WHERE person_id = ?", (one, two))
        db.close()
    with pytest.raises(GalleryError, match="changed, moved or damaged"):
        opened()


@pytest.mark.parametrize(
    ("made_with", "opened_with", "told"),
    [
        (Key(bytes(32)), Key(bytes([1]) * 32), "not the key of"),
        (Key(bytes(32)), UNENCRYPTED, "is encrypted: give its key"),
        (UNENCRYPTED, Key(bytes(32)), "is not encrypted, yet a key was given"),
    ],
    ids=["other key", "no key", "replaced by a plain one"],
)
def test_the_wrong_key_is_one_clear_error(opened, faces, samples, made_with, opened_with, told):
    with opened(key=made_with) as gallery:
        gallery.enrol("Ann", samples(faces(1)[0]))
    with pytest.raises(GalleryKeyError, match=told):
        opened(key=opened_with)
    with opened(key=made_with) as gallery:
        assert [p.name for p in gallery.people()] == ["Ann"]


def test_unencrypted_is_readable_and_only_on_request(opened, faces, samples, tmp_path):
    face = faces(1)[0]
    with opened(key=UNENCRYPTED) as gallery:
        gallery.enrol("Annabella", samples(face))
        assert gallery.identify(face)[0].name == "Annabella"
    data = (tmp_path / "people.db").read_bytes()
    assert b"Annabella" in data
    assert face[0].tobytes() in data


@pytest.mark.parametrize("start", [Key(bytes(range(32))), UNENCRYPTED], ids=["sealed", "plain"])
def test_rotation_seals_everything_anew(opened, faces, samples, tmp_path, start):
    people, new = faces(3), Key(bytes([7]) * 32)
    with opened(key=start) as gallery, opened(key=start) as other:
        for number, pictures in enumerate(people):
            gallery.enrol(f"person {number}", samples(pictures[:2], source="door", picture=b"jpeg"))
        with sqlite3.connect(tmp_path / "people.db") as db:
            tables = ("person", "template", "picture")
            old = [row[0] for t in tables for row in db.execute(f"SELECT sealed FROM {t}")]
        db.close()
        assert len(other.people()) == 3
        gallery.rekey(new)
        assert [d.name for d in gallery.identify(people[:, 2])] == ["person 0", "person 1", "person 2"]
        gallery.enrol("PERSON 1", samples(people[1, 2:]))
        with pytest.raises(GalleryKeyError):
            other.people()
    with pytest.raises(GalleryKeyError):
        opened(key=start)
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        assert [value for value in old if value in data] == []
    with opened(key=new) as gallery:
        assert [p.templates for p in gallery.people()] == [2, 3, 2]
        infos = gallery.templates("person 0")
        assert gallery.picture(infos[0].id) == b"jpeg"
        assert infos[0].source == "door"


def test_a_rotation_that_fails_leaves_the_old_key(opened, faces, samples, monkeypatch):
    people = faces(2)
    with opened() as gallery:
        for number, pictures in enumerate(people):
            gallery.enrol(f"person {number}", samples(pictures[:2]))
        monkeypatch.setattr("vedette.gallery.rows.Rows.write_calibration", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            gallery.rekey(Key(bytes(32)))
        monkeypatch.undo()
        assert [d.name for d in gallery.identify(people[:, 2])] == ["person 0", "person 1"]
        gallery.enrol("person 0", samples(people[0, 2:]))
    with opened() as gallery:
        assert [p.templates for p in gallery.people()] == [3, 2]


def test_without_cryptography_the_extra_is_named_and_plain_works(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(MissingDependencyError, match=r"vedette\[faces\]"):
        make_sealer(Key(bytes(32)), UID)
    assert make_sealer(UNENCRYPTED, UID).open(b"x", b"") == b"x"


def test_importing_the_gallery_loads_no_cryptography():
    code = (
        "import vedette.gallery.gallery, vedette.gallery.archive, sys; print('cryptography' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "False"
