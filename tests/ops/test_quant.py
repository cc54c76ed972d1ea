"""Pictures into quantized inputs: the pixels themselves where the model takes them."""

from __future__ import annotations

import numpy as np
import pytest

from vedette.contract import InputContract
from vedette.ops.images import letterbox
from vedette.ops.quant import fill_input, takes_pixels
from vedette.types import TensorSpec

UNIT = InputContract("image", (8, 8), "rgb", "letterbox", 0, (0.0,) * 3, (255.0,) * 3)
SYMMETRIC = InputContract("image", (8, 8), "rgb", "letterbox", 0, (127.5,) * 3, (127.5,) * 3)


def spec(dtype: str, scale: float, zero_point: int) -> TensorSpec:
    return TensorSpec("image", (1, 8, 8, 3), np.dtype(dtype), scale, zero_point)


@pytest.mark.parametrize(
    ("tensor", "contract", "expected"),
    [
        pytest.param(spec("uint8", 1 / 255, 0), UNIT, True, id="uint8 0..1"),
        pytest.param(spec("int8", 1 / 255, -128), UNIT, True, id="int8 0..1"),
        pytest.param(spec("uint8", 2 / 255, 127), SYMMETRIC, False, id="uint8 -1..1, zero point off by half"),
        pytest.param(spec("uint8", 2 / 255, 128), UNIT, False, id="other range"),
        pytest.param(spec("float32", 0, 0), UNIT, False, id="float"),
    ],
)
def test_which_inputs_take_pixels(tensor: TensorSpec, contract: InputContract, expected: bool) -> None:
    assert takes_pixels(tensor, contract) is expected


@pytest.mark.parametrize(
    ("tensor", "contract"),
    [
        pytest.param(spec("uint8", 1 / 255, 0), UNIT, id="uint8"),
        pytest.param(spec("int8", 1 / 255, -128), UNIT, id="int8"),
        pytest.param(spec("uint8", 2 / 255, 128), SYMMETRIC, id="uint8 symmetric"),
        pytest.param(spec("int8", 2 / 255, 0), SYMMETRIC, id="int8 symmetric"),
        pytest.param(spec("float32", 0.0, 0), SYMMETRIC, id="float"),
    ],
)
def test_the_real_values_arrive(tensor: TensorSpec, contract: InputContract) -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    image[0, 0], image[0, 1] = 0, 255
    buffer = np.empty((1, 8, 8, 3), tensor.dtype)
    fill_input(image, buffer, tensor, contract)
    real = buffer[0].astype(np.float64)
    if tensor.scale:
        real = (real - tensor.zero_point) * tensor.scale
    wanted = (image - np.float64(contract.mean)) / np.float64(contract.std)
    # half a quantization step, and the one code that the range -1..1 is short of at its upper end
    np.testing.assert_allclose(real, wanted, atol=tensor.scale * 1.01 + 1e-6)


@pytest.mark.parametrize(
    ("tensor", "contract"),
    [
        pytest.param(spec("uint8", 1 / 255, 0), UNIT, id="uint8"),
        pytest.param(spec("int8", 1 / 255, -128), UNIT, id="int8"),
        pytest.param(spec("int8", 2 / 255, 0), SYMMETRIC, id="int8 symmetric"),
        pytest.param(spec("float32", 0.0, 0), SYMMETRIC, id="float"),
    ],
)
def test_a_picture_fitted_ahead_gives_the_same_input(tensor: TensorSpec, contract: InputContract) -> None:
    image = np.random.default_rng(1).integers(0, 256, (9, 30, 3), np.uint8)
    at_once, ahead = (np.zeros((1, 8, 8, 3), tensor.dtype) for _ in range(2))
    place = fill_input(image, at_once, tensor, contract)
    fitted = letterbox(image, contract.size_wh, pad_value=contract.pad_value)[0]
    before = fitted.copy()
    assert fill_input(image, ahead, tensor, contract, fitted=fitted) == place
    np.testing.assert_array_equal(ahead, at_once)
    np.testing.assert_array_equal(fitted, before)
