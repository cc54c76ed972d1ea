"""Folders of people and somebody before a camera: resumable, whole people only, every skip with its reason."""

import os
import select
import signal
import time

import cv2
import numpy as np
import pytest

from recognition import ToldFaces, faces_at, scene, toy_recognizer
from vedette.enrol import PersonPictures, enrol_people, people_in, samples_from
from vedette.errors import FaceRefused, SourceError
from vedette.testing import FakeSource

AT = ((40, 40),)


def write(path, who, noise=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), scene(who, noise=noise)[0][..., ::-1])


@pytest.fixture
def folder(tmp_path):
    """Three people, two pictures each; and what goes wrong in real folders."""
    root = tmp_path / "people"
    for who, name in enumerate(("Ann", "Bob", "Cleo")):
        for k in range(2):
            write(root / name / f"{k}.png", who, noise=k)
    return root


@pytest.fixture
def recognizer(tmp_path):
    with toy_recognizer(tmp_path, faces_at(*AT)) as made:
        yield made


def people(recognizer):
    return {one.name: one.templates for one in recognizer.gallery.people()}


def test_a_folder_for_each_person(recognizer, folder):
    done = list(enrol_people(recognizer, people_in(folder)))
    assert [(one.name, one.added, one.already, one.skipped) for one in done] == [
        (name, 2, 0, ()) for name in ("Ann", "Bob", "Cleo")
    ]
    assert people(recognizer) == {"Ann": 2, "Bob": 2, "Cleo": 2}
    assert {one.source for one in recognizer.gallery.templates("Bob")} == {"Bob/0.png", "Bob/1.png"}


def test_what_is_there_is_not_looked_at_again(recognizer, folder):
    list(enrol_people(recognizer, people_in(folder)))
    asked = len(recognizer.embedder.engine.fed)
    write(folder / "Bob" / "2.png", 1, noise=5)
    done = list(enrol_people(recognizer, people_in(folder)))
    assert [(one.added, one.already) for one in done] == [(0, 2), (1, 2), (0, 2)]
    assert len(recognizer.embedder.engine.fed) == asked + 1


def test_another_spelling_is_the_same_person(recognizer, folder):
    list(enrol_people(recognizer, people_in(folder)))
    (folder / "Ann").rename(folder / "aNN")
    again = list(enrol_people(recognizer, people_in(folder)))[-1]
    assert (again.name, again.added) == ("Ann", 2)  # the source's name has changed with the folder's
    assert len(people(recognizer)) == 3


def test_every_skip_has_its_reason(recognizer, folder):
    (folder / "Ann" / "2.jpg").write_bytes(b"no picture")
    cv2.imwrite(str(folder / "Ann" / "3.png"), np.full((240, 640, 3), 128, np.uint8))
    (folder / "Bob" / "notes.txt").write_text("not a picture by its name")
    (folder / "Empty").mkdir()
    write(folder / "unknown" / "0.png", 5)
    (folder / ".hidden").mkdir()
    done = {one.name: one for one in enrol_people(recognizer, people_in(folder))}
    assert set(done) == {"Ann", "Bob", "Cleo", "Empty", "unknown"}
    assert [(one.source, one.reasons) for one in done["Ann"].skipped] == [
        ("Ann/2.jpg", ("unreadable",)),
        ("Ann/3.png", ("contrast", "blur")),
    ]
    assert done["Ann"].added == 2
    assert done["Bob"].skipped == ()
    assert done["Empty"].skipped[0].reasons == ("no_picture",)
    assert done["unknown"].skipped[0].reasons == ("name",)
    assert all(skip.message for one in done.values() for skip in one.skipped)
    assert people(recognizer) == {"Ann": 2, "Bob": 2, "Cleo": 2}


def test_nobody_is_made_of_bad_pictures_alone(recognizer, tmp_path):
    (tmp_path / "people" / "Ann").mkdir(parents=True)
    (tmp_path / "people" / "Ann" / "0.png").write_bytes(b"")
    (one,) = enrol_people(recognizer, people_in(tmp_path / "people"))
    assert (one.added, len(one.skipped)) == (0, 1)
    assert people(recognizer) == {}


def test_one_person_under_two_names_and_two_under_one(recognizer, folder):
    write(folder / "Anna" / "0.png", 0, noise=9)
    write(folder / "Bob" / "2.png", 17)
    flags = {one.name: one.flags for one in enrol_people(recognizer, people_in(folder))}
    assert [(flag.kind, set(flag.names)) for flag in flags["Anna"]] == [("agree", {"Ann", "Anna"})]
    assert [(flag.kind, flag.names) for flag in flags["Bob"]] == [("disagree", ("Bob",))]
    assert flags["Cleo"] == ()


@pytest.mark.parametrize("made", [False, True], ids=["missing", "without folders"])
def test_a_folder_of_nobody_is_refused(tmp_path, made):
    if made:
        (tmp_path / "people").mkdir()
    with pytest.raises(SourceError, match="folder"):
        people_in(tmp_path / "people")


def test_killed_in_the_middle_it_goes_on_with_whole_people(tmp_path):
    """Five kills at random times of a run over 40 people of 3 pictures; then one run to the end."""
    root = tmp_path / "people"
    for who in range(40):
        for k in range(3):
            path = root / f"P{who:02d}" / f"{k}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), scene(who, noise=k)[0][..., ::-1])
    rng = np.random.default_rng(4)
    cut_off = 0
    for _ in range(5):
        _killed(tmp_path, root, after=int(rng.integers(1, 8)), pause_s=float(rng.uniform(0, 0.01)))
        with toy_recognizer(tmp_path, faces_at(*AT)) as recognizer:
            assert recognizer.gallery.integrity() == "ok"
            assert set(people(recognizer).values()) <= {3}
            cut_off += 0 < len(people(recognizer)) < 40
    assert cut_off
    with toy_recognizer(tmp_path, faces_at(*AT)) as recognizer:
        done = list(enrol_people(recognizer, people_in(root)))
        assert people(recognizer) == {f"P{who:02d}": 3 for who in range(40)}
        assert {one.already for one in done} == {0, 3}


def _killed(folder, root, *, after, pause_s):
    """Enrol in a child that is killed once it has told of `after` people and `pause_s` have passed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with toy_recognizer(folder, faces_at(*AT)) as recognizer:
                for _one in enrol_people(recognizer, people_in(root)):
                    os.write(writing, b".")
        finally:
            os._exit(0)
    os.close(writing)
    for _ in range(after):
        if not select.select([reading], [], [], 60)[0] or not os.read(reading, 1):
            break
    time.sleep(pause_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)


def camera(*people, fps=10):
    return FakeSource([scene(who, noise=k)[0] for k, who in enumerate(people)], fps=fps, name="door")


def test_from_a_camera_good_looks_some_time_apart(recognizer):
    told = []
    samples = samples_from(camera(*[1] * 30), recognizer, count=3, seconds=10, tell=told.append)
    assert len(samples) == 3
    assert {sample.source for sample in samples} == {"door"}
    assert told == ["1 of 3", "2 of 3", "3 of 3"]
    assert len(recognizer.embedder.engine.fed) == 3  # frames in between are not looked at
    assert people(recognizer) == {}


def test_a_camera_that_sees_too_little_gives_what_it_has(recognizer):
    assert len(samples_from(camera(*[1] * 30), recognizer, count=50, seconds=1)) == 3
    assert len(samples_from(camera(*[1] * 6), recognizer, count=50, seconds=60)) == 2


def test_a_camera_without_a_good_face_says_what_to_mend(recognizer):
    recognizer.detector = ToldFaces()
    with pytest.raises(FaceRefused, match="door: no face was found: look at the camera"):
        samples_from(camera(1, 1, 1), recognizer, count=1, seconds=10)


def test_no_picture_at_all(recognizer):
    with pytest.raises(FaceRefused, match="no picture came"):
        samples_from(FakeSource(n=0), recognizer, count=1, seconds=10)


def test_single_pictures_are_remembered_by_what_they_are_called(recognizer, tmp_path):
    write(tmp_path / "a.png", 3)
    ann = PersonPictures("Ann", (("a.png", tmp_path / "a.png"),))
    assert [one.added for one in enrol_people(recognizer, [ann, ann])] == [1, 0]


def test_a_file_whose_name_is_no_utf8_is_enrolled_once(recognizer, folder):
    """Names of old Windows and of cameras: bytes of another encoding, which Python holds as surrogates."""
    odd = os.fsencode(folder / "Ann") + b"/Zo\xeb.png"
    (folder / "Ann" / "1.png").rename(os.fsdecode(odd))
    for added in (2, 0):
        ann = next(iter(enrol_people(recognizer, people_in(folder))))
        assert (ann.added, ann.already, ann.skipped) == (added, 2 - added, ())
    assert {one.source for one in recognizer.gallery.templates("Ann")} == {"Ann/0.png", "Ann/Zo\\udceb.png"}
