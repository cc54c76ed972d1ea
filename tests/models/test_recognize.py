"""Faces found, measured and looked for in a gallery."""

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from recognition import (
    ToldFaces,
    enrolled,
    faces_at,
    scene,
    toy_embedder,
    toy_recognizer,
)
from vedette.errors import FaceRefused, GalleryError, VedetteError
from vedette.gallery.calibrate import ImpostorScores
from vedette.gallery.gallery import Gallery
from vedette.gallery.seal import UNENCRYPTED
from vedette.models.recognize import IMPOSTORS, FaceRecognizer, embedding_model, impostors_of
from vedette.sources.images import decode_image


@pytest.fixture
def recognizer(tmp_path):
    with toy_recognizer(tmp_path) as made:
        enrolled(made, Ann=1, Bob=2)
        yield made


def test_each_face_is_named_or_unknown(recognizer):
    image, faces = scene(2, 3, 1, noise=7)
    found = recognizer.identify(image, faces)
    assert [one.name for one in found] == ["Bob", "", "Ann"]
    assert [one.decision.reason for one in found] == ["known", "below_threshold", "known"]
    assert found[0].decision.score > 0.95
    assert found[1].decision.score < 0.8
    assert all(one.quality > 0.5 and not one.refusals for one in found)


def test_faces_are_looked_for_where_none_are_given(recognizer):
    image, recognizer.detector.faces = scene(1)
    assert [one.name for one in recognizer.identify(image)] == ["Ann"]


def test_no_face_is_no_answer(recognizer):
    image, _ = scene()
    assert recognizer.look(image) == recognizer.identify(image) == ()
    assert recognizer.embedder.engine.fed[2:] == []  # the two that were enrolled


def test_a_bad_face_is_refused_and_not_embedded(recognizer):
    image, faces = scene(1, 2)
    image[:, :200] = 128
    first, second = recognizer.identify(image, faces)
    assert (first.decision, first.name, second.name) == (None, "", "Bob")
    assert {refusal.reason for refusal in first.refusals} == {"contrast", "blur"}
    assert len(recognizer.embedder.engine.fed) == 3


def test_a_margin_can_be_demanded(tmp_path):
    with toy_recognizer(tmp_path, min_margin=1.99) as strict:
        enrolled(strict, Ann=1, Bob=2)
        (found,) = strict.identify(*scene(1))
        assert (found.name, found.decision.reason) == ("", "small_margin")


@pytest.mark.parametrize(
    ("people", "reason", "advice"),
    [
        pytest.param((), "no_face", "look at the camera", id="nobody"),
        pytest.param((1, 2), "several_faces", "one person", id="several"),
    ],
)
def test_enrolment_takes_exactly_one_face(recognizer, people, reason, advice):
    image, recognizer.detector.faces = scene(*people)
    with pytest.raises(FaceRefused, match=advice) as refused:
        recognizer.enroll("Eve", image, source="door.png")
    assert refused.value.reasons == (reason,)
    assert str(refused.value).startswith("door.png: ")
    assert [person.name for person in recognizer.gallery.people()] == ["Ann", "Bob"]


def test_enrolment_is_stricter_than_matching(recognizer):
    image, faces = scene(1)
    small = replace(faces, landmarks=faces.landmarks[:, :1] + (faces.landmarks - faces.landmarks[:, :1]) / 2)
    (look,) = recognizer.look(image, small)
    assert [refusal.reason for refusal in look.enrol_refusals] == ["size"]
    assert look.match_refusals == ()
    recognizer.detector.faces = small
    with pytest.raises(FaceRefused, match="go nearer"):
        recognizer.enroll("Eve", image, source="far")


def test_who_is_enrolled_is_recognised(recognizer):
    image, recognizer.detector.faces = scene(4)
    made = recognizer.enroll("Cleo", image, source="door")
    assert made.created
    assert recognizer.gallery.templates("Cleo")[0].source == "door"
    assert recognizer.gallery.templates("Cleo")[0].has_picture is False
    assert recognizer.identify(*scene(4, noise=3))[0].name == "Cleo"


def test_the_same_face_under_two_names_is_told(recognizer):
    image, recognizer.detector.faces = scene(1, noise=1)
    (flag,) = recognizer.enroll("Anna", image, source="door").flags
    assert (flag.kind, set(flag.names)) == ("agree", {"Ann", "Anna"})


def test_two_people_under_one_name_are_told(recognizer):
    image, recognizer.detector.faces = scene(9)
    (flag,) = recognizer.enroll("Ann", image, source="door").flags
    assert (flag.kind, flag.names) == ("disagree", ("Ann",))


def test_a_kept_picture_is_the_face_and_little_else(recognizer):
    image, recognizer.detector.faces = scene(1)
    made = recognizer.enroll("Dan", image, source="door", keep_picture=True)
    kept = decode_image(recognizer.gallery.picture(made.template_ids[0]), label="kept")
    assert kept.shape == (236, 236, 3)  # 40 + 112 + 84 px: cut at the picture's edge, then .75 of the face
    assert abs(kept.astype(int) - image[:236, :236]).mean() < 6  # JPEG


def test_a_picture_has_to_be_one(recognizer):
    with pytest.raises(VedetteError, match="must be"):
        recognizer.look(np.zeros((8, 8), np.uint8))


def test_a_gallery_of_another_model_is_refused(tmp_path):
    model = embedding_model(toy_embedder())
    with (
        Gallery(tmp_path / "a.db", key=UNENCRYPTED, model=model) as gallery,
        pytest.raises(GalleryError, match="made with"),
    ):
        FaceRecognizer(ToldFaces(faces_at()), toy_embedder(sha256="b" * 64), gallery)


def with_scores(scores):
    """Return the bytes of a model that carries `scores`."""
    buffer = io.BytesIO(b"flatbuffer")
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(IMPOSTORS, ImpostorScores.of(scores, people=9, model_sha256="").to_bytes())
    return buffer.getvalue()


def test_the_scores_in_the_file_calibrate_the_gallery(tmp_path):
    scores = np.random.default_rng(0).uniform(-0.5, 0.9, 100_000)
    embedder = toy_embedder(data=with_scores(scores))
    told = impostors_of(embedder.model)
    assert (told.total, told.people, told.model_sha256) == (100_000, 9, "a" * 64)
    gallery = Gallery(tmp_path / "a.db", key=UNENCRYPTED, model=embedding_model(embedder))
    with FaceRecognizer(ToldFaces(), embedder, gallery) as recognizer:
        enrolled(recognizer, Ann=1, Bob=2)
        made = recognizer.calibrate(far=1e-2)
        # Two templates: at most .005 of the scores, even from -.5 to .9, may reach it; a little less, to be sure.
        assert made.threshold == pytest.approx(0.9 - 1.4 * 0.005, abs=1e-3)
        assert made.threshold > 0.9 - 1.4 * 0.005
        assert recognizer.gallery.threshold == made.threshold
        enrolled(recognizer, Cleo=3)
        assert recognizer.gallery.calibration().stale
        assert recognizer.calibrate().far == 1e-2


def test_without_scores_no_rate_is_promised(recognizer):
    assert impostors_of(recognizer.embedder.model) is None
    with pytest.raises(GalleryError, match="carries no scores of strangers"):
        recognizer.calibrate(far=1e-2)


def test_all_is_closed(tmp_path):
    made = toy_recognizer(tmp_path)
    made.close()
    assert made.detector.closed == made.embedder.engine.closed == 1
