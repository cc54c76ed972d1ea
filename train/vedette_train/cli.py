"""The verb `vedette train`."""

from __future__ import annotations

import argparse
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

from vedette.errors import MissingDependencyError

__all__ = ["register"]


def register(verbs: Any) -> None:
    """Add the verb to the `vedette` command's sub-parsers."""
    text = "Train a model; writes a run folder for `vedette convert`."
    tasks = verbs.add_parser("train", help=text, description=text).add_subparsers(dest="task", required=True)
    faces = tasks.add_parser("faces", help="the face detector", description="Train the face detector.")
    faces.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="holds faces/, objects/ and photos/"
    )
    faces.add_argument("--out", type=Path, required=True, metavar="RUN", help="resumed if it was cut off")
    for name, kind in (
        ("epochs", int),
        ("steps", int),
        ("batch", int),
        ("size", int),
        ("rate", float),
        ("seed", int),
    ):
        faces.add_argument(f"--{name}", type=kind)
    faces.add_argument(
        "--input", default="384x288", metavar="WxH", help="input size of the exported model (384x288)"
    )
    faces.add_argument("--init", type=Path, metavar="RUN", help="begin with the weights of another run")
    faces.set_defaults(run=_faces)


def _faces(options: argparse.Namespace) -> int:
    os.environ.setdefault(
        "TF_CPP_MIN_LOG_LEVEL", "2"
    )  # before the backend is imported; one's own choice stands
    try:
        from vedette_train.export import export_faces
        from vedette_train.recipes.faces import FaceSettings, train
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"training needs Keras and a backend ({error.name} is missing): pip install 'vedette[train]', and set "
            "KERAS_BACKEND to jax, torch or tensorflow."
        ) from error
    given = {f.name: getattr(options, f.name) for f in fields(FaceSettings)}
    settings = FaceSettings(**{name: value for name, value in given.items() if value is not None})
    size_wh = _size(options.input)
    train(settings, options.out, say=lambda line: print(line, flush=True))
    contract = export_faces(options.out, options.data, size_wh)
    print(f"{options.out}: exported at {options.input}, threshold {contract['threshold']}")
    return 0


def _size(text: str) -> tuple[int, int]:
    from vedette.errors import SettingsError

    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise SettingsError(f"--input is '{text}'; give width and height such as 320x320.")
    if int(width) % 32 or int(height) % 32:
        raise SettingsError(f"--input is {text}; both sides must be multiples of 32.")
    return int(width), int(height)
