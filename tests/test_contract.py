"""The contract inside a model file: read whole, or refused with one clear sentence."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vedette.contract import check_tensors, open_model_file
from vedette.errors import ModelError
from vedette.types import TensorSpec

NETWORK = b"\x1c\0\0\0TFL3" + bytes(100)
CONTRACT: dict[str, Any] = {
    "schema": 1,
    "name": "toy",
    "version": "1.2.3",
    "task": "face-detection",
    "head": {"type": "face", "strides": [8], "nms_iou": 0.4},
    "input": {
        "name": "image",
        "size_wh": [64, 32],
        "color": "rgb",
        "resize": "letterbox",
        "pad_value": 114,
        "mean": [0, 0, 0],
        "std": [255, 255, 255],
    },
    "outputs": [{"name": "score_8", "role": "score", "stride": 8}],
    "labels": ["face"],
    "threshold": 0.5,
    "license": "Apache-2.0",
    "training_data": ["drawn"],
    "metrics": {"int8": {"ap": 0.5}},
}


def model_bytes(contract: dict[str, Any], network: bytes = NETWORK) -> bytes:
    buffer = io.BytesIO(network)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("vedette.json", json.dumps(contract))
        archive.writestr("golden.png", b"picture")
    return buffer.getvalue()


def test_a_whole_model_is_read(tmp_path: Path) -> None:
    path = tmp_path / "toy.tflite"
    golden = {"image": "golden.png", "tolerance_px": 2, "detections": [{"box": [1, 2, 3, 4]}]}
    digest = hashlib.sha256(NETWORK).hexdigest()
    path.write_bytes(data := model_bytes({**CONTRACT, "golden": golden, "flatbuffer_sha256": digest}))
    model = open_model_file(path)
    assert model.sha256 == hashlib.sha256(data).hexdigest()
    assert model.contract.name == "toy"
    assert model.contract.input.size_wh == (64, 32)
    assert model.contract.outputs[0].stride == 8
    assert model.contract.golden is not None
    assert model.contract.golden.image == b"picture"
    assert model.contract.golden.detections[0]["box"] == [1, 2, 3, 4]


def without(key: str) -> dict[str, Any]:
    return {k: v for k, v in CONTRACT.items() if k != key}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "empty", id="zero bytes"),
        pytest.param(b"hello, this is no model", "not a TFLite model", id="not tflite"),
        pytest.param(NETWORK, "no complete Vedette contract", id="a stranger's model"),
        pytest.param(model_bytes(CONTRACT)[:-40], "no complete Vedette contract", id="cut short"),
        pytest.param(model_bytes({**CONTRACT, "schema": 2}), "update vedette", id="from the future"),
        pytest.param(model_bytes(without("labels")), "'labels' is missing", id="key missing"),
        pytest.param(
            model_bytes({**CONTRACT, "threshold": 3}), "threshold is 3.0", id="threshold out of range"
        ),
        pytest.param(
            model_bytes({**CONTRACT, "input": {**CONTRACT["input"], "color": "hsv"}}),
            "colour 'hsv'",
            id="colour",
        ),
        pytest.param(
            model_bytes({**CONTRACT, "input": {**CONTRACT["input"], "size_wh": [0, 5]}}), "0x5", id="no size"
        ),
        pytest.param(
            model_bytes({**CONTRACT, "flatbuffer_sha256": "0" * 64}),
            "the file is damaged",
            id="bytes changed",
        ),
        pytest.param(
            model_bytes({**CONTRACT, "golden": {"image": "gone.png", "tolerance_px": 1, "detections": []}}),
            "gone.png",
            id="golden picture missing",
        ),
    ],
)
def test_a_bad_model_is_refused_in_one_sentence(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "bad.tflite"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=message) as caught:
        open_model_file(path)
    assert str(path) in str(caught.value)


def with_member(raw: bytes) -> bytes:
    buffer = io.BytesIO(NETWORK)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("vedette.json", raw)
    return buffer.getvalue()


def deflated() -> bytes:
    """Return a model whose contract is packed, and broken within."""
    buffer = io.BytesIO(NETWORK)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vedette.json", json.dumps(CONTRACT))
    data = bytearray(buffer.getvalue())
    start = data.index(b"vedette.json") + len("vedette.json")
    data[start : start + 8] = b"\xff" * 8
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(deflated(), id="zlib.error"),
        pytest.param(with_member(b"[]"), id="a list"),
        pytest.param(with_member(b'"x"'), id="a string"),
        pytest.param(with_member(b"[" * 100_000), id="nested without end"),
        pytest.param(with_member(b"\xff\xfe"), id="no text"),
        pytest.param(
            model_bytes({**CONTRACT, "input": {**CONTRACT["input"], "size_wh": [float("inf"), 5]}}),
            id="infinite",
        ),
    ],
)
def test_what_stands_in_the_contract_never_escapes(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.tflite"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"bad\.tflite"):
        open_model_file(path)


def test_no_flipped_bit_of_the_appended_zip_escapes(tmp_path: Path) -> None:
    """A bit here and there: the fields of a zip's directory lead zipfile astray in many ways."""
    golden = {"image": "golden.png", "tolerance_px": 2, "detections": []}
    data = model_bytes(
        {**CONTRACT, "golden": golden, "flatbuffer_sha256": hashlib.sha256(NETWORK).hexdigest()}
    )
    path = tmp_path / "flipped.tflite"
    refused = 0
    for place in range(len(NETWORK), len(data), 3):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
        try:
            open_model_file(path)
        except ModelError:
            refused += 1
    assert refused > (len(data) - len(NETWORK)) / 6  # what is left are dates, attributes and the like


def test_a_missing_model_says_where(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model file at .*gone\.tflite"):
        open_model_file(tmp_path / "gone.tflite")


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot read the model"):
        open_model_file(tmp_path)


def spec(name: str, shape: tuple[int, ...], dtype: str = "uint8") -> TensorSpec:
    return TensorSpec(name, shape, np.dtype(dtype), 1 / 255, 0)


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        pytest.param(
            [spec("image", (1, 64, 64, 3))], [spec("score_8", (1, 4, 8, 1))], "64, 64", id="input size"
        ),
        pytest.param([], [spec("score_8", (1, 4, 8, 1))], "promises one input", id="no input"),
        pytest.param(
            [spec("image", (1, 32, 64, 3), "int16")], [spec("score_8", (1,))], "int16", id="input type"
        ),
        pytest.param([spec("image", (1, 32, 64, 3))], [spec("other", (1,))], "score_8", id="output missing"),
    ],
)
def test_a_network_is_held_to_its_contract(
    tmp_path: Path, inputs: list[TensorSpec], outputs: list[TensorSpec], message: str
) -> None:
    path = tmp_path / "toy.tflite"
    path.write_bytes(model_bytes(CONTRACT))
    contract = open_model_file(path).contract
    check_tensors(contract, [spec("image", (1, 32, 64, 3))], [spec("score_8", (1, 4, 8, 1))])
    with pytest.raises(ModelError, match=message):
        check_tensors(contract, inputs, outputs)
