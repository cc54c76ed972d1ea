"""What an earlier detector took for faces comes back as something that is none."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from drawn import make_data
from vedette_train.data.faces import face_free_photos, no_faces, read_faces
from vedette_train.data.mistakes import Mistake, find_mistakes
from vedette_train.data.scenes import Scenes

PURE = (255, 0, 255)  # no drawn picture holds it


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def photos(data):
    return read_faces(data, split="train")


def believing(*rows):
    """Return a detector that always answers the same: boxes, and their scores."""
    xyxy, score = np.float32([row[:4] for row in rows]).reshape(-1, 4), np.float32([row[4] for row in rows])
    return lambda _image: (xyxy, score)


@pytest.mark.parametrize(
    ("score", "kept"), [(0.1, 0), (0.3, 1), (0.7, 1), (0.9, 0)], ids=["doubtful", "less", "more", "a face"]
)
def test_only_what_is_half_believed_is_a_mistake(photos, score, kept):
    alone = replace(photos[0], xyxy=photos[0].xyxy[:0])
    found = find_mistakes(believing((1, 2, 9, 12, score)), [alone])
    assert [m.xyxy.tolist() for m in found] == [[1, 2, 9, 12]] * kept


def test_a_known_face_is_no_mistake_and_a_broken_photo_ends_nothing(photos, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    on_the_face = believing((*photos[0].xyxy[0], 0.5))
    assert find_mistakes(on_the_face, [no_faces(broken), photos[0]]) == []
    assert find_mistakes(believing(), [photos[0]]) == []


def test_mistakes_are_shown_often_and_never_as_faces(data, photos, tmp_path):
    path = tmp_path / "mistake.png"
    cv2.imwrite(str(path), np.full((64, 64, 3), PURE[::-1], np.uint8))
    mistake = Mistake(no_faces(path), np.float32([16, 16, 48, 48]), 0.5)
    plain, taught = (Scenes(photos, face_free_photos(data), 96, given) for given in ([], [mistake]))

    def shown(scenes):
        made = [scenes.make(np.random.default_rng(seed)) for seed in range(150)]
        return [s for s in made if (np.abs(s.image.astype(int) - PURE).max(-1) < 40).mean() > 0.005], made

    seen, made = shown(taught)
    assert len(seen) > len(shown(plain)[0]) + 10
    for scene in made:
        for x1, y1, x2, y2 in scene.xyxy[scene.sure].astype(int):
            inside = scene.image[max(0, y1) : y2, max(0, x1) : x2].astype(int)
            assert inside.size == 0 or (np.abs(inside - PURE).max(-1) < 40).mean() < 0.6
