"""Names of tracks: by votes in seconds, within a budget, taken back when somebody is erased."""

from dataclasses import replace

import numpy as np
import pytest

from recognition import enrolled, faces_at, scene, toy_recognizer, tracked
from vedette.settings import RecognizeSettings
from vedette.stages.recognize import Recognize
from vedette.types import Detections, Frame, IdentifiedFaces, Results


@pytest.fixture
def recognizer(tmp_path):
    with toy_recognizer(tmp_path) as made:
        enrolled(made, Ann=1, Bob=2)
        yield made


def look(stage, image, faces, second):
    results = Results(Frame(image, 0, round(second * 1e9), 0, "test"), {"faces": faces})
    return stage(results).found["faces"]


def embedded(recognizer):
    return len(recognizer.embedder.engine.fed) - 2  # the enrolled ones


@pytest.mark.parametrize("fps", [3, 60])
def test_a_name_comes_with_evidence_at_any_frame_rate(recognizer, fps):
    stage = Recognize(recognizer)
    image, faces = scene(1, 3)
    told = {}
    for k in range(2 * fps):
        found = look(stage, image, tracked(faces, 5, 6), k / fps)
        for track_id, identity in zip(found.track_id.tolist(), found.identity, strict=True):
            told.setdefault((track_id, identity), k / fps)
    assert isinstance(found, IdentifiedFaces)
    assert found.person.tolist() == ["Ann", ""]
    assert found.identity == ("known", "unknown")
    assert found.certainty.tolist() == [1, 1]
    assert found.similarity[0] > 0.95 > 0.8 > found.similarity[1]
    assert told[(5, "undecided")] == told[(6, "undecided")] == 0
    assert 0.5 <= told[(5, "known")] <= 1.1
    assert 0.5 <= told[(6, "unknown")] <= 1.1
    assert found.person_id[0] == recognizer.gallery.people()[0].id
    assert found.person_id[1] == -1


def test_faces_without_a_track_stay_undecided(recognizer):
    stage = Recognize(recognizer)
    for k in range(30):
        found = look(stage, *scene(1), k / 10)
    assert found.identity == ("undecided",)
    assert np.isnan(found.similarity).all()
    assert embedded(recognizer) == 0


def test_no_face_at_all(recognizer):
    image, faces = scene()
    found = look(Recognize(recognizer), image, faces, 0)
    assert isinstance(found, IdentifiedFaces)
    assert (len(found), found.identity, found.person.shape) == (0, (), (0,))


def test_other_things_are_let_through(recognizer):
    image, faces = scene(1)
    cars = Detections.empty(["car"])
    results = Results(Frame(image, 0, 0, 0, "test"), {"objects": cars, "faces": tracked(faces, 1)})
    after = Recognize(recognizer)(results)
    assert after.found["objects"] is cars
    assert after.models["recognize"].name == "toy"
    assert len(after.found["faces"].take(np.array([0]))) == 1


def test_embeddings_keep_to_the_budget(recognizer):
    """30 fps for two seconds, four faces: all by turns, two a frame, then each once a second."""
    stage = Recognize(recognizer, RecognizeSettings(max_faces=2))
    image, faces = scene(1, 2, 3, 4, size_wh=(720, 240))
    counts = []
    for k in range(60):
        before = embedded(recognizer)
        found = look(stage, image, tracked(faces, 1, 2, 3, 4), k / 30)
        counts.append(embedded(recognizer) - before)
    assert counts[:2] == [2, 2]
    assert max(counts) == 2
    assert (
        sum(counts) <= 4 * (0.9 / 0.1 + 2) + 4
    )  # undecided for up to .9 s at ten a second, then one a second
    assert sum(counts[-15:]) <= 4
    assert found.person.tolist() == ["Ann", "Bob", "", ""]


def test_predicted_faces_keep_their_names_and_cost_nothing(recognizer):
    stage = Recognize(recognizer)
    image, faces = scene(1)
    for k in range(12):
        look(stage, image, tracked(faces, 1), k / 10)
    before = embedded(recognizer)
    gone = replace(tracked(faces, 1), predicted=np.ones(1, bool))
    found = look(stage, scene(2)[0], gone, 9)  # whoever is there now, nobody has looked
    assert found.person.tolist() == ["Ann"]
    assert embedded(recognizer) == before


def test_who_is_erased_loses_the_name(recognizer):
    stage = Recognize(recognizer)
    image, faces = scene(1)
    for k in range(12):
        found = look(stage, image, tracked(faces, 1), k / 10)
    assert found.person.tolist() == ["Ann"]
    recognizer.gallery.erase("Ann")
    told = [look(stage, image, tracked(faces, 1), 1.2 + k / 10).person.tolist() for k in range(12)]
    assert told[-1] == [""]
    assert [""] in told[:11]


def test_a_clock_that_runs_backwards_does_not_stop_the_looks(recognizer):
    stage = Recognize(recognizer)
    image, faces = scene(1)
    look(stage, image, tracked(faces, 1), 1e6)
    for k in range(12):
        found = look(stage, image, tracked(faces, 2), 5 + k / 10)
    assert found.person.tolist() == ["Ann"]
    assert list(stage._tracks) == [2]  # what was seen a million seconds from now is forgotten
    before = embedded(recognizer)
    look(stage, image, tracked(faces, 2), 1)  # five seconds back: not put off until the clock has caught up
    assert embedded(recognizer) == before + 1


def test_bad_faces_do_not_vote(recognizer):
    stage = Recognize(recognizer)
    image, faces = scene(1)
    for k in range(20):
        found = look(stage, np.full_like(image, 128), tracked(faces, 1), k / 10)
    assert found.identity == ("undecided",)
    assert embedded(recognizer) == 0


def test_nobody_is_ever_enrolled(recognizer):
    stage = Recognize(recognizer)
    for k in range(20):
        look(stage, scene(7)[0], tracked(faces_at((40, 40)), 1), k / 10)
    assert [(p.name, p.templates) for p in recognizer.gallery.people()] == [("Ann", 1), ("Bob", 1)]


def test_the_frame_is_not_touched(recognizer):
    image, faces = scene(1)
    before = image.copy()
    look(Recognize(recognizer), image, tracked(faces, 1), 0)
    np.testing.assert_array_equal(image, before)


def test_closing_closes_the_recognizer(tmp_path):
    made = toy_recognizer(tmp_path)
    Recognize(made).close()
    assert made.detector.closed == 1
