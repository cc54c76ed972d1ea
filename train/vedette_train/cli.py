"""The verb `vedette train`."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import fields
from functools import partial
from typing import Any

from vedette.errors import MissingDependencyError
from vedette_train.recipes import load_recipe, tasks
from vedette_train.settings import add_options, read_settings

__all__ = ["register"]


def register(verbs: Any) -> None:
    """Add the verb to the `vedette` command's sub-parsers."""
    text = "Train a model; writes a run folder for `vedette convert`."
    parsers = verbs.add_parser("train", help=text, description=text).add_subparsers(
        dest="task", required=True
    )
    for task in tasks():
        recipe = load_recipe(task)
        parser = parsers.add_parser(task, help=recipe.HELP, description=f"Train {recipe.HELP}.")
        parser.add_argument("--out", required=True, metavar="RUN", help="resumed if it was cut off")
        add_options(parser, recipe.Settings)
        parser.set_defaults(run=partial(_train, task))


def _train(task: str, options: argparse.Namespace) -> int:
    # before the backend is imported; one's own choice stands
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from pathlib import Path

    recipe, run = load_recipe(task), Path(options.out)
    given = {one.name: getattr(options, one.name) for one in fields(recipe.Settings)}
    settings = read_settings(recipe.Settings, options.config, given)
    try:
        from vedette_train.fit import fit
        from vedette_train.report import write_report
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"training needs Keras and a backend ({error.name} is missing): pip install 'vedette[train]', and set "
            "KERAS_BACKEND to jax, torch or tensorflow."
        ) from error
    bar, worker = sys.stdout.isatty(), _join_other_hosts()
    fit(settings, partial(recipe.job, settings), run, say=partial(print, flush=True), bar=bar, worker=worker)
    contract = recipe.export(settings, run)
    size = "x".join(map(str, contract["input"]["size_wh"]))
    print(f"{run}: exported at {size}, threshold {contract['threshold']}; see {write_report(run)}")
    return 0


def _join_other_hosts() -> int:
    """Join the hosts that Keras' own variables name, where they do, and return the number of this one."""
    if "KERAS_DISTRIBUTION_NUM_PROCESSES" not in os.environ:
        return 0
    import keras

    keras.distribution.initialize()
    return int(os.environ.get("KERAS_DISTRIBUTION_PROCESS_ID", "0"))
