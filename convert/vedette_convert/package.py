"""Make a `.tflite` describe itself: standard TFLite metadata inside, and a zip with the contract behind."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vedette.contract import open_model_file
from vedette.engines.litert import LiteRTEngine
from vedette.errors import SinkError
from vedette.models.golden import record
from vedette.sources.images import decode_image
from vedette_convert.metadata import add_metadata

__all__ = ["package", "replace_file"]

EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip's times say nothing, so that the same run gives the same bytes


def package(network: bytes, contract: Mapping[str, Any], golden: bytes, out: Path) -> None:
    """Write `network` with its metadata, contract and golden sample to `out`, whole or not at all.

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
    described = add_metadata(network, contract)
    told = {**contract, "flatbuffer_sha256": hashlib.sha256(described).hexdigest()}
    with replace_file(out) as part:
        part.write_bytes(_bundle(described, told, golden))
        answer = {"image": "golden.png", **_ask(part, golden)}
        part.write_bytes(_bundle(described, {**told, "golden": answer}, golden))


@contextmanager
def replace_file(out: Path) -> Iterator[Path]:
    """Give a file beside `out` to write; it takes `out`'s place at the end, unless something was raised.

    Raises:
        SinkError: it cannot be written; `out` is untouched.
    """
    part = out.with_name(f".{out.stem}.part{out.suffix}")
    try:
        yield part
        part.replace(out)
    except OSError as error:
        raise SinkError(
            f"cannot write {out}: {error.strerror}. The old file, if any, is untouched."
        ) from error
    finally:
        with suppress(OSError):
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


def _ask(model: Path, golden: bytes) -> dict[str, Any]:
    picture = decode_image(golden, label="golden.png")
    file = open_model_file(model)
    with LiteRTEngine(file.data, label=model.name, threads=1) as engine:
        return record(engine, file, picture)
