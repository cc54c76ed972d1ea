"""The file: two processes, kills, full and read-only disks, damage, and what other versions wrote."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from vedette.errors import GalleryError
from vedette.gallery import schema
from vedette.gallery.store import Store
from vedette.gallery.values import Attempt

CRASH = Path(__file__).with_name("crash.py")


@pytest.mark.timeout(300)
def test_a_hundred_kills_leave_no_half_person(tmp_path):
    done = subprocess.run(
        [sys.executable, CRASH, tmp_path / "people.db", "100"],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    print(figures)
    assert figures["done"] >= 10, "some must get through; how many depends on how busy the machine is"
    assert figures["cut"] > 50, "most kills must fall into an enrolment, or this proves nothing"


def test_an_enrolment_that_fails_half_way_leaves_nothing(opened, faces, samples, monkeypatch):
    people = faces(2)
    with opened() as gallery:
        gallery.enrol("Ann", samples(people[0]))
        monkeypatch.setattr("vedette.gallery.rows.Rows.changed", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            gallery.enrol("Bob", samples(people[1]))
        monkeypatch.undo()
        assert [p.name for p in gallery.people()] == ["Ann"]
        assert gallery.identify(people[1, 0])[0].name == ""
        gallery.enrol("Bob", samples(people[1]))
    with opened() as gallery:
        assert [(p.name, p.templates) for p in gallery.people()] == [("Ann", 3), ("Bob", 3)]


def test_many_may_make_the_file_at_once(opened, faces, samples, tmp_path):
    people = faces(8)

    def make(number: int) -> None:
        with opened() as gallery:
            gallery.enrol(f"person {number}", samples(people[number]))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(8)))
    with opened() as gallery:
        assert len(gallery.people()) == 8
    assert (tmp_path / "people.db").stat().st_mode & 0o777 == 0o600


def test_the_log_is_nobody_elses_either(opened, faces, samples, tmp_path):
    with opened() as gallery:
        gallery.enrol("Ann", samples(faces(1)[0]))
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"people.db": 0o600, "people.db-wal": 0o600, "people.db-shm": 0o600}


def test_a_writer_that_never_ends_is_told_of(opened, faces, samples, tmp_path):
    with opened(timeout_s=0.2) as gallery:
        other = sqlite3.connect(tmp_path / "people.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(GalleryError, match="another process has been holding it"):
            gallery.enrol("Ann", samples(faces(1)[0]))
        other.close()
        gallery.enrol("Ann", samples(faces(1)[0]))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda data: b"not a database at all, but long enough to look at" * 20, "not a gallery"),
        (lambda data: data[:100] + bytes(len(data) - 100), "damaged"),
        (lambda data: data[:5000], "damaged"),
        (lambda data: data[:4096] + os.urandom(len(data) - 4096), "damaged"),
    ],
    ids=["another file", "zeros", "cut", "noise"],
)
def test_a_damaged_file_is_told_and_left_as_it_is(opened, faces, samples, tmp_path, damage, told):
    with opened() as gallery:
        gallery.enrol("Ann", samples(faces(1)[0], picture=bytes(20_000)))
    path = tmp_path / "people.db"
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(GalleryError, match=told):
        opened().close()
    assert path.read_bytes() == before


def test_a_flipped_bit_in_a_face_is_noticed(opened, faces, samples, tmp_path):
    with opened() as gallery:
        gallery.enrol("Ann", samples(faces(1)[0]))
    path = tmp_path / "people.db"
    db = sqlite3.connect(path)
    (sealed,) = db.execute("SELECT sealed FROM template").fetchone()
    db.close()
    data = bytearray(path.read_bytes())
    data[data.index(sealed) + 100] ^= 4
    path.write_bytes(data)
    with pytest.raises(GalleryError, match="changed, moved or damaged"):
        opened()


def test_another_programs_database_is_left_alone(opened, tmp_path):
    path = tmp_path / "people.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE precious (x)")
    db.commit()
    db.close()
    with pytest.raises(GalleryError, match="of another program"):
        opened()
    db = sqlite3.connect(path)
    assert [row[0] for row in db.execute("SELECT name FROM sqlite_master")] == ["precious"]
    db.close()


@pytest.mark.parametrize("where", ["nowhere/people.db", "folder"])
def test_what_cannot_be_opened_is_told(tmp_path, where):
    (tmp_path / "folder").mkdir()
    with pytest.raises(GalleryError, match="cannot open the gallery"):
        Store(tmp_path / where)


def test_a_full_disk_is_told_and_loses_nothing(opened, faces, samples, small_disk, key, model):
    from vedette.gallery.gallery import Gallery

    disk, _ = small_disk
    people = faces(100)
    with Gallery(disk / "people.db", key=key, model=model) as gallery:
        enrolled = 0
        with pytest.raises(GalleryError, match="the disk is full"):
            for number, pictures in enumerate(people):
                gallery.enrol(f"person {number}", samples(pictures, picture=os.urandom(20_000)))
                enrolled += 1
        assert 1 < enrolled < 100
        assert len(gallery.people()) == enrolled
        assert gallery.identify(people[enrolled, 0])[0].name == ""
        assert gallery.identify(people[0, 0])[0].name == "person 0"
    with Gallery(disk / "people.db", key=key, model=model) as gallery:
        assert len(gallery.people()) == enrolled
        assert gallery.integrity() == "ok"


def test_a_read_only_disk_is_told(opened, faces, samples, small_disk, key, model):
    from vedette.gallery.gallery import Gallery

    disk, mount = small_disk
    with Gallery(disk / "people.db", key=key, model=model) as gallery:
        gallery.enrol("Ann", samples(faces(1)[0]))
    mount("remount,ro,size=1m")
    with pytest.raises(GalleryError, match=r"read-only|cannot be (opened|written)"):
        Gallery(disk / "people.db", key=key, model=model)
    with pytest.raises(GalleryError, match="Read-only file system"):
        Gallery(disk / "new.db", key=key, model=model)


def test_a_file_that_may_not_grow_is_told(opened, faces, samples):
    people = faces(30)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened() as gallery:
        gallery.enrol("Ann", samples(people[0]))
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
            with pytest.raises(GalleryError, match="the disk is full"):
                for number, pictures in enumerate(people):
                    gallery.enrol(f"person {number}", samples(pictures, picture=bytes(30_000)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        assert gallery.identify(people[0, 0])[0].name in ("Ann", "person 0")
        gallery.enrol("Zoe", samples(people[29]))
        assert gallery.integrity() == "ok"


def test_older_files_are_brought_up_to_date_in_one_step(opened, faces, samples, monkeypatch, tmp_path):
    with opened() as gallery:
        gallery.enrol("Ann", samples(faces(1)[0]))
    broken, now = ("ALTER TABLE person ADD COLUMN shoe_size", "SELECT missing_column"), len(schema.MIGRATIONS)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    with pytest.raises(GalleryError, match="no such column"):
        opened()
    assert _version_and_columns(tmp_path) == (now, ["id", "name_tag", "sealed"])
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS[:now], broken[:1]))
    with opened() as gallery:
        assert [p.name for p in gallery.people()] == ["Ann"]
    assert _version_and_columns(tmp_path) == (now + 1, ["id", "name_tag", "sealed", "shoe_size"])
    monkeypatch.undo()
    with pytest.raises(GalleryError, match=rf"newer Vedette \(format {now + 1}, this one knows {now}\)"):
        opened()


def test_a_gallery_of_the_first_format_is_read_and_takes_attempts(
    opened, faces, samples, monkeypatch, tmp_path
):
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
    with opened() as gallery:
        person_id = gallery.enrol("Ann", samples(faces(1)[0])).person_id
    assert _version_and_columns(tmp_path)[0] == 1
    monkeypatch.undo()
    with opened() as gallery:
        assert [(p.name, p.templates) for p in gallery.people()] == [("Ann", 3)]
        assert gallery.attempts() == ()
        gallery.log_attempt(Attempt(person_id, 5, 1, ("left",), 1, 2.5, ""))
        assert len(gallery.attempts()) == 1


def _version_and_columns(folder: Path) -> tuple[int, list[str]]:
    db = sqlite3.connect(folder / "people.db")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    columns = [row[1] for row in db.execute("PRAGMA table_info(person)")]
    db.close()
    return version, columns


def test_the_log_stays_small_and_nothing_is_made_beside_it(opened, faces, samples, tmp_path):
    people = faces(200, 1)
    with opened() as gallery:
        for number, pictures in enumerate(people):
            gallery.enrol(f"person {number}", samples(pictures))
        assert (tmp_path / "people.db-wal").stat().st_size < 10_000_000
        np.testing.assert_array_equal([d.name != "" for d in gallery.identify(people[:, 0])], True)
        assert {p.name for p in tmp_path.iterdir()} == {"people.db", "people.db-wal", "people.db-shm"}
