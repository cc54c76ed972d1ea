"""Forgotten when asked: no file of the gallery's folder holds what was erased, in clear or sealed."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from vedette.errors import GalleryError
from vedette.gallery.seal import UNENCRYPTED

NAME, SOURCE, PICTURE = "Wilhelmina Erasable", "/photos/wilhelmina.jpg", bytes(range(256)) * 40


def traces(folder, face, sealed) -> set[str]:
    """Return what of a person can be found in the files of `folder`."""
    found = set()
    looked_for = {"name": [NAME.encode()], "source": [SOURCE.encode()], "picture": [PICTURE[:512]]}
    looked_for["embedding"] = [row.tobytes() for row in face]
    looked_for["sealed"] = [
        value[k : k + 24] for value in sealed for k in (0, len(value) // 2, len(value) - 24)
    ]
    for path in folder.iterdir():
        data = path.read_bytes()
        found |= {kind for kind, values in looked_for.items() if any(value in data for value in values)}
    return found


def rows_of(path, person_id):
    """Return every sealed value of a person."""
    db = sqlite3.connect(path)
    own = "(SELECT id FROM template WHERE person_id = ?1)"
    queries = (
        "SELECT sealed FROM person WHERE id = ?1",
        "SELECT name_tag FROM person WHERE id = ?1",
        "SELECT sealed FROM template WHERE person_id = ?1",
        f"SELECT sealed FROM picture WHERE template_id IN {own}",
    )
    values = [row[0] for query in queries for row in db.execute(query, (person_id,))]
    db.close()
    return values


@pytest.mark.parametrize("plain", [False, True], ids=["sealed", "unencrypted"])
def test_an_erased_person_is_in_no_file(opened, faces, samples, tmp_path, plain):
    options = {"key": UNENCRYPTED} if plain else {}
    people = faces(60)
    with opened(**options) as gallery, opened(**options) as other:
        for number, pictures in enumerate(people[1:]):
            gallery.enrol(f"person {number}", samples(pictures, picture=b"x" * 5000))
            if number == 30:
                person_id = gallery.enrol(NAME, samples(people[0], source=SOURCE, picture=PICTURE)).person_id
        sealed = rows_of(tmp_path / "people.db", person_id)
        assert len(sealed) == 8
        before = traces(tmp_path, people[0], sealed)
        assert before == ({"name", "source", "picture", "embedding", "sealed"} if plain else {"sealed"})
        assert other.identify(people[0, 0])[0].name == NAME

        assert gallery.erase(NAME) == 3

        assert traces(tmp_path, people[0], sealed) == set()
        assert not gallery.purge_pending
        for view in (gallery, other):
            assert view.identify(people[0, 0])[0].name == ""
            assert len(view.people()) == 59
            np.testing.assert_array_equal([d.score > 0.99 for d in view.identify(people[1:, 1])], True)
        assert gallery.integrity() == "ok"
    assert traces(tmp_path, people[0], sealed) == set()
    assert [path.name for path in tmp_path.iterdir()] == ["people.db"]


def test_the_search_for_traces_finds_a_plain_delete(opened, faces, samples, tmp_path):
    """Without purging, the log still holds the sealed rows: else the test above could not fail."""
    people = faces(2)
    with opened() as gallery:
        person_id = gallery.enrol(NAME, samples(people[0])).person_id
        sealed = rows_of(tmp_path / "people.db", person_id)
        gallery._store.db.execute("DELETE FROM person WHERE id = ?", (person_id,))
        assert traces(tmp_path, people[0], sealed) == {"sealed"}


def test_an_erased_template_is_in_no_file(opened, faces, samples, tmp_path):
    face = faces(1)[0]
    with opened() as gallery:
        done = gallery.enrol("Ann", samples(face))
        sealed = rows_of(tmp_path / "people.db", done.person_id)
        db = sqlite3.connect(tmp_path / "people.db")
        query = "SELECT sealed FROM template WHERE id = ?"
        (gone,) = db.execute(query, (done.template_ids[0],)).fetchone()
        db.close()
        assert gone in sealed
        gallery.erase_templates(done.template_ids[:1])
        assert traces(tmp_path, face, [gone]) == set()
        assert traces(tmp_path, face, sealed) == {"sealed"}


def test_a_reader_that_stays_is_told_of_and_the_next_opening_ends_it(opened, faces, samples, tmp_path):
    people = faces(2)
    with opened(timeout_s=0.2) as gallery:
        person_id = gallery.enrol(NAME, samples(people[0])).person_id
        sealed = rows_of(tmp_path / "people.db", person_id)
        reader = sqlite3.connect(tmp_path / "people.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM person").fetchone()
        with pytest.raises(GalleryError, match="another process"):
            gallery.erase(NAME)
        assert gallery.people() == ()
        assert gallery.purge_pending
        assert traces(tmp_path, people[0], sealed) == {"sealed"}
        with opened(timeout_s=0.2) as second:
            assert second.purge_pending, "it opens all the same"
        reader.close()
        with opened() as third:
            assert not third.purge_pending
        assert traces(tmp_path, people[0], sealed) == set()


def test_no_copy_is_left_where_pages_were_split(opened, samples, tmp_path):
    """SQLite's `secure_delete` alone left a copy of 3 in 120 such people, where rows had moved to another page."""
    rng = np.random.default_rng(0)
    sealed = {}
    with opened() as gallery:
        gallery._store.db.execute("PRAGMA synchronous = OFF")  # for speed
        for number in range(250):
            rows = rng.standard_normal((rng.integers(1, 6), 64)).astype(np.float32)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            given = samples(rows, source="s" * (number % 50), picture=rng.bytes(rng.integers(10, 3000)))
            done = gallery.enrol(f"person {number}", given)
            sealed[f"person {number}"] = rows_of(tmp_path / "people.db", done.person_id)
        for name in rng.permutation(list(sealed))[:100]:
            gallery.erase(str(name))
            left = traces(tmp_path, np.zeros((0, 64), np.float32), sealed.pop(str(name)))
            assert left == set()
