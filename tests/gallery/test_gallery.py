"""Enrol, identify, verify, list: what a caller sees, in one process and in two."""

from __future__ import annotations

import subprocess
import sys
import threading
import unicodedata

import numpy as np
import pytest

from vedette.errors import GalleryError
from vedette.gallery.calibrate import ImpostorScores
from vedette.gallery.gallery import Gallery
from vedette.gallery.values import EmbeddingModel, Sample


def test_people_are_found_again_and_strangers_are_unknown(opened, faces, samples):
    people = faces(6)
    with opened() as gallery:
        for number, pictures in enumerate(people[:5]):
            gallery.enrol(f"person {number}", samples(pictures[:2]))
        known = gallery.identify(people[:5, 2])
        assert [d.name for d in known] == [f"person {n}" for n in range(5)]
        for decision, picture in zip(known, people[:5, 2], strict=True):
            scores = (people[:5, :2] @ picture).max(1)
            best, runner_up = np.sort(scores)[[-1, -2]]
            assert decision.score == pytest.approx(best, abs=1e-6)
            assert decision.margin == pytest.approx(best - runner_up, abs=1e-6)
            assert (decision.threshold, decision.reason) == (0.5, "known")
        (stranger,) = gallery.identify(people[5, 0])
        assert (stranger.person_id, stranger.name, stranger.reason) == (None, "", "below_threshold")
        assert stranger.score == pytest.approx((people[:5, :2] @ people[5, 0]).max(), abs=1e-6)


def test_what_was_enrolled_is_there_after_reopening(opened, faces, samples):
    people = faces(2)
    with opened() as gallery:
        first = gallery.enrol("Ann", samples(people[0], source="door.jpg", quality=0.7))
        gallery.enrol("Bob", samples(people[1], picture=b"a picture"))
        assert first.created
        assert not gallery.enrol("ANN", samples(people[0][:1])).created
    with opened() as gallery:
        assert [(p.name, p.templates) for p in gallery.people()] == [("Ann", 4), ("Bob", 3)]
        infos = gallery.templates("ann")
        assert {info.id for info in infos} >= set(first.template_ids)
        told = [(i.source, i.quality, i.model_sha256, i.has_picture) for i in infos]
        assert told.count(("door.jpg", 0.7, "a" * 64, False)) == 3
        kept = gallery.templates("Bob")
        assert all(info.has_picture for info in kept)
        assert gallery.picture(kept[0].id) == b"a picture"
        assert gallery.picture(infos[0].id) is None
        np.testing.assert_allclose([d.score for d in gallery.identify(people[1])], 1, atol=1e-6)


def test_an_empty_gallery_answers_unknown(opened, faces):
    with opened() as gallery:
        assert gallery.people() == ()
        assert gallery.flags() == ()
        decision, _ = gallery.identify(faces(2, 1)[:, 0])
        assert (decision.person_id, decision.score, decision.margin, decision.reason) == (
            None,
            -1.0,
            0.0,
            "empty",
        )
        assert gallery.identify(np.zeros((0, 64), np.float32)) == ()


def test_a_margin_can_be_demanded(opened, samples):
    a, b = np.eye(64, dtype=np.float32)[:2]
    between = ((a + 0.8 * b) / np.linalg.norm(a + 0.8 * b)).astype(np.float32)
    with opened() as gallery:
        gallery.enrol("Ann", samples([a]))
        gallery.enrol("Bob", samples([b]))
        assert gallery.identify(between)[0].name == "Ann"
        (refused,) = gallery.identify(between, min_margin=0.3)
        assert (refused.name, refused.reason) == ("", "small_margin")
        assert refused.margin == pytest.approx(0.2 / np.hypot(1, 0.8), abs=1e-6)


def test_verification_looks_at_one_person_alone(opened, faces, samples):
    people = faces(2)
    with opened() as gallery:
        gallery.enrol("Ann", samples(people[0, :2]))
        gallery.enrol("Bob", samples(people[1, :2]))
        assert gallery.verify("ann", people[0, 2]).name == "Ann"
        assert gallery.verify("Bob", people[0, 2]).reason == "below_threshold"
        assert gallery.verify("Ann", people[0, 2], threshold=0.999).reason == "below_threshold"
        with pytest.raises(GalleryError, match=r"nobody in .* is called 'Cid'"):
            gallery.verify("Cid", people[0, 2])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "empty"),
        (" \u00a0 ", "empty"),
        ("x" * 101, "101 characters"),
        ("Ann\n", "control characters"),
        ("Ann\x00", "control characters"),
        ("\u202eAnn", "control characters"),
        ("a\ud800", "control characters"),
        ("Unknown", "strangers"),
    ],
    ids=["empty", "blank", "long", "line", "nul", "direction", "surrogate", "unknown"],
)
def test_a_bad_name_is_refused(opened, faces, samples, name, told):
    with opened() as gallery:
        with pytest.raises(GalleryError, match=told):
            gallery.enrol(name, samples(faces(1)[0]))
        assert gallery.people() == ()


def test_two_spellings_are_one_name(opened, faces, samples):
    composed = "Zoë Çelik"
    with opened() as gallery:
        gallery.enrol(unicodedata.normalize("NFD", composed), samples(faces(1)[0]))
        assert not gallery.enrol("zoë  ÇELIK ", samples(faces(1)[0])).created
        assert [p.name for p in gallery.people()] == [composed]


def _with(value: float) -> np.ndarray:
    row = np.eye(64, dtype=np.float32)[0]
    row[3] = value
    return row


@pytest.mark.parametrize(
    ("embedding", "told"),
    [
        (np.full(64, np.nan, np.float32), "NaN comes from"),
        (_with(np.nan), "NaN comes from"),
        (_with(np.inf), "not 1"),
        (np.zeros(64, np.float32), "length 0, not 1"),
        (np.full(64, 0.5, np.float32), "length 4, not 1"),
        (np.eye(63, dtype=np.float32)[0], "takes float"),
        (np.eye(64, dtype=np.int8)[0], "int8"),
        (np.zeros((1, 1, 64), np.float32), "takes float"),
    ],
    ids=["all NaN", "one NaN", "infinite", "zero", "long", "other size", "integers", "three axes"],
)
def test_a_bad_embedding_is_refused_at_every_door(opened, faces, samples, embedding, told):
    with opened() as gallery:
        gallery.enrol("Ann", samples(faces(1)[0]))
        for call in (
            lambda: gallery.enrol("Bob", [Sample(faces(2)[1, 0], 0.9), Sample(embedding, 0.9)]),
            lambda: gallery.identify(embedding),
            lambda: gallery.verify("Ann", embedding),
        ):
            with pytest.raises(GalleryError, match=told):
                call()
        assert [p.name for p in gallery.people()] == ["Ann"]


@pytest.mark.parametrize(
    ("sample", "told"),
    [
        ({"quality": 1.5}, "quality is 1.5"),
        ({"quality": float("nan")}, "quality is nan"),
        ({"source": "x" * 501}, "501 characters"),
        ({"picture": b""}, "picture is empty"),
    ],
    ids=["quality", "nan quality", "source", "picture"],
)
def test_a_bad_sample_is_refused(opened, faces, samples, sample, told):
    with opened() as gallery, pytest.raises(GalleryError, match=told):
        gallery.enrol("Ann", samples(faces(1)[0], **sample))
    with opened() as gallery, pytest.raises(GalleryError, match="no face to enrol"):
        gallery.enrol("Ann", [])


def test_the_same_person_under_two_names_is_told(opened, faces, samples):
    person, other = faces(2)
    with opened() as gallery:
        assert gallery.enrol("Ann", samples(person[:2])).flags == ()
        (flag,) = gallery.enrol("Anna", samples(person[2:])).flags
        assert (flag.kind, flag.names) == ("agree", ("Ann", "Anna"))
        assert flag.score == pytest.approx(float((person[:2] @ person[2]).max()), abs=1e-6)
        assert "same person under two names" in str(flag)
        assert gallery.enrol("Bob", samples(other)).flags == ()
        assert [f.names for f in gallery.flags()] == [("Ann", "Anna")]


def test_a_stranger_among_somebodys_pictures_is_told_and_can_be_taken_out(opened, faces, samples):
    person, other = faces(2)
    with opened() as gallery:
        done = gallery.enrol("Ann", samples([*person, other[0]]))
        (flag,) = done.flags
        assert (flag.kind, flag.names, flag.template_ids[0]) == ("disagree", ("Ann",), done.template_ids[3])
        gallery.erase_templates([flag.template_ids[0]])
        assert gallery.flags() == ()
        assert gallery.identify(other[0])[0].reason == "below_threshold"
        with pytest.raises(GalleryError, match="without templates"):
            gallery.erase_templates(done.template_ids[:3])
        with pytest.raises(GalleryError, match="does not exist"):
            gallery.erase_templates(done.template_ids[2:])
        assert gallery.people()[0].templates == 3


def test_pictures_that_a_strict_search_would_not_name_do_not_disagree_for_that(opened, faces, samples, model):
    person = faces(1)[0]
    strict = ImpostorScores.of(np.linspace(0, 0.95, 9000), people=90, model_sha256=model.sha256)
    with opened() as gallery:
        gallery.enrol("Ann", samples(person))
        gallery.calibrate(strict, far=0.01)
        assert gallery.threshold > 0.9 > (person @ person.T)[0, 1:].max() > model.threshold
        assert gallery.flags() == ()


def test_another_connection_is_followed(opened, faces, samples):
    people = faces(3)
    with opened() as one, opened() as two:
        one.enrol("Ann", samples(people[0]))
        assert two.identify(people[0, 0])[0].name == "Ann"
        two.enrol("Bob", samples(people[1]))
        one.enrol("Cid", samples(people[2]))
        for gallery in (one, two):
            assert [d.name for d in gallery.identify(people[:, 0])] == ["Ann", "Bob", "Cid"]
        two.erase("Ann")
        assert one.identify(people[0, 0])[0].name == ""
        assert [p.name for p in one.people()] == ["Bob", "Cid"]
        with pytest.raises(GalleryError, match="nobody"):
            one.erase("Ann")


def test_another_process_is_followed(opened, faces, samples, tmp_path):
    code = (
        "import sys, pathlib, numpy as np\n"
        "from vedette.gallery.gallery import Gallery\n"
        "from vedette.gallery.seal import Key\n"
        "from vedette.gallery.values import EmbeddingModel, Sample\n"
        "key, model = Key(bytes(range(32))), EmbeddingModel('a' * 64, 64, .5)\n"
        "with Gallery(pathlib.Path(sys.argv[1]), key=key, model=model) as g:\n"
        "    for i in range(20):\n"
        "        g.enrol(f'child {i}', [Sample(np.eye(64, dtype=np.float32)[i], 1.0)])\n"
    )
    with opened() as gallery:
        gallery.enrol("Ann", samples(faces(1)[0]))
        child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "people.db")])
        mine = 0
        try:
            while child.poll() is None and mine < 200:
                gallery.enrol(f"mine {mine}", samples(np.eye(64, dtype=np.float32)[[63 - mine % 20]]))
                mine += 1
        finally:
            assert child.wait(timeout=60) == 0
        names = [p.name for p in gallery.people()]
        assert len(names) == len(set(names)) == 1 + mine + 20
        assert gallery.integrity() == "ok"


def test_threads_may_share_a_gallery(opened, faces, samples):
    people = faces(40, 2)
    with opened() as gallery:
        errors = []

        def work(part: int) -> None:
            try:
                for i in range(part, 40, 4):
                    gallery.enrol(f"person {i}", samples(people[i, :1]))
                    assert gallery.identify(people[i, 1])[0].name == f"person {i}"
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert errors == []
        assert len(gallery.people()) == 40
        assert [d.name for d in gallery.identify(people[:, 1])] == [f"person {i}" for i in range(40)]


def test_another_models_gallery_is_refused_with_the_way_out(opened, faces, samples):
    with opened() as gallery:
        gallery.enrol("Ann", samples(faces(1)[0]))
    for other in (EmbeddingModel("b" * 64, 64, 0.5), EmbeddingModel("a" * 64, 128, 0.5)):
        with pytest.raises(GalleryError, match=r"made with model aaaaaaaaaaaa .*reenrol\(\)"):
            opened(model=other)


def test_a_clock_that_is_set_back_spoils_nothing(opened, faces, samples):
    now = [2_000_000_000_000_000_000]
    people = faces(2)
    with opened(now_ns=lambda: now[0]) as gallery:
        gallery.enrol("Ann", samples(people[0, :1]))
        now[0] = 0
        gallery.enrol("Ann", samples(people[0, 1:2]))
        gallery.enrol("Bob", samples(people[1]))
        assert [info.time_ns for info in gallery.templates("Ann")] == [0, 2_000_000_000_000_000_000]
        assert [d.name for d in gallery.identify(people[:, 2])] == ["Ann", "Bob"]
        gallery.erase("Ann")
        assert [p.name for p in gallery.people()] == ["Bob"]


def test_a_closed_gallery_says_so(opened, faces):
    gallery: Gallery = opened()
    gallery.close()
    with pytest.raises(GalleryError, match="closed"):
        gallery.identify(faces(1)[0])
