"""Make a `.tflite` describe itself: standard TFLite metadata inside, and a zip with the contract behind."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vedette.contract import open_model_file
from vedette.engines.litert import LiteRTEngine
from vedette.errors import SinkError
from vedette.models.face import FaceDetector
from vedette.sources.images import decode_image

__all__ = ["package"]

EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip's times say nothing, so that the same run gives the same bytes


def package(network: bytes, contract: Mapping[str, Any], golden: bytes, out: Path) -> None:
    """Write `network` with its contract and golden sample to `out`, whole or not at all.

    The golden answer is what the packaged model itself says of the picture, through the device's own code.

    Args:
        network: a TFLite flatbuffer.
        contract: as `vedette.contract` describes it, without ``golden``.
        golden: a PNG file's bytes.
        out: where the model goes; replaced only when the new one is complete.

    Raises:
        SinkError: `out` cannot be written.
        ModelError: the network does not keep the contract.
    """
    part = out.with_name(f".{out.stem}.part.tflite")
    try:
        digest = {"flatbuffer_sha256": hashlib.sha256(network).hexdigest()}
        part.write_bytes(_bundle(network, {**contract, **digest}, golden))
        answer = {
            "image": "golden.png",
            "tolerance_px": 2.0,
            "tolerance_score": 0.05,
            "detections": _ask(part, golden),
        }
        part.write_bytes(_bundle(network, {**contract, **digest, "golden": answer}, golden))
        part.replace(out)
    except OSError as error:
        raise SinkError(
            f"cannot write {out}: {error.strerror}. The old file, if any, is untouched."
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _bundle(network: bytes, contract: Mapping[str, Any], golden: bytes) -> bytes:
    buffer = io.BytesIO(network)
    with zipfile.ZipFile(buffer, "a") as archive:
        for name, data in (
            ("labels.txt", "\n".join(contract["labels"]).encode()),
            ("vedette.json", json.dumps(contract, indent=1, sort_keys=True).encode()),
            ("golden.png", golden),
        ):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _ask(model: Path, golden: bytes) -> Sequence[Mapping[str, Any]]:
    picture = decode_image(golden, label="golden.png")
    file = open_model_file(model)
    with FaceDetector(LiteRTEngine(file.data, threads=1), file) as detector:
        found = detector.detect(picture)
    rounded = [a.astype(np.float64).round(3).tolist() for a in (found.xyxy, found.score, found.landmarks)]
    return [{"box": b, "score": s, "landmarks": p} for b, s, p in zip(*rounded, strict=True)]
