"""Normalization and colours: read from the file, from the rule, or asked for; never assumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawn_graphs import O, T, chain, draw, image
from vedette.errors import ModelError
from vedette.ops.quant import takes_pixels
from vedette.recognise import recognise
from vedette.types import TensorSpec
from vedette_convert.metadata import describe


def metadata(mean: float, std: float) -> bytes:
    given = {"input": {"mean": [mean] * 3, "std": [std] * 3, "name": "image"}, "name": "m", "version": "1"}
    return describe({**given, "license": "MIT"}, ["out"])


def see(given: T, noted: bytes | None = None) -> tuple[Any, str]:
    contract, evidence = recognise(chain(given, T("out", (1, 5)), "SOFTMAX", metadata=noted), path=Path("x"))
    return contract, "\n".join(evidence)


@pytest.mark.parametrize(
    ("dtype", "scale", "zero", "name"),
    [
        pytest.param("uint8", 1 / 255, 0, "unit", id="uint8 0..1"),
        pytest.param("int8", 1 / 255, -128, "unit", id="int8 0..1"),
        pytest.param("uint8", 1 / 128, 128, "signed", id="uint8 -1..1 by 128"),
        pytest.param("uint8", 1 / 127.5, 127, "signed", id="uint8 -1..1 by 127.5"),
        pytest.param("int8", 1 / 127.5, 0, "signed", id="int8 -1..1"),
        pytest.param("uint8", 1.0, 0, "pixels", id="uint8 0..255"),
    ],
)
def test_codes_are_the_pixels_where_the_range_is_a_usual_one(
    dtype: str, scale: float, zero: int, name: str
) -> None:
    contract, evidence = see(image(dtype=dtype, scale=scale, zero=zero))
    assert f"normalization: {name}, from the input's quantization" in evidence
    spec = TensorSpec("image", (1, 64, 64, 3), np.dtype(dtype), float(np.float32(scale)), zero)
    assert takes_pixels(spec, contract.input)


def test_an_unusual_range_is_asked_for() -> None:
    with pytest.raises(ModelError, match=r"no usual range.*--normalize unit"):
        see(image(dtype="int8", scale=0.0187, zero=-14))


def test_metadata_decides_where_the_range_is_calibrated() -> None:
    contract, evidence = see(image(dtype="int8", scale=0.0187, zero=-14), metadata(114, 53.5))
    assert (contract.input.mean[0], contract.input.std[0]) == (114, 53.5)
    assert "from the file's metadata" in evidence


def test_metadata_for_a_float_input() -> None:
    contract, evidence = see(image(), metadata(127.5, 127.5))
    assert contract.input.mean == (127.5,) * 3
    assert "colours: rgb, from the file's metadata" in evidence


def test_metadata_that_agrees_and_metadata_that_does_not() -> None:
    given = image(dtype="uint8", scale=1 / 128, zero=128)
    assert "its metadata says the same" in see(given, metadata(127.5, 127.5))[1]
    assert (
        "normalization: signed" in see(given, metadata(0, 1))[1]
    )  # AutoML's way to say that codes are pixels
    with pytest.raises(ModelError, match="contradict"):
        see(given, metadata(0, 255))


@pytest.mark.parametrize(
    ("kind", "constant", "own"),
    [
        pytest.param("MUL", 1 / 127.5, True, id="times 1/127.5"),
        pytest.param("DIV", 255.0, True, id="divided by 255"),
        pytest.param("MUL", 0.5, False, id="times a half is no scaling of pixels"),
    ],
)
def test_a_network_that_scales_its_pixels_itself_gets_pixels(kind: str, constant: float, own: bool) -> None:
    tensors = [image(), T("by", (1,), values=(constant,)), T("in", (1, 64, 64, 3)), T("out", (1, 5))]
    data = draw(
        tensors, ["image"], ["out"], [O(kind, ["image", "by"], ["in"]), O("SOFTMAX", ["in"], ["out"])]
    )
    if not own:
        with pytest.raises(ModelError, match="does not say how its float32 input is scaled"):
            recognise(data, path=Path("x"))
        return
    contract, evidence = recognise(data, path=Path("x"))
    assert (contract.input.mean, contract.input.std) == ((0,) * 3, (1,) * 3)
    assert "scales its pixels itself" in "\n".join(evidence)


def test_one_channel_is_gray() -> None:
    contract, _ = see(image(channels=1, dtype="uint8"))
    assert contract.input.color == "gray"
