"""The log of challenges: sealed, bounded, in order, gone with the person, and carried over a rotation."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from vedette.errors import GalleryError
from vedette.gallery import rows
from vedette.gallery.reenrol import reenrol
from vedette.gallery.seal import UNENCRYPTED, Key
from vedette.gallery.values import Attempt, EmbeddingModel

TRIED = Attempt(0, 1_700_000_000_123_456_789, 4, ("left", "right"), 1, 3.25, "wrong_way")


@pytest.fixture
def people(opened, faces, samples):
    """Return an open gallery of Ann and Bob with two attempts of Ann and one of Bob, and their ids."""
    vectors = faces(2)
    with opened() as gallery:
        ids = [
            gallery.enrol(name, samples(own)).person_id
            for name, own in zip(("Ann", "Bob"), vectors, strict=True)
        ]
        for number, who in enumerate((0, 1, 0)):
            gallery.log_attempt(
                replace(TRIED, person_id=ids[who], track_id=number, reason="" if number else "time")
            )
        yield gallery, ids


def sealed(path):
    db = sqlite3.connect(path)
    found = [row[0] for row in db.execute("SELECT sealed FROM attempt ORDER BY id")]
    db.close()
    return found


def test_attempts_are_kept_in_order_and_told_by_person(people, opened):
    gallery, (ann, bob) = people
    assert [(one.person_id, one.track_id, one.passed) for one in gallery.attempts()] == [
        (ann, 0, False),
        (bob, 1, True),
        (ann, 2, True),
    ]
    assert gallery.attempts("bob") == (replace(TRIED, person_id=bob, track_id=1, reason=""),)
    with opened() as other:
        assert other.attempts() == gallery.attempts()
    with pytest.raises(GalleryError, match="nobody in"):
        gallery.attempts("Zoe")


@pytest.mark.usefixtures("people")
def test_nothing_of_an_attempt_is_readable_but_whose_and_how_many(tmp_path):
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for word in (b"left", b"wrong_way", b"1700000000", b"Ann"):
        assert word not in data
    assert all(value in data for value in sealed(tmp_path / "people.db"))


def test_an_unencrypted_gallery_shows_them(opened, faces, samples, tmp_path):
    with opened(key=UNENCRYPTED) as gallery:
        person_id = gallery.enrol("Ann", samples(faces(1)[0])).person_id
        gallery.log_attempt(replace(TRIED, person_id=person_id))
    assert b"wrong_way" in (tmp_path / "people.db").read_bytes()  # so the test above can fail


def test_they_go_with_the_person(people, tmp_path):
    gallery, (_, bob) = people
    before = sealed(tmp_path / "people.db")
    gallery.erase("Ann")
    assert [one.person_id for one in gallery.attempts()] == [bob]
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [value in data for value in before] == [False, True, False]


def test_only_the_newest_are_kept(people, monkeypatch):
    gallery, (ann, bob) = people
    monkeypatch.setattr(rows, "MOST_ATTEMPTS", 4)
    for number in range(10, 20):
        gallery.log_attempt(replace(TRIED, person_id=bob, track_id=number))
    assert [one.track_id for one in gallery.attempts()] == [16, 17, 18, 19]
    gallery.erase("Bob")
    gallery.log_attempt(replace(TRIED, person_id=ann, track_id=20))
    assert [one.track_id for one in gallery.attempts()] == [20]


def test_a_row_that_was_moved_is_noticed(people, opened, tmp_path):
    gallery, (ann, bob) = people
    gallery.close()
    db = sqlite3.connect(tmp_path / "people.db")
    db.execute("UPDATE attempt SET person_id = ? WHERE person_id = ?", (ann, bob))
    db.commit()
    db.close()
    with opened() as again, pytest.raises(GalleryError, match="changed, moved or damaged"):
        again.attempts()


def test_nobody_else_can_be_logged(people):
    gallery, _ = people
    with pytest.raises(GalleryError, match="not enrolled"):
        gallery.log_attempt(replace(TRIED, person_id=5))


def test_logging_leaves_the_calibration_and_the_other_process_alone(people, opened, faces):
    gallery, (ann, _) = people
    revision = gallery._rows.revision()
    with opened() as other:
        gallery.log_attempt(replace(TRIED, person_id=ann))
        assert gallery._rows.revision() == revision
        assert [one.name for one in other.identify(faces(2)[:, 0])] == ["Ann", "Bob"]


def test_a_rotation_seals_them_anew(people, opened, tmp_path):
    gallery, _ = people
    before, told = sealed(tmp_path / "people.db"), gallery.attempts()
    new = Key(bytes([7]) * 32)
    gallery.rekey(new)
    assert gallery.attempts() == told
    assert not set(before) & set(sealed(tmp_path / "people.db"))
    gallery.close()
    with opened(key=new) as again:
        assert again.attempts() == told


def test_a_change_of_the_model_keeps_those_of_who_stays(opened, faces, samples, key, tmp_path):
    vectors = faces(2)
    with opened() as gallery:
        ann = gallery.enrol("Ann", samples(vectors[0], picture=b"kept")).person_id
        bob = gallery.enrol("Bob", samples(vectors[1])).person_id
        for person_id in (ann, bob):
            gallery.log_attempt(replace(TRIED, person_id=person_id))
    other = EmbeddingModel("b" * 64, 4, 0.5)
    done = reenrol(
        tmp_path / "people.db",
        key=key,
        model=other,
        embed=lambda _: np.float32([1, 0, 0, 0]),
        drop_without_picture=True,
    )
    assert (done.people, done.templates, done.lost_people) == (1, 3, ("Bob",))
    with opened(model=other) as gallery:
        assert [(p.name, p.id) for p in gallery.people()] == [("Ann", ann)]
        assert [one.person_id for one in gallery.attempts()] == [ann]
