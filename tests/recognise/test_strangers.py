"""The models that nobody here made: each is what its makers say, or is refused with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fuzz_tflite import MODELS
from vedette.errors import ModelError
from vedette.recognise import recognise
from vedette.zoo import find

pytestmark = pytest.mark.skipif(not MODELS.is_dir(), reason="needs ../shared/data/models")

IMAGENET = (1001, "background", "toilet tissue, toilet paper, bathroom tissue")
COCO = (80, "person", "toothbrush")
YOLO = {
    "type": "yolo",
    "layout": "channels-first",
    "objectness": False,
    "units": "normalized",
    "end_to_end": False,
}
NONE = (0, "", "")


@pytest.mark.parametrize(
    ("name", "labels", "task", "head", "known", "size_wh", "roles"),
    [
        pytest.param(
            "mobilenet_v1_0.25_128_quant",
            None,
            "classification",
            {"type": "classify", "activation": "none"},
            IMAGENET,
            (128, 128),
            ["scores"],
            id="mobilenet v1",
        ),
        pytest.param(
            "mobilenet_v2_1.0_224_quant",
            "imagenet_labels.txt",
            "classification",
            {"type": "classify"},
            IMAGENET,
            (224, 224),
            ["scores"],
            id="mobilenet v2",
        ),
        pytest.param(
            "ssd_mobilenet_pets_quant_postprocess",
            "pet_label_map.pbtxt",
            "object-detection",
            {"type": "ssd-postprocess"},
            (37, "Abyssinian", "yorkshire_terrier"),
            (300, 300),
            ["boxes", "classes", "scores", "count"],
            id="ssd",
        ),
        pytest.param(
            "yolov8n_full_integer_quant_416",
            None,
            "object-detection",
            YOLO,
            COCO,
            (416, 416),
            ["predictions"],
            id="yolov8",
        ),
        pytest.param(
            "yolo11n_full_integer_quant_224",
            None,
            "object-detection",
            YOLO,
            COCO,
            (224, 224),
            ["predictions"],
            id="yolo11",
        ),
        pytest.param(
            "yolo11n_dynamic_640",
            None,
            "object-detection",
            YOLO,
            COCO,
            (640, 640),
            ["predictions"],
            id="yolo11 float",
        ),
        pytest.param(
            "deeplabv3_mnv2_dm05_pascal_quant",
            "pascal_voc_segmentation_labels.txt",
            "segmentation",
            {"type": "segment", "kind": "argmax"},
            (21, "background", "tvmonitor"),
            (513, 513),
            ["classes"],
            id="deeplab",
        ),
        pytest.param(
            "movenet_single_pose_lightning_ptq",
            None,
            "pose-estimation",
            {"type": "movenet"},
            NONE,
            (192, 192),
            ["keypoints"],
            id="movenet",
        ),
        pytest.param(
            "abpn_x3_qat",
            None,
            "image-to-image",
            {"type": "image-to-image", "scale": 3, "range": "pixels"},
            NONE,
            (0, 0),
            ["image"],
            id="abpn",
        ),
    ],
)
def test_a_stranger_is_recognised(
    name: str,
    labels: str | None,
    task: str,
    head: dict[str, Any],
    known: tuple[int, str, str],
    size_wh: tuple[int, int],
    roles: list[str],
) -> None:
    path = MODELS / f"{name}.tflite"
    contract, evidence = recognise(path.read_bytes(), path=path, labels=MODELS / labels if labels else None)
    assert contract.task == task
    assert {key: contract.head[key] for key in head} == head
    names = contract.labels
    assert (len(names), *(names[:1] or ("",)), *(names[-1:] or ("",))) == known
    assert contract.input.size_wh == size_wh
    assert [o.role for o in contract.outputs] == roles
    assert all(sentence.endswith(".") for sentence in evidence)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param(
            "mobilenet_v1_0.25_128_quant_edgetpu", "compiled for the Edge TPU .* runtime 12", id="edge tpu"
        ),
        pytest.param("model_invoking_error", "custom operator 'fake-op-double'", id="fails in invoke"),
    ],
)
def test_a_stranger_is_refused(name: str, message: str) -> None:
    path = MODELS / f"{name}.tflite"
    with pytest.raises(ModelError, match=message):
        recognise(path.read_bytes(), path=path)


def test_every_file_is_in_a_table() -> None:
    here = Path(__file__).read_text()
    assert [p.name for p in MODELS.glob("*.tflite") if f'"{p.stem}"' not in here] == []


@pytest.mark.parametrize(
    ("model", "labels", "message"),
    [
        pytest.param(
            "yolo11n_dynamic_640", "imagenet_labels.txt", "1001 labels, the tensor has 80", id="yolo"
        ),
        pytest.param(
            "mobilenet_v2_1.0_224_quant", "coco_labels.txt", "90 labels, the tensor has 1001", id="classifier"
        ),
        pytest.param(
            "ssd_mobilenet_pets_quant_postprocess",
            "coco_labels.txt",
            "90 labels, the tensor has 37",
            id="ssd",
        ),
    ],
)
def test_wrong_labels_name_both_numbers(model: str, labels: str, message: str) -> None:
    path = MODELS / f"{model}.tflite"
    with pytest.raises(ModelError, match=message):
        recognise(path.read_bytes(), path=path, labels=MODELS / labels)


def test_cocos_ninety_with_holes_fit_a_yolo_of_eighty() -> None:
    path = MODELS / "yolo11n_dynamic_640.tflite"
    own, _ = recognise(path.read_bytes(), path=path)
    given, evidence = recognise(path.read_bytes(), path=path, labels=MODELS / "coco_labels.txt")
    assert len(given.labels) == 80
    assert [a == b for a, b in zip(own.labels, given.labels, strict=True)].count(
        False
    ) <= 3  # other words, same order
    assert "without the ids that were never used" in "\n".join(evidence)


def test_our_own_model_needs_its_contract() -> None:
    """Without it, nine maps are no family that the rules know: it must not be taken for one."""
    path = find("face-detector")
    with pytest.raises(ModelError, match="no rule knows"):
        recognise(path.read_bytes(), path=path)
