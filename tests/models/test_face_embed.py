"""The embedder of faces, on an engine that answers as asked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vedette.contract import Contract, Golden, InputContract, ModelFile, OutputContract
from vedette.errors import ModelError, VedetteError
from vedette.models.face_embed import FaceEmbedder
from vedette.models.golden import open_replayer, record
from vedette.ops.faces import ALIGNED_POINTS, ALIGNED_SIZE
from vedette.testing import FakeEngine, fake_image
from vedette.types import TensorSpec

SIDE = ALIGNED_SIZE
PICTURE = TensorSpec("image", (1, SIDE, SIDE, 3), np.dtype("uint8"), 1 / 128, 128)
VECTOR = TensorSpec("embedding", (1, 4), np.dtype("int8"), 0.5, 10)
CONTRACT = Contract(
    name="toy",
    version="1",
    task="embedding",
    head={"type": "embed", "normalize": True},
    input=InputContract("image", (SIDE, SIDE), "rgb", "letterbox", 0, (128.0,) * 3, (128.0,) * 3),
    outputs=(OutputContract("embedding", "embedding", 0),),
    labels=(),
    threshold=0.4,
    license="CC0",
    training_data=(),
    metrics={},
    golden=None,
)


def model(**contract):
    return ModelFile(Path("toy.tflite"), b"", "0" * 64, replace(CONTRACT, **contract))


def toy(answer, *, picture=PICTURE, output=VECTOR, **contract):
    return FaceEmbedder(FakeEngine([picture], [output], answer), model(**contract))


def codes(*values):
    return [np.array([values], np.int8)]


def test_quantized_codes_become_a_unit_vector():
    """Codes less the zero point, 10, are 3, -4, 0, 0; the scale does not matter to a direction."""
    embedder = toy(codes(13, 6, 10, 10))
    found = embedder.embed_aligned(np.zeros((1, SIDE, SIDE, 3), np.uint8))
    np.testing.assert_allclose(found, [[0.6, -0.8, 0, 0]], atol=1e-6)
    assert found.dtype == np.float32
    assert (embedder.size, embedder.min_score) == (4, 0.4)


def test_float_outputs_do_as_well():
    output = TensorSpec("embedding", (1, 2), np.dtype("float32"), 0.0, 0)
    embedder = toy([np.array([[0.0, -2.0]], np.float32)], output=output)
    np.testing.assert_allclose(embedder.embed_aligned(np.zeros((1, SIDE, SIDE, 3), np.uint8)), [[0, -1]])


def test_each_face_is_aligned_and_fed_alone():
    """A face that lies as an aligned one does is fed as it is; the other one is 30 px further right."""
    image = fake_image(1, (SIDE + 30, SIDE))
    points = np.stack([ALIGNED_POINTS, ALIGNED_POINTS + np.float32([30, 0])])
    embedder = toy(lambda buffers: [buffers[0][:, :1, :4, 0].reshape(1, 4).astype(np.int8)])
    assert embedder.embed_faces(image, points).shape == (2, 4)
    first, second = (fed[0][0] for fed in embedder.engine.fed)
    np.testing.assert_allclose(first.astype(int), image[:, :SIDE], atol=1)  # rounding of the warp
    np.testing.assert_allclose(second.astype(int), image[:, 30:], atol=1)


def test_no_face_gives_no_row():
    found = toy(codes(13, 6, 10, 10)).embed_faces(fake_image(), np.zeros((0, 5, 2), np.float32))
    assert (found.shape, found.dtype) == ((0, 4), np.float32)


def test_an_answer_without_direction_is_refused():
    with pytest.raises(ModelError, match="without a direction"):
        toy(codes(10, 10, 10, 10)).embed_faces(fake_image(), ALIGNED_POINTS[None])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"head": {"type": "face"}}, "not face embeddings", id="another task"),
        pytest.param(
            {"output": TensorSpec("embedding", (1, 2, 2), np.dtype("int8"), 0.5, 0)},
            r"one row \(1, d\)",
            id="shape",
        ),
        pytest.param(
            {
                "picture": TensorSpec("image", (1, 96, 96, 3), np.dtype("uint8"), 1 / 128, 128),
                "input": replace(CONTRACT.input, size_wh=(96, 96)),
            },
            "takes 96x96, aligned faces are 112x112",
            id="size",
        ),
        pytest.param(
            {"outputs": (OutputContract("other", "embedding", 0),)}, "lacks the outputs", id="output name"
        ),
    ],
)
def test_a_contract_that_does_not_hold_is_refused(changes, message):
    with pytest.raises(ModelError, match=message):
        toy(codes(1, 2, 3, 4), **changes)


def test_what_is_no_picture_is_refused():
    with pytest.raises(VedetteError, match="uint8"):
        toy(codes(1, 2, 3, 4)).embed_faces(np.zeros((8, 8), np.uint8), ALIGNED_POINTS[None])


def test_the_golden_sample_is_replayed():
    import cv2

    picture = fake_image(7, (SIDE, SIDE))
    engine = FakeEngine([PICTURE], [VECTOR], codes(1, 20, 3, 4))
    answer = record(engine, model(), picture)["outputs"]
    golden = Golden(cv2.imencode(".png", picture)[1].tobytes(), 2.0, 0.05, (), answer)
    assert "off by 0.00%" in open_replayer(engine, model(golden=golden)).replay_golden()
    assert "off by 0.00%" in FaceEmbedder(engine, model(golden=golden)).replay_golden()
    with pytest.raises(VedetteError, match="golden sample"):
        toy(codes(20, 1, 3, 4), golden=golden).replay_golden()


def test_closing_closes_the_engine():
    with toy(codes(1, 2, 3, 4)) as embedder:
        pass
    assert embedder.engine.closed == 1
