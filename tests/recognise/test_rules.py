"""Each rule on drawn graphs of the family it is for, and on those that it must leave alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drawn_graphs import O, T, block, chain, draw, image
from vedette.contract import Contract
from vedette.errors import ModelError, SettingsError
from vedette.recognise import HEADS, recognise

PATH = Path("drawn.tflite")
POST = "TFLite_Detection_PostProcess"
NOTES = b"{'task': '%s', 'names': {0: 'a', 1: 'b'}}"


def see(data: bytes, **given: Any) -> tuple[Contract, str]:
    contract, evidence = recognise(data, path=PATH, **given)
    return contract, "\n".join(evidence)


def row(count: int, *kinds: str, name: str = "out", **more: Any) -> bytes:
    return chain(image(dtype="uint8", scale=1 / 255), T(name, (1, count)), *kinds, **more)


def post_processed(
    order: tuple[int, ...] = (0, 1, 2, 3), *, size: int = 300, anchors: int = 1917, classes: int = 90
) -> bytes:
    outs = [T(f"made{i}", ()) for i in range(4)]
    tensors = [image((size, size)), T("b", (1, anchors, 4)), T("s", (1, anchors, classes + 1)), *outs]
    ops = [
        O("CONV_2D", ["image"], ["b"]),
        O("LOGISTIC", ["image"], ["s"]),
        O(POST, ["b", "s"], [t.name for t in outs], {"num_classes": classes}),
    ]
    return draw(tensors, ["image"], [f"made{i}" for i in order], ops)


def raw(
    size: int, anchors: int, classes: int, *, last: str = "CONCATENATION", swapped: bool = False
) -> bytes:
    tensors = [image((size, size)), T("boxes", (1, anchors, 4)), T("scores", (1, anchors, classes))]
    ops = [O("CONCATENATION", ["image"], ["boxes"]), O(last, ["image"], ["scores"])]
    names = ["scores", "boxes"] if swapped else ["boxes", "scores"]
    return draw(tensors, ["image"], names, ops)


def yolo(
    *shape: int,
    size: int = 64,
    top: float = 1.2,
    labels: int = 0,
    kinds: tuple[str, ...] = ("CONCATENATION",),
) -> bytes:
    given = image((size, size), dtype="int8", scale=1 / 255, zero=-128)
    attached = {"labels.txt": "\n".join(f"l{i}" for i in range(labels)).encode()} if labels else None
    return chain(given, T("out", (1, *shape), "int8", top / 255, -128), *kinds, attached=attached)


def faces(size: int, anchors: int) -> bytes:
    tensors = [image((size, size)), T("regressors", (1, anchors, 16)), T("classificators", (1, anchors, 1))]
    ops = [O("CONCATENATION", ["image"], ["regressors"]), O("CONCATENATION", ["image"], ["classificators"])]
    return draw(tensors, ["image"], ["classificators", "regressors"], ops)


CASES = [
    pytest.param(post_processed(), "object-detection", {"type": "ssd-postprocess"}, 90, "SSD with", id="ssd"),
    pytest.param(
        post_processed(size=320, anchors=19206),
        "object-detection",
        {"type": "ssd-postprocess"},
        90,
        "EfficientDet-Lite",
        id="efficientdet-lite0",
    ),
    pytest.param(
        raw(300, 1917, 91),
        "object-detection",
        {"type": "ssd-raw", "activation": "sigmoid", "background": True, "scales": [10, 10, 5, 5]},
        90,
        "1917",
        id="ssd raw 300",
    ),
    pytest.param(
        raw(320, 2034, 91, last="LOGISTIC", swapped=True),
        "object-detection",
        {"type": "ssd-raw", "activation": "none", "background": True},
        90,
        "2034",
        id="ssd raw 320, other order",
    ),
    pytest.param(
        raw(320, 12804, 91), "object-detection", {"type": "ssd-raw"}, 90, "FPN-Lite", id="ssd fpn-lite raw"
    ),
    pytest.param(
        raw(320, 19206, 90),
        "object-detection",
        {"type": "ssd-raw", "background": False, "scales": [1] * 4},
        90,
        "EfficientDet",
        id="efficientdet raw",
    ),
    pytest.param(
        yolo(84, 84),
        "object-detection",
        {"type": "yolo", "layout": "channels-first", "objectness": False, "units": "normalized"},
        80,
        "v8",
        id="v8, n = 84",
    ),
    pytest.param(
        yolo(84, 1029, size=224, top=300),
        "object-detection",
        {"type": "yolo", "units": "pixels"},
        80,
        "reach up to 300",
        id="v8 in pixels",
    ),
    pytest.param(
        yolo(1029, 84, size=224),
        "object-detection",
        {"type": "yolo", "layout": "channels-last"},
        80,
        "v8",
        id="v8 channels last",
    ),
    pytest.param(
        yolo(6300, 85, size=320),
        "object-detection",
        {"type": "yolo", "layout": "channels-last", "objectness": True},
        80,
        "3 boxes for each of 2100",
        id="v5",
    ),
    pytest.param(
        yolo(7, 6300, size=320),
        "object-detection",
        {"type": "yolo", "layout": "channels-first", "objectness": True},
        2,
        "3 boxes",
        id="v5 channels first, two classes",
    ),
    pytest.param(
        yolo(300, 6, size=320, top=1),
        "object-detection",
        {"type": "yolo", "end_to_end": True, "box": "xyxy"},
        0,
        "end to end",
        id="end to end (v10, 26)",
    ),
    pytest.param(
        yolo(5, 84, labels=1),
        "object-detection",
        {"type": "yolo", "objectness": False},
        1,
        "1 classes",
        id="v8, one class",
    ),
    pytest.param(
        yolo(2100, 85, size=320),
        "object-detection",
        {"type": "yolox", "decoded": False},
        80,
        "no EXP",
        id="yolox",
    ),
    pytest.param(
        yolo(2100, 85, size=320, kinds=("EXP", "CONCATENATION")),
        "object-detection",
        {"type": "yolox", "decoded": True},
        80,
        "EXP",
        id="yolox decoded",
    ),
    pytest.param(
        yolo(84, 7, labels=2),
        "object-detection",
        {"type": "yolox"},
        2,
        "2 classes",
        id="yolox by the labels",
    ),
    pytest.param(
        faces(256, 896),
        "face-detection",
        {"type": "blazeface", "range": "short", "strides": [16, 32, 32, 32], "scale": 256},
        1,
        "896",
        id="blazeface back camera",
    ),
    pytest.param(
        faces(128, 896),
        "face-detection",
        {"type": "blazeface", "range": "short"},
        1,
        "896",
        id="blazeface short",
    ),
    pytest.param(
        faces(192, 2304),
        "face-detection",
        {"type": "blazeface", "range": "full"},
        1,
        "2304",
        id="blazeface full",
    ),
    pytest.param(
        row(1000, "FULLY_CONNECTED", "SOFTMAX"),
        "classification",
        {"type": "classify", "activation": "none"},
        1000,
        "SOFTMAX",
        id="classifier",
    ),
    pytest.param(
        row(1001, "MEAN", "FULLY_CONNECTED"),
        "classification",
        {"type": "classify", "activation": "softmax"},
        1001,
        "logits",
        id="imagenet logits",
    ),
    pytest.param(
        row(3, "FULLY_CONNECTED", attached={"labels.txt": b"a\nb\nc"}),
        "classification",
        {"type": "classify", "activation": "softmax"},
        3,
        "as many as there are labels",
        id="logits with labels",
    ),
    pytest.param(
        chain(
            image(dtype="uint8", scale=1 / 255), T("out", (1, 5), "uint8", 1 / 256, 0), "SOFTMAX", "QUANTIZE"
        ),
        "classification",
        {"activation": "none"},
        5,
        "SOFTMAX",
        id="softmax, then quantized",
    ),
    pytest.param(
        row(128, "FULLY_CONNECTED", "L2_NORMALIZATION"),
        "embedding",
        {"type": "embed", "normalize": False},
        0,
        "L2_NORMALIZATION",
        id="embedding",
    ),
    pytest.param(
        row(512, "FULLY_CONNECTED", name="feature_vector"),
        "embedding",
        {"type": "embed", "normalize": True},
        0,
        "feature",
        id="feature vector",
    ),
    pytest.param(
        row(1024, "CONV_2D", "AVERAGE_POOL_2D"),
        "embedding",
        {"type": "embed", "normalize": True},
        0,
        "AVERAGE_POOL_2D",
        id="embedding extractor",
    ),
    pytest.param(
        draw(
            [
                image((513, 513), dtype="uint8", scale=1 / 128, zero=128),
                T("map", (1, 513, 513, 21)),
                T("out", (1, 513, 513), "int64"),
            ],
            ["image"],
            ["out"],
            [O("RESIZE_BILINEAR", ["image"], ["map"]), O("ARG_MAX", ["map"], ["out"])],
        ),
        "segmentation",
        {"type": "segment", "kind": "argmax"},
        21,
        "ARG_MAX over 21",
        id="deeplab, argmax",
    ),
    pytest.param(
        chain(image((513, 513)), T("out", (1, 33, 33, 21)), "CONV_2D"),
        "segmentation",
        {"type": "segment", "kind": "logits"},
        21,
        "DeepLab's 21 classes",
        id="deeplab, logits",
    ),
    pytest.param(
        chain(image(dtype="uint8", scale=1 / 255), T("out", (1, 64, 64, 1)), "CONV_2D", "LOGISTIC"),
        "segmentation",
        {"type": "matting", "activation": "none"},
        0,
        "LOGISTIC",
        id="matting",
    ),
    pytest.param(
        chain(image((192, 192), dtype="uint8"), T("out", (1, 1, 17, 3)), "CONCATENATION"),
        "pose-estimation",
        {"type": "movenet"},
        0,
        "MoveNet",
        id="movenet",
    ),
    pytest.param(
        chain(
            image(dtype="uint8", scale=1.0),
            T("out", (1, 192, 192, 3), "uint8", 1.0, 0),
            "CONV_2D",
            "DEPTH_TO_SPACE",
        ),
        "image-to-image",
        {"type": "image-to-image", "scale": 3, "range": "pixels"},
        0,
        "64x64 in, 192x192 out",
        id="x3",
    ),
    pytest.param(
        chain(image(), T("out", (1, 64, 64, 3)), "CONV_2D", "TANH"),
        "image-to-image",
        {"scale": 1, "range": "signed"},
        0,
        "TANH",
        id="denoise, signed",
    ),
    pytest.param(
        draw(
            [
                T("image", (1, -1, -1, 3), "uint8", 1.0),
                T("deep", (1, -1, -1, 12)),
                T("out", (1, -1, -1, 3), "uint8", 1.0),
            ],
            ["image"],
            ["out"],
            [O("CONV_2D", ["image"], ["deep"]), O("DEPTH_TO_SPACE", ["deep"], ["out"], builtin=block(2))],
        ),
        "image-to-image",
        {"scale": 2},
        0,
        "any size in",
        id="x2 of any size",
    ),
]


@pytest.mark.parametrize(("data", "task", "head", "count", "why"), CASES)
def test_a_family_is_recognised(data: bytes, task: str, head: dict[str, Any], count: int, why: str) -> None:
    contract, evidence = see(data)
    assert contract.task == task
    assert {key: contract.head[key] for key in head} == head
    assert len(contract.labels) == count
    assert why in evidence


def test_every_head_is_in_the_table() -> None:
    covered = {see(case.values[0])[0].head["type"] for case in CASES}  # type: ignore[arg-type]
    assert covered == set(HEADS)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_roles_follow_the_operator_not_the_files_order(order: tuple[int, ...]) -> None:
    contract, _ = see(post_processed(order))
    roles = {o.name: o.role for o in contract.outputs}
    assert roles == {"made0": "boxes", "made1": "classes", "made2": "scores", "made3": "count"}
    assert [o.name for o in contract.outputs] == [f"made{i}" for i in order]


def test_blazefaces_outputs_are_told_apart_by_shape() -> None:
    contract, _ = see(faces(128, 896))
    assert [(o.name, o.role) for o in contract.outputs] == [
        ("regressors", "box_encodings"),
        ("classificators", "scores"),
    ]


@pytest.mark.parametrize(
    ("constants", "units"),
    [
        pytest.param((0.0125, 0.05), "normalized", id="strides in parts of the picture"),
        pytest.param((8.0, 32.0), "pixels", id="strides in pixels"),
    ],
)
def test_float_boxes_units_are_read_from_the_last_constants(constants: tuple[float, ...], units: str) -> None:
    tensors = [
        image((320, 320)),
        T("maps", (1, 84, 2100)),
        T("strides", (1, 1, 2100), values=constants),
        T("scaled", (1, 84, 2100)),
        T("half", (1,), values=(0.5,)),
        T("out", (1, 84, 2100)),
    ]
    ops = [
        O("RESHAPE", ["image"], ["maps"]),
        O("MUL", ["maps", "strides"], ["scaled"]),
        O("MUL", ["scaled", "half"], ["out"]),
    ]
    contract, evidence = see(draw(tensors, ["image"], ["out"], ops))
    assert contract.head["units"] == units
    assert f"up to {max(constants):g}" in evidence


# what is refused, and what is asked


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(row(5, "FlexErf", "SOFTMAX"), "TensorFlow's own operators", id="flex"),
        pytest.param(
            row(5, "Convolution2DTransposeBias", "SOFTMAX"), "'Convolution2DTransposeBias'", id="custom"
        ),
        pytest.param(
            row(5, "UNIDIRECTIONAL_SEQUENCE_LSTM", "SOFTMAX"), "state from frame to frame", id="lstm"
        ),
        pytest.param(
            draw(
                [image(), T("init_lstm_c", (1, 4, 4, 8)), T("boxes", (1, 10, 4)), T("c", (1, 4, 4, 8))],
                ["image", "init_lstm_c"],
                ["boxes", "c"],
                [O("CONV_2D", ["image"], ["boxes"])],
            ),
            "inputs init_lstm_c",
            id="recurrent detector",
        ),
        pytest.param(
            draw(
                [image(), T("memory", (1, 8), variable=True), T("out", (1, 5))],
                ["image"],
                ["out"],
                [O("SOFTMAX", ["image"], ["out"])],
            ),
            "variables memory",
            id="variable tensors",
        ),
        pytest.param(
            chain(T("image", (1, 3, 64, 64)), T("out", (1, 5)), "SOFTMAX"), "channels first", id="NCHW"
        ),
        pytest.param(
            post_processed(classes=2_000_000_000), "tells 2000000000 classes apart", id="classes without end"
        ),
        pytest.param(chain(T("audio", (1, 16000)), T("out", (1, 5)), "SOFTMAX"), "no picture", id="audio"),
        pytest.param(
            chain(T("image", (8, 64, 64, 3)), T("out", (8, 5)), "SOFTMAX"), "8 pictures", id="batch"
        ),
        pytest.param(chain(image(dtype="int32"), T("out", (1, 5)), "SOFTMAX"), "is int32", id="dtype"),
        pytest.param(
            chain(image((256, 256)), T("out", (1, 6, 56)), "CONCATENATION"),
            "several people",
            id="movenet multi pose",
        ),
        pytest.param(yolo(83, 80, size=64), "no rule knows", id="a grid that does not fit"),
        pytest.param(
            row(5, "SOFTMAX", attached={"temp_meta.txt": NOTES % b"pose"}), "'pose'", id="yolo pose"
        ),
        pytest.param(
            row(5, "SOFTMAX", attached={"l.txt": b"a\nb"}), "2 labels, the tensor has 5", id="labels"
        ),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(data: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        see(data)
    assert str(caught.value).startswith(f"{PATH}: ")


@pytest.mark.parametrize(
    ("data", "flags"),
    [
        pytest.param(
            row(128, "FULLY_CONNECTED"), ["--head classify", "--head embed"], id="classes or embedding"
        ),
        pytest.param(
            chain(image(), T("out", (1, 64, 64, 3)), "CONV_2D"),
            ["--head image-to-image:range=unit"],
            id="range of pixels",
        ),
        pytest.param(
            yolo(2100, 16, size=320), ["--head yolo:objectness=false", "--head yolox"], id="4 + 12 or 5 + 11"
        ),
        pytest.param(
            chain(image((320, 320)), T("out", (1, 84, 2100)), "CONCATENATION"),
            ["yolo:units=pixels"],
            id="units of boxes",
        ),
        pytest.param(
            chain(image(), T("out", (1, 5)), "SOFTMAX"), ["--normalize unit", "signed"], id="float input"
        ),
        pytest.param(
            chain(image(dtype="uint8", scale=1 / 255), T("out", (1, 96, 96, 14)), "CONV_2D"),
            ["--head segment"],
            id="heat maps of a pose look like classes",
        ),
        pytest.param(
            chain(image(dtype="uint8", scale=1 / 255), T("out", (1, 64, 64, 1)), "CONV_2D"),
            ["--head matting"],
            id="one map",
        ),
    ],
)
def test_two_readings_end_in_a_question(data: bytes, flags: list[str]) -> None:
    with pytest.raises(ModelError) as caught:
        see(data)
    assert all(flag in str(caught.value) for flag in flags), str(caught.value)


def test_the_answer_decides(tmp_path: Path) -> None:
    twelve = tmp_path / "labels.txt"
    twelve.write_text("\n".join(f"l{i}" for i in range(12)))
    eleven = tmp_path / "eleven.txt"
    eleven.write_text("\n".join(f"l{i}" for i in range(11)))
    data = yolo(2100, 16, size=320)
    assert see(data, labels=twelve)[0].head["type"] == "yolo"
    assert see(data, labels=eleven)[0].head["type"] == "yolox"
    assert see(data, head="yolo:objectness=true")[0].head["objectness"] is True
    assert see(row(128, "FULLY_CONNECTED"), head="embed")[0].task == "embedding"
    assert see(row(128, "FULLY_CONNECTED"), head="classify")[0].task == "classification"


def test_what_is_given_is_in_the_contract_and_the_evidence() -> None:
    data = chain(image(), T("out", (1, 5)), "SOFTMAX")
    contract, evidence = see(data, normalize="10,20,30:2", color="bgr", head="classify")
    assert (contract.input.mean, contract.input.std, contract.input.color) == ((10, 20, 30), (2, 2, 2), "bgr")
    assert "as given" in evidence


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"head": "yollo"}, "did you mean 'yolo'", id="head"),
        pytest.param({"head": "yolo:unit=pixels"}, "did you mean 'units'", id="parameter"),
        pytest.param({"normalize": "0-1"}, "--normalize '0-1'", id="normalize"),
        pytest.param({"normalize": "1:0"}, "every std above 0", id="std of zero"),
        pytest.param({"color": "hsv"}, "--color hsv", id="color"),
        pytest.param({"color": "gray"}, "3 channel", id="gray for three channels"),
    ],
)
def test_wrong_flags_are_settings_errors(given: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        see(yolo(84, 84), **given)


def test_a_head_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ModelError, match=r"does not fit --head movenet: input \(1, 64, 64, 3\)"):
        see(yolo(84, 84), head="movenet")
