"""Detections: columns that belong together, and what others make of them."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from vedette.errors import MissingDependencyError
from vedette.types import Detections, Faces


def faces(n, **more):
    boxes = np.arange(4 * n, dtype=np.float32).reshape(n, 4)
    return Faces(
        boxes, np.linspace(0.9, 0.5, n, dtype=np.float32), np.zeros(n, np.int32), np.arange(-1, n - 1, dtype=np.int32),
        ("face",), boxes[:, None, :2] + np.zeros((n, 5, 2), np.float32), **more,
    )  # fmt: skip


@pytest.mark.parametrize("n", [0, 3])
def test_detections_are_seen_unless_said_to_be_predicted(n):
    assert faces(n).predicted.tolist() == [False] * n
    assert Detections.empty().predicted.dtype == bool
    assert replace(faces(n), predicted=np.array(True)).predicted.tolist() == [True] * n


@pytest.mark.parametrize("column", ["xyxy", "class_id", "track_id", "predicted"])
def test_columns_of_another_length_are_refused(column):
    with pytest.raises(ValueError, match=f"{column} has 2 rows, score has 3"):
        replace(faces(3), **{column: getattr(faces(2), column)})


@pytest.mark.parametrize("rows", [[2, 0], [], [True, False, True]], ids=["index", "nothing", "mask"])
def test_rows_are_taken_with_all_their_columns(rows):
    rows = np.array(rows, bool if True in rows else int)
    one = replace(faces(3), predicted=np.array([True, False, True]))
    some = one.take(rows)
    assert isinstance(some, Faces)
    assert some.labels == one.labels
    for column in ("xyxy", "score", "class_id", "track_id", "landmarks", "predicted"):
        np.testing.assert_array_equal(getattr(some, column), getattr(one, column)[rows])


def test_classes_are_named_even_where_the_labels_end():
    one = replace(faces(2), class_id=np.int32([0, 9]))
    assert one.names == ["face", "9"]


class StandIn:
    """What `supervision.Detections` takes; it checks lengths, as the real one does."""

    def __init__(self, *, xyxy, confidence, class_id, tracker_id, data):
        columns = [confidence, class_id, *data.values()] + ([] if tracker_id is None else [tracker_id])
        assert {len(column) for column in columns} == {len(xyxy)}
        self.xyxy, self.tracker_id, self.class_id, self.data = xyxy, tracker_id, class_id, data


@pytest.fixture
def supervision(monkeypatch):
    module = ModuleType("supervision")
    module.Detections = StandIn
    monkeypatch.setitem(sys.modules, "supervision", module)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_supervision_gets_everything(supervision, n):
    theirs = faces(n).to_supervision()
    np.testing.assert_array_equal(theirs.xyxy, faces(n).xyxy)
    assert theirs.data["class_name"].tolist() == ["face"] * n
    assert theirs.data["landmarks"].shape == (n, 5, 2)
    assert theirs.tracker_id is None if n < 2 else theirs.tracker_id.tolist() == [-1, 0, 1]


def test_without_supervision_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(MissingDependencyError, match="pip install supervision"):
        faces(1).to_supervision()


def test_the_real_supervision_takes_it_too():
    real = pytest.importorskip("supervision", reason="the package supervision is not installed")
    theirs = faces(3).to_supervision()
    assert isinstance(theirs, real.Detections)
    assert len(theirs[theirs.tracker_id >= 0]) == 2
    assert len(faces(0).to_supervision()) == 0
