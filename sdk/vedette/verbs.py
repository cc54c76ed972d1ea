"""Verbs of the `vedette` command that fit no line more into `vedette.cli`, which hands them what prints."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from vedette.errors import SettingsError, VedetteError
from vedette.flags import add_reading, reading_of

if TYPE_CHECKING:
    from vedette.answers import Classes
    from vedette.models.classify import Classifier
    from vedette.types import Frame

__all__ = ["add_classify", "add_doctor", "add_verify"]

Say = Callable[[str], None]
Complain = Callable[[BaseException], None]


def add_classify(parser: argparse.ArgumentParser, *, say: Say, complain: Complain) -> None:
    """Add the options of `vedette classify`.

    Args:
        parser: of the verb.
        say: takes each line of the answer.
        complain: takes what is wrong with one of several sources.
    """
    parser.add_argument("source", nargs="+", help="pictures, folders, globs or videos")
    parser.add_argument("--model", required=True, metavar="NAME|PATH")
    parser.add_argument(
        "--min-score", type=float, metavar="X", help="0..1; the model's own threshold if not given"
    )
    parser.add_argument("--top", type=int, default=1, metavar="N", help="classes a picture, at most (1)")
    parser.add_argument("--threads", type=int, metavar="N")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a picture on stdout, nothing else"
    )
    add_reading(parser)
    parser.set_defaults(run=partial(_classify, say, complain))


def _classify(say: Say, complain: Complain, options: argparse.Namespace) -> int:
    """Go through all sources; one that fails is told of and the rest still done."""
    from vedette.app import load_as
    from vedette.models.classify import Classifier

    if options.top < 1 or not 0 <= (options.min_score or 0) <= 1:
        raise SettingsError("--top must be 1 or more, and --min-score 0 to 1.")
    line = _as_json if options.json else _as_text
    code = 0
    reading = reading_of(options)
    with load_as(
        Classifier, options.model, min_score=options.min_score, threads=options.threads, reading=reading
    ) as classifier:
        for source in options.source:
            try:
                for frame, classes in _classes(source, classifier, options.top):
                    say(line(frame, classes))
            except VedetteError as error:
                complain(error)
                code = code or error.exit_code
    return code


def _classes(source: str, classifier: Classifier, top: int) -> Iterator[tuple[Frame, Classes]]:
    from vedette.sources.uri import open_source

    with open_source(source) as opened:
        while (frame := opened.read()) is not None:
            yield frame, classifier.classify(frame.image, top=top)


def _as_json(frame: Frame, classes: Classes) -> str:
    rows = zip(classes.names, classes.class_id.tolist(), classes.score.tolist(), strict=True)
    found = [{"label": label, "class_id": i, "score": round(score, 4)} for label, i, score in rows]
    return json.dumps({"source": frame.source, "index": frame.index, "classes": found})


def _as_text(frame: Frame, classes: Classes) -> str:
    shown = [f"{label} {score:.2f}" for label, score in zip(classes.names, classes.score, strict=True)]
    return f"{frame.source}: {', '.join(shown) or 'nothing sure'}"


def add_doctor(parser: argparse.ArgumentParser, *, say: Say) -> None:
    """Add the options of `vedette doctor`; `say` takes each line of the answer."""
    parser.add_argument("--json", action="store_true", help="one JSON object a check on stdout")
    parser.set_defaults(run=partial(_doctor, say))


def _doctor(say: Say, options: argparse.Namespace) -> int:
    """Tell the checks; 1 where one fails."""
    from vedette.doctor import examine

    failed = False
    for check in examine():
        failed |= check.status == "fail"
        if options.json:
            say(json.dumps(asdict(check)))
        else:
            say(f"{check.status:>4}  {check.name}: {check.detail}")
            if check.status != "ok" and check.remedy:
                say(f"      -> {check.remedy}")
    return int(failed)


def add_verify(parser: argparse.ArgumentParser, *, say: Say) -> None:
    """Add the options of `vedette verify`; `say` takes each line of the answer."""
    parser.add_argument("model", metavar="NAME|PATH")
    parser.add_argument("--json", action="store_true", help="one JSON object a runtime on stdout")
    parser.set_defaults(run=partial(_verify, say))


def _verify(say: Say, options: argparse.Namespace) -> int:
    """Tell each runtime's verdict; 1 where one differs."""
    from vedette.verify import verify

    failed = False
    for verdict in verify(options.model):
        failed |= not verdict.holds
        status = "ok" if verdict.holds else "FAIL"
        say(
            json.dumps(asdict(verdict))
            if options.json
            else f"{status:>4}  {verdict.runtime}: {verdict.detail}"
        )
    return int(failed)
