"""Boxes without landmarks teach where faces are, and nothing of landmarks."""

import json

import cv2
import numpy as np
import pytest

from drawn import make_data
from face_run import needs_tensorflow, run_program
from vedette.errors import SettingsError
from vedette_train.data.faces import face_free_photos, read_boxes, read_faces
from vedette_train.data.scenes import Scenes
from vedette_train.data.targets import anchors, assign

HEADER = "file,split,origin,label,x1,y1,x2,y2"
GRADIENT = """
import json, numpy as np, tensorflow as tf
from keras import ops
from vedette_train.data.targets import TARGET_COLUMNS, anchors
from vedette_train.losses.face import face_loss
places = anchors((32, 32), (8, 16))
target = np.zeros((1, len(places), TARGET_COLUMNS), np.float32)
target[..., 1] = 1
target[0, 5] = [1, 1, 4, 4, 20, 20] + [np.nan] * 10
maps = {f"{role}_{s}": tf.Variable(tf.random.stateless_normal((1, 32 // s, 32 // s, n), (1, s)))
        for s in (8, 16) for role, n in (("score", 1), ("box", 4), ("points", 10))}
with tf.GradientTape() as tape:
    loss = face_loss(ops.convert_to_tensor(target), maps, ops.convert_to_tensor(places), (8, 16))
found = tape.gradient(loss, maps)
print(json.dumps({"loss": float(loss), **{k: float(tf.reduce_sum(tf.abs(v))) for k, v in found.items()}}))
"""


@pytest.fixture(scope="module")
def more(tmp_path_factory):
    root = tmp_path_factory.mktemp("more")
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(root / name), np.full((120, 160, 3), 90, np.uint8))
    rows = ["a.png,train,,face,10,20,50,70", "a.png,train,,face,90,20,130,70", "b.png,train,,,,,,"]
    (root / "boxes.csv").write_text("\n".join([HEADER, *rows]))
    return root


def test_boxes_of_any_data_are_faces_without_landmarks(more):
    first, second = read_boxes(more)
    assert first.xyxy.tolist() == [[10, 20, 50, 70], [90, 20, 130, 70]]
    assert first.sure.all()
    assert np.isnan(first.points).all()
    assert (len(second.xyxy), second.points.shape) == (0, (0, 5, 2))


def test_data_without_faces_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((9, 9, 3), np.uint8))
    (tmp_path / "boxes.csv").write_text(f"{HEADER}\na.png,train,,car,1,1,8,8\n")
    with pytest.raises(SettingsError, match="face"):
        read_boxes(tmp_path)


def test_scenes_show_them_as_places_and_targets_keep_what_is_not_known(more, tmp_path):
    known = read_faces(make_data(tmp_path / "data"), split="train")
    scenes = Scenes([*known, *read_boxes(more)], face_free_photos(tmp_path / "data"), 128)
    without = 0
    for seed in range(60):
        scene = scenes.make(np.random.default_rng(seed))
        target = assign(scene, anchors((128, 128), (8, 16, 32)))
        blank = np.isnan(target[:, 6])
        assert np.isfinite(target[:, :6]).all()
        assert (target[blank, 0] == 1).all()
        without += blank.sum()
    assert without > 4


@needs_tensorflow
def test_what_is_not_known_has_no_gradient():
    told = json.loads(run_program("-c", GRADIENT).splitlines()[-1])
    assert np.isfinite(list(told.values())).all()
    assert told["points_8"] == told["points_16"] == 0
    assert told["box_8"] > 0
