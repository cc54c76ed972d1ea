"""The object detector's loss: task-aligned assignment, scores by cross entropy, boxes by distance IoU.

Feng et al., TOOD: Task-aligned One-stage Object Detection, 2021; Zheng et al., Distance-IoU Loss, 2020. A class that is
not labelled at a place costs nothing there.
"""

from __future__ import annotations

from typing import Any

from keras import ops

__all__ = ["assign", "decode", "detect_loss", "iou"]

ALPHA, BETA = 0.5, 4.0  # how much score and overlap count in the alignment
TOP_PLACES = 10
BOX_WEIGHT = 5.0
LEAST_REACH = 0.75  # strides: an object smaller than a place still has the place nearest to its middle
LEAST_OVERLAP = 0.05
TINY = 1e-12


def decode(box: Any, places: Any) -> Any:
    """Return xyxy (..., n, 4) px of raw boxes and `places` (n, 3) of x, y, stride; see `vedette.heads.places`."""
    center, stride = places[:, :2], places[:, 2:]
    middle = center + box[..., :2] * stride
    half = ops.exp(ops.minimum(box[..., 2:], 6.0)) * stride / 2
    return ops.concatenate([middle - half, middle + half], -1)


def detect_loss(
    target: dict[str, Any], outputs: dict[str, Any], places: Any, strides: tuple[int, ...]
) -> Any:
    """Return the scalar loss of a batch.

    Args:
        target: ``objects`` (n, m, 5) of x1, y1, x2, y2 in px and class, class -1 where there is no object; ``known``
            (n, places, classes) 1 where a class is labelled, else 0.
        outputs: raw maps of the network.
        places: (places, 3) of x, y, stride in px.
        strides: as in `outputs`.
    """
    # in float32 also where the network computes in 16 bits: overlaps are taken to the sixth power
    logits, box = (ops.cast(_flat(outputs, role, strides), "float32") for role in ("score", "box"))
    xyxy = decode(box, places)
    assigned = assign(target["objects"], ops.sigmoid(logits), xyxy, places)
    wanted, weight, quality = (ops.stop_gradient(part) for part in assigned)
    known = ops.where(quality > 0, 1.0, target["known"])  # an object that is labelled here is known here
    entropy = ops.maximum(logits, 0.0) - logits * quality + ops.log1p(ops.exp(-ops.abs(logits)))
    overlap, distance = iou(xyxy, wanted)
    total = ops.maximum(ops.sum(weight), 1.0)
    seen, placed = ops.sum(entropy * known), ops.sum(weight * (1 - overlap + distance))
    return (seen + BOX_WEIGHT * placed) / total


def _flat(outputs: dict[str, Any], role: str, strides: tuple[int, ...]) -> Any:
    maps = [outputs[f"{role}_{s}"] for s in strides]
    return ops.concatenate([ops.reshape(m, (ops.shape(m)[0], -1, m.shape[-1])) for m in maps], 1)


def assign(objects: Any, score: Any, xyxy: Any, places: Any) -> tuple[Any, Any, Any]:
    """Give each object the places that serve it best now.

    Args:
        objects: (n, m, 5), see `detect_loss`.
        score: (n, places, classes) 0..1.
        xyxy: (n, places, 4) px.
        places: (places, 3).

    Returns:
        The box wanted at each place (n, places, 4); how much it counts (n, places), 1 at the best place of each object;
        and the score wanted (n, places, classes): 0 but for the object's class, where the best place is to reach the
        overlap that it has.
    """
    box, class_id = objects[..., :4], objects[..., 4]
    overlap = iou(box[:, :, None], xyxy[:, None])[0]
    of_class = ops.one_hot(ops.cast(class_id, "int32"), score.shape[-1])  # all 0 at -1
    own_score = ops.matmul(of_class, ops.transpose(score, (0, 2, 1)))
    # boxes that miss their object altogether must still be drawn to it
    fit = own_score**ALPHA * ops.maximum(overlap, LEAST_OVERLAP) ** BETA
    fit = fit * _near(box, places) * ops.cast(class_id >= 0, score.dtype)[..., None]
    least = ops.top_k(fit, min(TOP_PLACES, fit.shape[-1]))[0][..., -1:]
    fit = ops.where(fit >= least, fit, 0.0)
    chosen = ops.one_hot(ops.argmax(ops.where(fit > 0, overlap, -1.0), 1), fit.shape[1], axis=1)
    fit = fit * chosen  # of several objects a place serves the one that it overlaps most
    share = fit / ops.maximum(ops.max(fit, -1, keepdims=True), TINY)
    best = ops.max(ops.where(fit > 0, overlap, 0.0), -1, keepdims=True)
    mine, share, quality = (
        ops.transpose(x, (0, 2, 1)) for x in (ops.cast(fit > 0, fit.dtype), share, share * best)
    )
    return ops.matmul(mine, box), ops.sum(share, -1), ops.matmul(quality, of_class)


def _near(box: Any, places: Any) -> Any:
    """Return (n, m, places) 1 where a place's middle lies in the box, or beside the middle of a very small one."""
    middle, half = (
        (box[..., None, :2] + box[..., None, 2:]) / 2,
        (box[..., None, 2:] - box[..., None, :2]) / 2,
    )
    away = ops.abs(places[:, :2] - middle)
    return ops.cast(ops.all(away < ops.maximum(half, LEAST_REACH * places[:, 2:]), -1), box.dtype)


def iou(a: Any, b: Any) -> tuple[Any, Any]:
    """Return IoU, and the squared centre distance over the squared diagonal of the hull."""
    size = ops.maximum(ops.minimum(a[..., 2:], b[..., 2:]) - ops.maximum(a[..., :2], b[..., :2]), 0.0)
    shared = size[..., 0] * size[..., 1]
    overlap = shared / ops.maximum(_area(a) + _area(b) - shared, 1e-3)
    hull = ops.maximum(a[..., 2:], b[..., 2:]) - ops.minimum(a[..., :2], b[..., :2])
    apart = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    return overlap, ops.sum(apart**2, -1) / ops.maximum(ops.sum(hull**2, -1), 1e-3)


def _area(box: Any) -> Any:
    return (box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1])
