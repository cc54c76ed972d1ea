"""`vedette run`: a model of any task but detection on pictures and videos. `vedette.cli` hands it what prints."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedette.errors import ModelError, VedetteError
from vedette.flags import add_reading, reading_of

if TYPE_CHECKING:
    from vedette.models.task import PictureModel
    from vedette.types import Frame, Image, Sink

__all__ = ["add_run"]

Say = Callable[[str], None]
Complain = Callable[[BaseException], None]
TOP = 5


def add_run(parser: argparse.ArgumentParser, *, say: Say, complain: Complain) -> None:
    """Add the options of `vedette run`.

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
    parser.add_argument("--threads", type=int, metavar="N")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a picture on stdout, nothing else"
    )
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help="a folder for pictures of the answers, or one NAME.png"
    )
    add_reading(parser)
    parser.set_defaults(run=partial(_run, say, complain))


def _run(say: Say, complain: Complain, options: argparse.Namespace) -> int:
    """Go through all sources; one that fails is told of and the rest still done."""
    from vedette.app import open_model, start

    file = open_model(options.model, reading=reading_of(options))
    task, ask = _task(file.contract.head.get("type"), file.contract.task)
    code = 0
    with ExitStack() as stack:
        model = stack.enter_context(start(task, file, min_score=options.min_score, threads=options.threads))
        sink = stack.enter_context(_sink(options.out)) if options.out else None
        for source in options.source:
            try:
                _answer(source, partial(ask, model), sink, lambda *told: say(_line(options.json, *told)))
            except VedetteError as error:
                complain(error)
                code = code or error.exit_code
    return code


def _sink(out: Path) -> Sink:
    from vedette.app import make_sink
    from vedette.sinks.images import PICTURES, PictureSink

    if out.suffix.lower() in PICTURES and not out.is_dir():
        return PictureSink(out)
    return make_sink(f"images:{out}?quality=95")


def _answer(
    source: str, ask: Callable[[Image], Any], sink: Sink | None, tell: Callable[[Frame, Any], None]
) -> None:
    """Ask for each frame of a source, and tell and draw the answer."""
    from vedette.ops.overlay import paint
    from vedette.sources.uri import open_source
    from vedette.types import Results

    with open_source(source) as opened:
        while (frame := opened.read()) is not None:
            answer = ask(frame.image)
            if sink is not None:
                sink.write(Results(replace(frame, image=paint(answer, frame.image))))
            tell(frame, answer)


def _task(head: object, task: str) -> tuple[type[PictureModel], Callable[[Any, Image], Any]]:
    """Return the class that reads a head, and what asks it.

    Raises:
        ModelError: the model finds boxes, or nothing reads its head.
    """
    from vedette.models.classify import Classifier
    from vedette.models.curves import CurveEnhancer
    from vedette.models.embed import Embedder
    from vedette.models.images import ImageToImage
    from vedette.models.pose import PoseEstimator
    from vedette.models.segment import Segmenter

    asked: Mapping[type[PictureModel], Callable[[Any, Image], Any]] = {
        Classifier: lambda model, image: model.classify(image, top=TOP),
        Segmenter: lambda model, image: model.segment(image),
        PoseEstimator: lambda model, image: model.estimate(image),
        ImageToImage: lambda model, image: model.enhance(image),
        CurveEnhancer: lambda model, image: model.enhance(image),
        Embedder: lambda model, image: model.embed(image),
    }
    for kind, ask in asked.items():
        if head in kind.heads:
            return kind, ask
    raise ModelError(f"the model is for {task} (head {head!r}). Use `vedette detect --model FILE`.")


def _line(as_json: bool, frame: Frame, answer: Any) -> str:
    facts = _facts(answer)
    if as_json:
        return json.dumps({"source": frame.source, "index": frame.index, **facts})
    return f"{frame.source}: {_as_text(facts)}"


def _facts(answer: Any) -> dict[str, Any]:
    """Return an answer as JSON can hold it."""
    from vedette.answers import Classes, Poses, Segmentation

    if isinstance(answer, Classes):
        rows = zip(answer.names, answer.class_id.tolist(), answer.score.tolist(), strict=True)
        return {
            "classes": [{"label": label, "class_id": i, "score": round(score, 4)} for label, i, score in rows]
        }
    if isinstance(answer, Segmentation):
        return {"shares": {label: round(share, 6) for label, share in answer.shares.items()}}
    if isinstance(answer, Poses):
        return {"poses": [_pose(answer, i) for i in range(len(answer))]}
    if answer.ndim == 3:
        return {"size_wh": [answer.shape[1], answer.shape[0]]}
    return {"embedding": answer.round(6).tolist()}


def _pose(poses: Any, person: int) -> dict[str, Any]:
    places = poses.points[person].round(2).tolist()
    scores = poses.point_score[person].round(4).tolist()
    points = {
        name: {"x": x, "y": y, "score": score}
        for name, (x, y), score in zip(poses.names, places, scores, strict=True)
    }
    return {"score": round(float(poses.score[person]), 4), "points": points}


def _as_text(facts: dict[str, Any]) -> str:
    """Return the answer in a line: what of it a person reads."""
    ((key, value),) = facts.items()
    if key == "classes":
        shown = [f"{one['label']} {one['score']:.2f}" for one in value]
    elif key == "shares":
        shown = [f"{label} {share:.1%}" for label, share in value.items()]
    elif key == "poses":
        shown = [f"person {one['score']:.2f} {_seen(one)}" for one in value]
    elif key == "size_wh":
        shown = [f"{value[0]}x{value[1]}"]
    else:
        shown = [f"{len(value)} numbers, {' '.join(f'{v:.3f}' for v in value[:4])} ..."]
    return ", ".join(shown) or "nothing found"


def _seen(pose: dict[str, Any]) -> str:
    from vedette.ops.overlay import POINT_SCORE

    return " ".join(
        f"{name} [{point['x']:.0f} {point['y']:.0f}]"
        for name, point in pose["points"].items()
        if point["score"] >= POINT_SCORE
    )
