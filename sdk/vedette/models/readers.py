"""How a detector's head is read: for each type what makes boxes of raw outputs, checked when a model is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vedette.contract import ModelFile
from vedette.errors import ModelError
from vedette.heads import blazeface, detect, face, ssd, ssd_raw, yolo, yolox
from vedette.heads.anchors import blazeface_anchors, make_anchors
from vedette.models.maps import read_maps
from vedette.models.task import parameter, refuse_output
from vedette.types import Tensor, TensorSpec

__all__ = ["FACE_READERS", "READERS", "Reader"]

Columns: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]
Reader: TypeAlias = Callable[[Sequence[Tensor], float], Columns]
"""Raw outputs in the contract's order and the least score -> xyxy (n, 4) in input pixels, score (n,), and class_id (n,)
or landmarks (n, 5, 2) in input pixels."""

Specs: TypeAlias = Sequence[TensorSpec]
_YES_NO = (True, False)


def _detect(model: ModelFile, outputs: Specs) -> Reader:
    strides, nms_iou = read_maps(model, outputs, {"score": len(model.contract.labels), "box": 4})
    return lambda tensors, least: detect.decode(tensors, strides, min_score=least, nms_iou=nms_iou)


def _face(model: ModelFile, outputs: Specs) -> Reader:
    strides, nms_iou = read_maps(model, outputs, {"score": 1, "box": 4, "points": 10})
    return lambda tensors, least: face.decode(tensors, strides, min_score=least, nms_iou=nms_iou)


def _ssd(model: ModelFile, outputs: Specs) -> Reader:
    roles = ("boxes", "classes", "scores", "count")
    pick = _roles(model, roles)
    size_wh, offset = model.contract.input.size_wh, int(model.contract.head.get("label_offset", 0))

    def read(tensors: Sequence[Tensor], least: float) -> Columns:
        boxes, classes, scores, count = pick(tensors)
        return ssd.decode(
            boxes, classes, scores, count, size_wh=size_wh, min_score=least, label_offset=offset
        )

    return read


def _ssd_raw(model: ModelFile, outputs: Specs) -> Reader:
    head, size_wh = model.contract.head, model.contract.input.size_wh
    roles = ("box_encodings", "class_scores")
    pick = _roles(model, roles)
    try:
        anchors, scales = make_anchors(head["anchors"], size_wh), [float(s) for s in head["scales"]]
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ModelError(f"{model.path}: its anchors cannot be made: {error!r}. Convert it again.") from error
    background = parameter(model, "background", _YES_NO)
    activation = parameter(model, "activation", ssd_raw.ACTIVATIONS)
    boxes, scores = _by_role(model, outputs, roles)
    wanted = (1, len(anchors), len(model.contract.labels) + background)
    if boxes.shape != (1, len(anchors), 4) or scores.shape != wanted or len(scales) != 4:
        raise refuse_output(model, outputs, f"{(1, len(anchors), 4)} and {wanted}")
    nms_iou = _nms_iou(model)

    def read(tensors: Sequence[Tensor], least: float) -> Columns:
        encodings, classes = pick(tensors)
        return ssd_raw.decode(
            encodings,
            classes,
            anchors,
            scales=scales,
            activation=activation,
            background=background,
            size_wh=size_wh,
            min_score=least,
            nms_iou=nms_iou,
        )

    return read


def _yolo(model: ModelFile, outputs: Specs) -> Reader:
    form = yolo.Form(
        channels_first=parameter(model, "layout", ("channels-first", "channels-last")) == "channels-first",
        objectness=parameter(model, "objectness", _YES_NO),
        normalized=parameter(model, "units", ("pixels", "normalized")) == "normalized",
        corners=parameter(model, "box", ("cxcywh", "xyxy")) == "xyxy",
        end_to_end=parameter(model, "end_to_end", _YES_NO),
        nms_iou=_nms_iou(model),
    )
    (spec,) = _by_role(model, outputs, ("predictions",))
    numbers = 6 if form.end_to_end else 4 + form.objectness + len(model.contract.labels)
    have = spec.shape[1 if form.channels_first else 2] if len(spec.shape) == 3 else 0
    if have != numbers:
        raise refuse_output(
            model, outputs, f"{numbers} numbers a box, with its {len(model.contract.labels)} labels"
        )
    size_wh = model.contract.input.size_wh
    return lambda tensors, least: yolo.decode(tensors[0], form, size_wh=size_wh, min_score=least)


def _yolox(model: ModelFile, outputs: Specs) -> Reader:
    decoded, nms_iou = parameter(model, "decoded", _YES_NO), _nms_iou(model)
    (spec,) = _by_role(model, outputs, ("predictions",))
    try:
        places = yolox.grid(model.contract.input.size_wh, [int(s) for s in model.contract.head["strides"]])
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ModelError(f"{model.path}: its strides make no grid: {error!r}. Convert it again.") from error
    wanted = (1, len(places), 5 + len(model.contract.labels))
    if spec.shape != wanted:
        raise refuse_output(model, outputs, str(wanted))
    return lambda tensors, least: yolox.decode(
        tensors[0], places, decoded=decoded, min_score=least, nms_iou=nms_iou
    )


def _blazeface(model: ModelFile, outputs: Specs) -> Reader:
    head, size_wh = model.contract.head, model.contract.input.size_wh
    roles = ("box_encodings", "scores")
    pick = _roles(model, roles)
    try:
        strides, scale = [int(s) for s in head["strides"]], float(head["scale"])
        interpolated = float(head["interpolated_scale_aspect_ratio"]) > 0
        anchors = blazeface_anchors(strides, interpolated=interpolated, size_wh=size_wh)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ModelError(f"{model.path}: its anchors cannot be made: {error!r}. Convert it again.") from error
    nms_iou, n = _nms_iou(model), len(anchors)
    if [spec.shape for spec in _by_role(model, outputs, roles)] != [(1, n, 16), (1, n, 1)] or scale <= 0:
        raise refuse_output(model, outputs, f"{(1, n, 16)} and {(1, n, 1)}")

    def read(tensors: Sequence[Tensor], least: float) -> Columns:
        encodings, score = pick(tensors)
        return blazeface.decode(
            encodings, score, anchors, scale=scale, size_wh=size_wh, min_score=least, nms_iou=nms_iou
        )

    return read


READERS: Mapping[str, Callable[[ModelFile, Specs], Reader]] = {
    "detect": _detect,
    "ssd-postprocess": _ssd,
    "ssd-raw": _ssd_raw,
    "yolo": _yolo,
    "yolox": _yolox,
}
"""Type of head -> what opens its reader for objects."""

FACE_READERS: Mapping[str, Callable[[ModelFile, Specs], Reader]] = {"face": _face, "blazeface": _blazeface}
"""Type of head -> what opens its reader for faces."""


def _roles(model: ModelFile, roles: Sequence[str]) -> Callable[[Sequence[Tensor]], list[Tensor]]:
    """Return what picks the tensors of `roles`, in that order, out of those in the contract's order.

    Raises:
        ModelError: the contract names other roles.
    """
    told = [o.role for o in model.contract.outputs]
    if sorted(told) != sorted(roles):
        raise ModelError(
            f"{model.path}: its outputs are {', '.join(told)}; a {model.contract.head.get('type')} head reads "
            f"{', '.join(roles)}. Convert it again."
        )
    places = [told.index(role) for role in roles]
    return lambda tensors: [tensors[i] for i in places]


def _by_role(model: ModelFile, outputs: Specs, roles: Sequence[str]) -> list[TensorSpec]:
    _roles(model, roles)
    told = [o.role for o in model.contract.outputs]
    return [outputs[told.index(role)] for role in roles]


def _nms_iou(model: ModelFile) -> float:
    value = model.contract.head.get("nms_iou")
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ModelError(f"{model.path}: its head has nms_iou {value!r}; 0 to 1 is needed. Convert it again.")
    return float(value)
