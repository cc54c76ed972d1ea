"""Store in an embedder how alike strangers look to it: ``python -m vedette_train.impostors MODEL.tflite --data DIR``.

A gallery's threshold is calibrated by these scores (docs/faces.md). They are cosines between photos of different people
whom the network never saw, as strangers before a camera are: of those it has learned to tell apart they are lower, so a
threshold by them would let nearly twice as many strangers in as promised. Nothing is learned or chosen by them.
``--split train`` shows the difference, and with ``--dry-run`` nothing is written.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import vedette
from vedette.errors import ModelError
from vedette_train.data.embed import LabelledFace, read_labelled
from vedette_train.data.pictures import read_rgb
from vedette_train.evaluate_embed import IMPOSTORS, accept_above, cosines, draw_pairs

__all__ = ["attach", "main", "scores"]

MEMBER = "impostors.npz"
EPOCH = (1980, 1, 1, 0, 0, 0)
SEED = 21


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and store the scores of the model that the command line names, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--pairs", type=int, default=IMPOSTORS)
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    options = parser.parse_args(argv)
    faces = read_labelled(options.data, "people", split=options.split)
    found = scores(options.model, faces, pairs=options.pairs)
    people = len({face.person for face in faces})
    if not options.dry_run:
        told = vedette.ImpostorScores.of(found, people=people, model_sha256="")
        attach(options.model, told.to_bytes())
    rates = {f"{rate:g}": round(accept_above(found, rate), 4) for rate in (1e-2, 1e-3, 1e-4)}
    sys.stdout.write(json.dumps({"people": people, "scores": len(found), "cosine_at_rate": rates}) + "\n")
    return 0


def scores(model: Path, faces: Sequence[LabelledFace], *, pairs: int = IMPOSTORS) -> NDArray[np.float64]:
    """Return the cosines of `pairs` drawn pairs of two people's photos, aligned by the labelled landmarks."""
    with vedette.load_as(vedette.FaceEmbedder, model) as embedder:
        rows = [embedder.embed_faces(read_rgb(face.path), face.points[None]) for face in faces]
    drawn = draw_pairs([face.person for face in faces], impostors=pairs, seed=SEED)
    return cosines(np.concatenate(rows), drawn.impostor)


def attach(model: Path, member: bytes) -> None:
    """Add `member` to the zip at the end of `model`, in place of what was attached before; whole or not at all.

    Raises:
        ModelError: the file carries no zip, or cannot be written.
    """
    data = model.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old:
            start = min(info.header_offset for info in old.infolist())
            kept = {info.filename: old.read(info) for info in old.infolist()}
    except zipfile.BadZipFile as error:
        raise ModelError(f"{model} carries no contract; give a file that `vedette convert` wrote.") from error
    buffer = io.BytesIO(data[:start])
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a") as new:
        for name, content in {**kept, MEMBER: member}.items():
            new.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
    part = model.with_name(f".{model.stem}.part{model.suffix}")
    try:
        part.write_bytes(buffer.getvalue())
        part.replace(model)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ModelError(f"cannot write {model}: {error.strerror}.") from error


if __name__ == "__main__":
    sys.exit(main())
