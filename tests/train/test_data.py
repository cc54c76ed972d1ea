"""Labels in, composed scenes and targets out; on drawn faces."""

import numpy as np
import pytest

from drawn import make_data
from vedette.errors import VedetteError
from vedette.ops.boxes import iou_matrix
from vedette_train.data.augment import disturb
from vedette_train.data.faces import face_free_photos, read_faces
from vedette_train.data.scenes import MIRROR, Scene, Scenes
from vedette_train.data.targets import TARGET_COLUMNS, anchors, assign

STRIDES = (8, 16, 32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def scenes(data):
    return Scenes(read_faces(data, split="train"), face_free_photos(data), 128)


def test_no_val_photo_is_trained_on(data):
    train, val = ({p.path for p in read_faces(data, split=s)} for s in ("train", "val"))
    assert len(train) == 40 + 40 + 8
    assert len(val) == 12 + 12
    assert not train & val


def test_faces_are_on_no_background(data):
    assert sorted(p.name for p in face_free_photos(data)) == sorted(f"none{i}.png" for i in range(12))


def test_the_learned_box_fits_every_way_of_drawing_it(data):
    for photo in read_faces(data, split="train"):
        assert iou_matrix(photo.xyxy, photo.given).diagonal().min() > 0.8


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        pytest.param(lambda p: p.unlink(), "cannot read", id="missing"),
        pytest.param(
            lambda p: p.write_text(p.read_text() + "web/x.png,train,1,2,3\n"), "line 54", id="cut off"
        ),
        pytest.param(lambda p: p.write_text("file,split\nweb/0.png,train\n"), "line 2", id="no boxes"),
    ],
)
def test_bad_labels_are_named(tmp_path, break_it, told):
    root = make_data(tmp_path / "data")
    break_it(root / "faces" / "web.csv")
    with pytest.raises(VedetteError, match=told):
        read_faces(root, split="train")


def test_a_scene_is_made_again_from_its_seed(scenes):
    first, again, other = (scenes.make(np.random.default_rng(seed)) for seed in (3, 3, 4))
    for name in ("image", "xyxy", "points", "sure"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.image, other.image)


def test_scenes_hold_faces_of_all_sizes_with_their_points_inside(scenes):
    made = [scenes.make(np.random.default_rng(seed)) for seed in range(200)]
    boxes = np.concatenate([s.xyxy[s.sure] for s in made])
    points = np.concatenate([s.points[s.sure] for s in made])
    side = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    assert side.min() < 12
    assert side.max() > 100
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    assert (np.abs(points - middle[:, None]) <= 1.1 * half[:, None]).all(axis=(1, 2)).mean() > 0.98
    for scene in made:
        assert scene.image.shape == (128, 128, 3)
        assert scene.image.dtype == np.uint8
        assert scene.xyxy.shape[1:] == (4,)
        assert scene.points.shape[1:] == (5, 2)


def test_left_stays_left(scenes):
    """Half of the faces are mirrored: their left eye must still be the left one as seen."""
    for seed in range(100):
        scene = scenes.make(np.random.default_rng(seed))
        left, right = scene.points[:, [0, 3]], scene.points[:, [1, 4]]
        assert ((right - left)[..., 0] > 0).mean() > 0.9 or not len(scene.points)
    assert np.array(MIRROR)[MIRROR].tolist() == [0, 1, 2, 3, 4]


def test_disturbing_keeps_shape_and_dtype():
    image = np.full((64, 64, 3), 128, np.uint8)
    for seed in range(60):
        out = disturb(image, np.random.default_rng(seed))
        assert out.shape == image.shape
        assert out.dtype == np.uint8
    assert (image == 128).all()


def scene_of(boxes, sure=None):
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    points = np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2, 5, 1)
    sure = np.ones(len(boxes), bool) if sure is None else np.asarray(sure)
    return Scene(np.zeros((128, 128, 3), np.uint8), boxes, points, sure)


def square(x, y, side):
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2]


@pytest.mark.parametrize("side", [7.5, 12, 20, 32, 48, 80, 100, 127])
def test_every_size_has_a_place_that_answers_for_it(side):
    places = anchors((128, 128), STRIDES)
    rng = np.random.default_rng(0)
    for _ in range(20):
        at = rng.uniform(side / 2, 128 - side / 2, 2)
        target = assign(scene_of(square(*at, side)), places)
        mine = target[:, 0] == 1
        assert mine.any()
        np.testing.assert_allclose(target[mine, 2:6], np.tile(square(*at, side), (mine.sum(), 1)), rtol=1e-5)
        assert (target[mine, 1] == 1).all()


def test_without_faces_all_is_background():
    target = assign(scene_of([]), anchors((128, 128), STRIDES))
    assert target.shape == (16 * 16 + 8 * 8 + 4 * 4, TARGET_COLUMNS)
    assert target.dtype == np.float32
    assert (target[:, 0] == 0).all()
    assert (target[:, 1] == 1).all()


def test_an_unsure_face_teaches_nothing():
    places = anchors((128, 128), STRIDES)
    target = assign(scene_of([square(64, 64, 40)], [False]), places)
    inside = (np.abs(places[:, :2] - 64) < 20).all(1)
    assert (target[:, 0] == 0).all()
    assert (target[inside, 1] == 0).all()
    assert (target[(np.abs(places[:, :2] - 64) > 40).any(1), 1] == 1).all()


def test_the_smaller_of_two_faces_wins():
    small = square(64, 64, 12)
    target = assign(scene_of([small, square(64, 64, 30)]), anchors((128, 128), STRIDES))
    nearest = target[:256][np.abs(anchors((128, 128), STRIDES)[:256, :2] - 64).max(1) < 8]
    np.testing.assert_allclose(nearest[:, 2:6], np.tile(small, (len(nearest), 1)))
