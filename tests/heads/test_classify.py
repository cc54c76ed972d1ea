"""Raw logits to classes: by hand, with nothing likely enough, float against int8."""

import numpy as np
import pytest

from vedette.heads.classify import decode
from vedette.types import Tensor


def test_the_most_probable_class_comes_first():
    class_id, score = decode(
        Tensor("logits", np.log([[1.0, 5.0, 2.0, 2.0]]).astype(np.float32), 0.0, 0), min_score=0.0, top=3
    )
    assert class_id.tolist() == [1, 2, 3]
    np.testing.assert_allclose(score, [0.5, 0.2, 0.2], rtol=1e-6)


def test_a_score_in_a_quantized_tensor_is_the_same():
    raw = np.array([[-128, 20, 0]], np.int8)
    wanted = decode(
        Tensor("logits", (raw.astype(np.float32) - 3) * np.float32(0.05), 0.0, 0), min_score=0.0, top=3
    )
    found = decode(Tensor("logits", raw, 0.05, 3), min_score=0.0, top=3)
    assert found[0].tolist() == wanted[0].tolist() == [1, 2, 0]
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-6)


@pytest.mark.parametrize(
    ("logits", "min_score", "top"),
    [
        pytest.param([0.0, 0.0], 0.6, 5, id="nothing likely enough"),
        pytest.param([9.0, 0.0], 0.6, 0, id="none asked for"),
    ],
)
def test_nothing_found_keeps_shapes_and_dtypes(logits, min_score, top):
    class_id, score = decode(
        Tensor("logits", np.array([logits], np.float32), 0.0, 0), min_score=min_score, top=top
    )
    assert (class_id.shape, class_id.dtype, score.shape, score.dtype) == ((0,), np.int32, (0,), np.float32)


def test_large_logits_do_not_overflow():
    class_id, score = decode(
        Tensor("logits", np.array([[900.0, 890.0]], np.float32), 0.0, 0), min_score=0.0, top=1
    )
    assert class_id.tolist() == [0]
    assert 0.9999 < score[0] <= 1
