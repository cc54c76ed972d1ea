"""Make a Vedette model of a stranger's file: store what was recognised, and a golden sample, inside it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vedette.contract import MEMBER, SCHEMA, Contract, open_model_file, read_bytes
from vedette.engines.litert import LiteRTEngine
from vedette.engines.probe import probe
from vedette.errors import ModelError
from vedette.inspection import Reading
from vedette.models.golden import TOLERANCE_PX, TOLERANCE_SCORE
from vedette.models.raw import RawNetwork
from vedette.recognise import recognise
from vedette.sinks.files import check_folder, part_of, write_atomic
from vedette.sources.images import decode_image
from vedette.tflite.attached import read_attached
from vedette.types import Image

__all__ = ["adopt", "draw_golden"]

GOLDEN = "golden.png"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip's times say nothing, so that the same file gives the same bytes
GOLDEN_WH = (160, 120)


def adopt(model: Path, out: Path, *, reading: Reading) -> tuple[Contract, tuple[str, ...]]:
    """Write the file `model` with its contract and a golden sample to `out`, whole or not at all.

    The golden sample is a drawn picture and the network's own raw outputs for it. Networks of any input size get none.

    Returns:
        The contract, and the sentences why it is so.

    Raises:
        ModelError: the file is not recognised, does not run, or carries a contract already.
        SinkError: `out` cannot be written.
    """
    check_folder(out)
    data = read_bytes(model)
    if MEMBER.encode() in data:
        raise ModelError(f"{model} is a Vedette model already. Adopt the file that it was made from.")
    contract, evidence = recognise(
        data,
        path=model,
        head=reading.head,
        labels=reading.labels,
        normalize=reading.normalize,
        color=reading.color,
    )
    tried = probe(model)
    if tried.runs is False:
        raise ModelError(f"{model}: {tried.detail}")
    told = {**as_json(contract), "evidence": list(evidence), "flatbuffer_sha256": _network_hash(data)}
    write_atomic(out, _with_golden(data, told, out))
    return contract, evidence


def as_json(contract: Contract) -> dict[str, Any]:
    """Return a contract without golden sample as `vedette.json` holds it."""
    image = contract.input
    return {
        "schema": SCHEMA,
        "name": contract.name,
        "version": contract.version,
        "task": contract.task,
        "head": dict(contract.head),
        "input": {
            "name": image.name,
            "size_wh": list(image.size_wh),
            "color": image.color,
            "resize": image.resize,
            "pad_value": image.pad_value,
            "mean": list(image.mean),
            "std": list(image.std),
        },
        "outputs": [{"name": o.name, "role": o.role, "stride": o.stride} for o in contract.outputs],
        "labels": list(contract.labels),
        "threshold": contract.threshold,
        "license": contract.license,
        "training_data": list(contract.training_data),
        "metrics": dict(contract.metrics),
    }


def draw_golden() -> Image:
    """Return a picture with slopes, edges and shapes, (120, 160, 3) uint8 RGB; always the same."""
    width, height = GOLDEN_WH
    y, x = np.mgrid[:height, :width]
    planes = (x * 255 // (width - 1), y * 255 // (height - 1), (x + y) * 255 // (width + height - 2))
    picture = np.stack(planes, axis=-1).astype(np.uint8)
    cv2.circle(picture, (50, 60), 28, (230, 40, 40), -1)
    cv2.rectangle(picture, (95, 25), (145, 70), (20, 40, 220), -1)
    cv2.line(picture, (0, 119), (159, 80), (250, 250, 250), 3)
    return picture


def _network_hash(data: bytes) -> str:
    """Return the hash of all before the zip, as it will stand in the adopted file."""
    start = len(data)
    if read_attached(data):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            start = min(info.header_offset for info in archive.infolist())
    return hashlib.sha256(data[:start]).hexdigest()


def _with_members(data: bytes, members: Mapping[str, bytes]) -> bytes:
    """Return a model file with files added to its zip, or to a new one."""
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _with_golden(data: bytes, told: Mapping[str, Any], out: Path) -> bytes:
    """Return the file with its contract and a golden sample, answered by what is written beside `out` for a moment."""
    plain = _with_members(data, {MEMBER: _dump(told)})
    if 0 in told["input"]["size_wh"]:
        return plain
    png = cv2.imencode(".png", draw_golden()[:, :, ::-1])[1].tobytes()
    part = part_of(out)
    try:
        write_atomic(part, plain)
        outputs = _answer(part, png)
    finally:
        part.unlink(missing_ok=True)
    golden = {
        "image": GOLDEN,
        "tolerance_px": TOLERANCE_PX,
        "tolerance_score": TOLERANCE_SCORE,
        "detections": [],
        "outputs": outputs,
    }
    return _with_members(data, {MEMBER: _dump({**told, "golden": golden}), GOLDEN: png})


def _answer(model: Path, png: bytes) -> dict[str, dict[str, Any]]:
    file = open_model_file(model)
    with LiteRTEngine(file.data, label=str(model), threads=1) as engine:
        return RawNetwork(engine, file).answer(decode_image(png, label=GOLDEN))


def _dump(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, indent=1, sort_keys=True).encode()
