"""Judge a converted embedder on people of val: ``python -m vedette_train.judge_embed MODEL.tflite --data DIR``.

The model runs in the SDK, as on a device, on faces that are aligned by the labelled landmarks. The last line printed is
a JSON object of figures, larger is better.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import vedette
from vedette_train.data.embed import LabelledFace, read_labelled
from vedette_train.data.pictures import read_rgb
from vedette_train.evaluate_embed import cosines, draw_pairs, verification

__all__ = ["main"]

TOLD = ("accuracy", "tar_1e2", "tar_1e3")


def main(argv: Sequence[str] | None = None) -> int:
    """Judge the model that the command line names and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    options = parser.parse_args(argv)
    figures = _judge(options.model, read_labelled(options.data, "people", split=options.split))
    sys.stdout.write(json.dumps({name: figures[name] for name in TOLD}) + "\n")
    return 0


def _judge(model: Path, faces: Sequence[LabelledFace]) -> dict[str, float]:
    pairs = draw_pairs([face.person for face in faces])
    with vedette.load_as(vedette.FaceEmbedder, model) as embedder:
        rows = [embedder.embed_faces(read_rgb(face.path), face.points[None]) for face in faces]
    embeddings = np.concatenate(rows)
    return verification(cosines(embeddings, pairs.genuine), cosines(embeddings, pairs.impostor))


if __name__ == "__main__":
    sys.exit(main())
