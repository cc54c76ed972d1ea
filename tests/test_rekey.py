"""`vedette faces rekey`: one new key, the old one useless, and no moment at which neither opens the gallery."""

from __future__ import annotations

import fcntl
import json
import os
import random
import stat
import subprocess
import sys
import time

import numpy as np
import pytest

from asked import ask
from vedette import galleries
from vedette.errors import GalleryError, GalleryKeyError
from vedette.galleries import gallery_place, open_gallery, read_key, rekey
from vedette.gallery.gallery import Gallery
from vedette.gallery.seal import CREDENTIAL, create_key_file, read_key_file
from vedette.gallery.store import Store
from vedette.gallery.values import Attempt, EmbeddingModel, Sample

MODEL = EmbeddingModel("a" * 64, 8, 0.5)
FACE = np.eye(8, dtype=np.float32)


@pytest.fixture
def place(tmp_path):
    """Return the place of a gallery of Ann and Bob, with an attempt of Ann."""
    made = gallery_place(tmp_path / "people.db", environ={})
    with open_gallery(made, MODEL, create=True) as gallery:
        ann = gallery.enrol("Ann", [Sample(FACE[0], 1.0, picture=b"kept")]).person_id
        gallery.enrol("Bob", [Sample(FACE[1], 1.0)])
        gallery.log_attempt(Attempt(ann, 1, 1, ("left",), 1, 2.0, ""))
    return made


def names(place):
    with open_gallery(place) as gallery:
        assert gallery.integrity() == "ok"
        assert len(gallery.attempts("Ann")) == 1
        return [person.name for person in gallery.people()]


def files(place):
    return {path.name for path in place.path.parent.iterdir()}


def test_the_new_key_takes_the_place_of_the_old_one(place):
    old = read_key(place)
    copy = place.path.parent / "copy"
    copy.mkdir()
    assert rekey(place) == place.key
    assert read_key(place) != old
    assert names(place) == ["Ann", "Bob"]
    assert stat.S_IMODE(place.key.stat().st_mode) == 0o600
    assert files(place) == {"people.db", "gallery.key", "copy"}
    with pytest.raises(GalleryKeyError, match="that one was rotated"):
        Gallery(place.path, key=old, model=MODEL)
    rekey(place)
    assert names(place) == ["Ann", "Bob"]


def test_the_command_says_what_it_did(place, capsys):
    words = ("--gallery", place.path)
    done = ask(capsys, "faces", "rekey", *words)
    assert (done.code, done.err) == (0, "")
    assert "the old key opens nothing any more" in done.out
    (told,) = [json.loads(line) for line in ask(capsys, "faces", "rekey", *words, "--json").out.splitlines()]
    assert told == {"gallery": str(place.path), "key": str(place.key)}
    assert "Ann" in ask(capsys, "faces", "list", *words).out
    assert ask(capsys, "faces", "rekey", "--gallery", place.path.with_name("none.db")).code == 8


def test_a_new_key_of_ones_own(place, tmp_path, capsys):
    new, old = tmp_path / "vault", read_key(place)
    assert ask(capsys, "faces", "rekey", "--gallery", place.path, "--new-key", new).code == 0
    assert read_key_file(place.key) == old, "who names another file moves it there"
    refused = ask(capsys, "faces", "list", "--gallery", place.path)
    assert (refused.code, "was rotated" in refused.err) == (8, True)
    assert "Ann" in ask(capsys, "faces", "list", "--gallery", place.path, "--key", new).out
    same = ask(capsys, "faces", "rekey", "--gallery", place.path, "--key", new, "--new-key", new)
    assert (same.code, "is the key that the gallery has" in same.err) == (8, True)


def test_a_credential_is_its_owners_to_replace(place, tmp_path):
    (tmp_path / "cred").mkdir()
    (tmp_path / "cred" / CREDENTIAL).write_bytes(place.key.read_bytes())
    (tmp_path / "cred" / CREDENTIAL).chmod(0o400)
    handed = gallery_place(place.path, environ={"CREDENTIALS_DIRECTORY": str(tmp_path / "cred")})
    with pytest.raises(GalleryKeyError, match="--new-key FILE"):
        rekey(handed)
    assert names(handed) == ["Ann", "Bob"]
    rekey(handed, tmp_path / "new")
    (tmp_path / "cred" / CREDENTIAL).chmod(0o600)
    (tmp_path / "cred" / CREDENTIAL).write_bytes((tmp_path / "new").read_bytes())
    assert names(handed) == ["Ann", "Bob"]


def test_a_key_that_opens_another_gallery_is_kept(place):
    other = gallery_place(place.path.with_name("other.db"), environ={})
    with open_gallery(other, MODEL, create=True) as gallery:
        gallery.enrol("Zoe", [Sample(FACE[2], 1.0)])
    assert other.key == place.key
    with pytest.raises(GalleryKeyError, match=r"is the key of .*other\.db too"):
        rekey(place)
    assert names(place) == ["Ann", "Bob"]
    assert rekey(place, place.path.with_name("own.key")).name == "own.key"
    with open_gallery(other) as gallery:
        assert len(gallery.people()) == 1


def test_one_at_a_time(place):
    descriptor = os.open(place.key.parent, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(GalleryKeyError, match="another process changes the key"):
        rekey(place)
    os.close(descriptor)
    rekey(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_new_key_belongs_to_whom_the_old_one_did(place):
    os.chown(place.key, 0, 12345)
    rekey(place)
    assert (place.key.stat().st_uid, place.key.stat().st_gid) == (0, 12345)


def test_a_gallery_that_cannot_be_written_keeps_the_old_key_and_no_other_is_left(place, monkeypatch):
    old = read_key(place)

    def full(*_):
        raise GalleryError("the disk is full")

    monkeypatch.setattr(Gallery, "rekey", full)
    with pytest.raises(GalleryError, match=r"^the disk is full"):
        rekey(place)
    monkeypatch.undo()
    assert read_key(place) == old
    assert files(place) == {"people.db", "gallery.key"}
    assert names(place) == ["Ann", "Bob"]


def test_traces_that_remain_are_told_and_the_new_key_holds(place, monkeypatch):
    def stuck(_store):
        raise GalleryError("traces remain")

    old = read_key(place)
    monkeypatch.setattr(Store, "purge", stuck)
    with pytest.raises(GalleryError, match="sealed with the new key, but traces remain"):
        rekey(place)
    monkeypatch.undo()
    assert read_key(place) != old
    assert files(place) == {"people.db", "gallery.key"}
    assert names(place) == ["Ann", "Bob"]


CUT = """
import os, sys
from pathlib import Path
from vedette import galleries
from vedette.gallery.gallery import Gallery
from vedette.gallery.store import Store
where, real = sys.argv[2], Gallery.rekey
def sealed(self, key):
    real(self, key)
    os._exit(9)
cuts = {
    "before": lambda: setattr(Gallery, "rekey", lambda *_: os._exit(9)),
    "committed": lambda: setattr(Store, "purge", lambda _: os._exit(9)),
    "sealed": lambda: setattr(Gallery, "rekey", sealed),
}
cuts[where]()
galleries.rekey(galleries.gallery_place(Path(sys.argv[1]), environ={}))
"""


@pytest.mark.parametrize(
    ("where", "changed"), [("before", False), ("committed", True), ("sealed", True)], ids=str
)
def test_cut_off_between(place, where, changed):
    """The process ends at once; what opens the gallery next finds the right key by itself."""
    old = read_key(place)
    done = subprocess.run([sys.executable, "-c", CUT, place.path, where], timeout=60, check=False)
    assert done.returncode == 9
    assert "gallery.key.new" in files(place)
    assert read_key_file(place.key) == old
    assert names(place) == ["Ann", "Bob"]
    assert (read_key(place) != old) == changed
    assert ("gallery.key.new" in files(place)) != changed
    rekey(place)
    assert names(place) == ["Ann", "Bob"]
    assert "gallery.key.new" not in files(place)


AGAIN = """
import sys
from pathlib import Path
from vedette import galleries
place = galleries.gallery_place(Path(sys.argv[1]), environ={})
print("ready", flush=True)
while True:
    galleries.rekey(place)
"""


def test_killed_at_any_moment(place):
    rng = random.Random(5)
    for _ in range(8):
        child = subprocess.Popen([sys.executable, "-c", AGAIN, place.path], stdout=subprocess.PIPE)
        with child:
            child.stdout.readline()
            time.sleep(rng.uniform(0, 0.3))
            child.kill()
        assert child.returncode == -9
        assert names(place) == ["Ann", "Bob"]


def test_a_key_that_waits_and_opens_nothing_is_left_alone_and_made_anew(place):
    stray, old = place.key.with_name("gallery.key.new"), read_key(place)
    stray.touch(0o600)  # cut off while it was written
    assert read_key(place) == old
    assert stray.exists()
    rekey(place)
    assert names(place) == ["Ann", "Bob"]
    create_key_file(stray)
    place.key.write_text("00" * 32 + "\n")  # neither opens it: nothing is thrown away
    with pytest.raises(GalleryKeyError, match="not the key of"):
        rekey(place)
    assert stray.exists()
    assert galleries.read_key(place) is not None
