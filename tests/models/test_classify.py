"""The classifier, on an engine that answers as asked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vedette.contract import Contract, Golden, InputContract, ModelFile, OutputContract
from vedette.errors import ModelError, VedetteError
from vedette.models.classify import Classifier
from vedette.models.golden import open_replayer, record
from vedette.models.raw import RawNetwork
from vedette.testing import FakeEngine, fake_image
from vedette.types import TensorSpec

LABELS = ("cat", "dog", "owl")
PICTURE = TensorSpec("image", (1, 32, 32, 3), np.dtype("uint8"), 1 / 128, 128)
LOGITS = TensorSpec("logits", (1, 3), np.dtype("float32"), 0.0, 0)
CONTRACT = Contract(
    name="toy",
    version="1",
    task="classification",
    head={"type": "classify"},
    input=InputContract("image", (32, 32), "rgb", "letterbox", 114, (128.0,) * 3, (128.0,) * 3),
    outputs=(OutputContract("logits", "logits", 0),),
    labels=LABELS,
    threshold=0.5,
    license="CC0",
    training_data=(),
    metrics={},
    golden=None,
)


def toy(*logits, output=LOGITS, min_score=None, **contract):
    engine = FakeEngine([PICTURE], [output], [np.array([logits], np.float32)])
    return Classifier(engine, model(**contract), min_score=min_score)


def model(**contract):
    return ModelFile(Path("toy.tflite"), b"", "0" * 64, replace(CONTRACT, **contract))


def test_a_picture_is_named():
    found = toy(0.0, 3.0, 0.0).classify(fake_image(0, (50, 20)))
    assert found.names == ("dog",)
    assert found.labels == LABELS
    assert found.score[0] == pytest.approx(np.exp(3) / (np.exp(3) + 2))


def test_what_is_not_sure_is_not_said_unless_asked_for():
    assert len(toy(0.1, 0.2, 0.0).classify(fake_image())) == 0
    found = toy(0.1, 0.2, 0.0, min_score=0.0).classify(fake_image(), top=2)
    assert found.names == ("dog", "cat")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"head": {"type": "face"}}, "not a classifier", id="another task"),
        pytest.param({"labels": ("a", "b")}, r"\(1, 3\).*\(1, 2\)", id="labels"),
        pytest.param({"labels": ()}, "with its labels", id="no labels"),
        pytest.param(
            {"outputs": (OutputContract("other", "logits", 0),)}, "lacks the outputs", id="output name"
        ),
    ],
)
def test_a_contract_that_does_not_hold_is_refused(changes, message):
    with pytest.raises(ModelError, match=message):
        toy(0.0, 0.0, 0.0, **changes)


def test_what_is_no_picture_is_refused():
    with pytest.raises(VedetteError, match="uint8"):
        toy(0.0, 0.0, 0.0).classify(np.zeros((8, 8), np.uint8))


def test_the_golden_sample_is_replayed():
    import cv2

    picture = fake_image(7, (32, 32))
    engine = FakeEngine([PICTURE], [LOGITS], [np.array([[0.0, 3.0, 1.0]], np.float32)])
    answer = record(engine, model(), picture)
    assert answer["outputs"] == RawNetwork(engine, model()).answer(picture)
    png = cv2.imencode(".png", picture)[1].tobytes()
    golden = Golden(png, 2.0, 0.05, (), answer["outputs"])
    assert "1 output(s), off by 0.00%" in open_replayer(engine, model(golden=golden)).replay_golden()
    with pytest.raises(VedetteError, match="golden sample"):
        toy(0.0, 2.0, 1.0, golden=golden).replay_golden()


def test_closing_closes_the_engine():
    with toy(0.0, 0.0, 0.0) as classifier:
        pass
    assert classifier.engine.closed == 1
