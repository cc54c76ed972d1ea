"""The verb `vedette convert`."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vedette.errors import MissingDependencyError

__all__ = ["register"]


def register(verbs: Any) -> None:
    """Add the verb to the `vedette` command's sub-parsers."""
    text = "Quantize a trained run to one self-describing int8 .tflite."
    parser = verbs.add_parser("convert", help=text, description=text)
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="a folder that `vedette train` wrote")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE.tflite")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if find_spec("tensorflow") is None:  # before anything is read: what is missing is known at once
        raise MissingDependencyError("converting needs TensorFlow and Keras: pip install 'vedette[convert]'.")
    from vedette_convert.run import convert_run

    for a in convert_run(options.run_folder, options.out):
        print(f"{a.output:10s} int8 against float: {a.snr_db:5.1f} dB, cosine {a.cosine:.4f}")
    print(f"{options.out}: {options.out.stat().st_size:,} bytes")
    return 0
