"""`vedette faces` and the verbs under it. What prints is handed in by `vedette.cli`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedette.enrol_verb import add_enroll, calibrate_again
from vedette.errors import GalleryError, SettingsError, VedetteError
from vedette.flags import add_gallery, place_of
from vedette.gallery_verbs import add_keeping, iso_time
from vedette.text import columns

if TYPE_CHECKING:
    from vedette.gallery.calibrate import ImpostorScores
    from vedette.gallery.gallery import Gallery
    from vedette.gallery.values import Flag
    from vedette.models.recognize import FaceRecognizer, Recognition
    from vedette.text import Bar

__all__ = ["add_faces"]

Say = Callable[[str], None]
Complain = Callable[[BaseException], None]


def add_faces(
    parser: argparse.ArgumentParser, *, say: Say, complain: Complain, progress: Callable[[str], Bar]
) -> None:
    """Add the verbs of `vedette faces`.

    Args:
        parser: of the verb.
        say: takes each line of the answer.
        complain: takes what is wrong with one of several pictures.
        progress: makes the line that tells how far it is.
    """
    verbs = parser.add_subparsers(dest="faces_command", metavar="VERB", required=True)

    def verb(name: str, text: str, run: Callable[..., int]) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=f"{text.capitalize()}.")
        add_gallery(made)
        made.add_argument("--json", action="store_true", help="JSON on stdout, nothing else")
        made.set_defaults(run=run)
        return made

    text = "enrol people from pictures, a camera, or a folder of people"
    add_enroll(
        verbs.add_parser("enroll", help=text, description=f"{text.capitalize()}."),
        say=say,
        complain=complain,
        progress=progress,
    )
    verb("list", "list the people", partial(_list, say))
    identify = verb("identify", "tell who is in pictures or videos", partial(_identify, say, complain))
    identify.add_argument("images", nargs="+", help="pictures, folders, globs or videos")
    check = verb("verify", "tell whether two pictures show one person", partial(_verify, say))
    check.add_argument("a", help="a picture")
    check.add_argument("b", help="another picture, or the name of somebody enrolled")
    remove = verb("remove", "erase a person, with all traces in the file", partial(_remove, say, complain))
    remove.add_argument("name")
    remove.add_argument(
        "--picture", metavar="SOURCE", help="only what came from this picture, named as `stats` names it"
    )
    tune = verb("calibrate", "set the threshold for a rate of false accepts", partial(_calibrate, say))
    tune.add_argument(
        "--scores", type=Path, metavar="FILE", help="of strangers; those in the model if not given"
    )
    for one, default in ((check, 1e-3), (tune, None)):
        told = "of the last calibration, or 0.01" if default is None else f"{default:g}"
        one.add_argument(
            "--far", type=float, default=default, metavar="RATE", help=f"of false accepts ({told})"
        )
    add_keeping(verb, say=say, complain=complain)
    verb("stats", "tell what is in the gallery, and what looks wrong", partial(_stats, say))


# people


def _list(say: Say, options: argparse.Namespace) -> int:
    """Tell who is enrolled; needs no model, so that people can be found and erased whatever model there is."""
    from vedette.galleries import open_gallery

    rows = [("NAME", "PICTURES", "QUALITY", "LAST")]
    with open_gallery(place_of(options)) as gallery:
        for person in gallery.people():
            told = [{**asdict(one), "time": iso_time(one.time_ns)} for one in gallery.templates(person.name)]
            if options.json:
                say(json.dumps({"name": person.name, "id": person.id, "templates": told}))
            quality = sum(one["quality"] for one in told) / len(told)
            rows.append(
                (person.name, str(person.templates), f"{quality:.2f}", max(one["time"] for one in told))
            )
    if not options.json:
        say(columns(rows) if len(rows) > 1 else "nobody is enrolled")
    return 0


def _remove(say: Say, complain: Complain, options: argparse.Namespace) -> int:
    from vedette.galleries import open_gallery

    with open_gallery(place_of(options)) as gallery:
        templates = (
            gallery.erase(options.name)
            if options.picture is None
            else _remove_picture(gallery, options.name, options.picture)
        )
        calibrate_again(gallery, complain)
    told = {"name": options.name, "erased_templates": templates}
    whose = options.name if options.picture is None else f"{options.picture} of {options.name}"
    say(
        json.dumps(told)
        if options.json
        else f"erased {whose}: {templates} templates. Archives and backups that you made are yours to delete."
    )
    return 0


def _remove_picture(gallery: Gallery, name: str, source: str) -> int:
    """Erase what is kept of `name` from one picture, such as a flagged one; return how many templates that were."""
    from vedette.gallery.rules import kept_source

    kept = kept_source(source)
    gone = [one.id for one in gallery.templates(name) if one.source == kept]
    if not gone:
        raise GalleryError(
            f"nothing is kept of {name!r} from {source!r}; `vedette faces list --json` names sources"
        )
    gallery.erase_templates(gone)
    return len(gone)


# who is it


def _identify(say: Say, complain: Complain, options: argparse.Namespace) -> int:
    """Go through all pictures; one that fails is told of and the rest still done."""
    from vedette.app import load_recognizer
    from vedette.sources.uri import open_source

    code = 0
    with load_recognizer(place_of(options)) as recognizer:
        for image in options.images:
            try:
                with open_source(image) as source:
                    while (frame := source.read()) is not None:
                        found = recognizer.identify(frame.image)
                        facts = {
                            "source": frame.source,
                            "index": frame.index,
                            "faces": list(map(_facts, found)),
                        }
                        say(json.dumps(facts) if options.json else _line(facts))
            except VedetteError as error:
                complain(error)
                code = code or error.exit_code
    return code


def _facts(one: Recognition) -> dict[str, Any]:
    decision = one.decision
    known = decision is not None and decision.person_id is not None
    return {
        "box": one.look.xyxy.round(1).tolist(),
        "detection_score": round(one.look.score, 4),
        "quality": round(one.quality, 3),
        "refusals": [asdict(refusal) for refusal in one.refusals],
        "identity": "known" if known else "refused" if decision is None else "unknown",
        "name": one.name or None,
        "similarity": None if decision is None else round(decision.score, 4),
        "margin": None if decision is None else round(decision.margin, 4),
        "threshold": None if decision is None else round(decision.threshold, 4),
    }


def _line(facts: dict[str, Any]) -> str:
    shown = []
    for face in facts["faces"]:
        where = " ".join(f"{value:.0f}" for value in face["box"])
        if face["identity"] == "refused":
            told = f"not compared: {'; '.join(refusal['message'] for refusal in face['refusals'])}"
        else:
            told = f"{face['name'] or 'unknown'} {face['similarity']:.3f} (threshold {face['threshold']:.3f})"
        shown.append(f"{told} [{where}]")
    where = f"{facts['source']}#{facts['index']}" if facts["index"] else facts["source"]
    return f"{where}: {', '.join(shown) or 'no face'}"


def _verify(say: Say, options: argparse.Namespace) -> int:
    """Tell whether two pictures show one person; 1 where they do not."""
    from vedette.pair import verify_faces

    answer = verify_faces(options.a, options.b, place=place_of(options), far=options.far)
    if options.json:
        say(json.dumps(asdict(answer)))
    else:
        rate = (
            "the model carries no scores of strangers, so the rate of false accepts is not known"
            if answer.far is None
            else f"strangers reach it in at most {answer.far:.2g} of comparisons (95 % confidence)"
        )
        same = "the same person" if answer.same else "not the same person"
        say(f"{same}: score {answer.score:.3f}, threshold {answer.threshold:.3f}; {rate}")
    return 0 if answer.same else 1


# the threshold


def _calibrate(say: Say, options: argparse.Namespace) -> int:
    from vedette.app import load_recognizer

    scores = None if options.scores is None else _scores(options.scores)
    with load_recognizer(place_of(options)) as recognizer:
        first = recognizer.gallery.calibration() is None
        far = 1e-2 if options.far is None and first else options.far
        made = recognizer.calibrate(far=far, impostors=scores)
        words = _words(recognizer.gallery)
    say(json.dumps(asdict(made)) if options.json else "\n".join(words))
    return 0


def _scores(path: Path) -> ImpostorScores:
    from vedette.gallery.calibrate import ImpostorScores

    try:
        return ImpostorScores.from_bytes(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"cannot read the scores {path}: {error.strerror}.") from error


def _words(gallery: Gallery) -> tuple[str, ...]:
    """Return the threshold, and what it means."""
    from vedette.gallery.meaning import describe_threshold

    people = gallery.people()
    told = describe_threshold(
        gallery.threshold,
        gallery.calibration(),
        people=len(people),
        templates=sum(person.templates for person in people),
    )
    state = "" if told["calibrated"] else ", not calibrated"
    return f"threshold {told['value']:.3f}{state}", *told["meaning"], *told["warnings"]


# figures


def _stats(say: Say, options: argparse.Namespace) -> int:
    """Tell what is in the gallery; 1 where its file is broken."""
    from vedette.app import load_recognizer

    with load_recognizer(place_of(options)) as recognizer:
        facts, words = _figures(recognizer), _words(recognizer.gallery)
    if options.json:
        say(json.dumps(facts))
    else:
        for line in _told(facts, words):
            say(line)
    return 0 if facts["integrity"] == "ok" else 1


def _figures(recognizer: FaceRecognizer) -> dict[str, Any]:
    gallery = recognizer.gallery
    people, made = gallery.people(), gallery.calibration()
    return {
        "gallery": str(gallery.path),
        "people": len(people),
        "templates": sum(person.templates for person in people),
        "model": recognizer.embedder.info.name,
        "model_sha256": gallery.model.sha256,
        "threshold": gallery.threshold,
        "calibration": None if made is None else {**asdict(made), "fits": made.fits},
        "flags": [_flag(gallery, flag) for flag in gallery.flags()],
        "integrity": gallery.integrity(),
        "purge_pending": gallery.purge_pending,
        "bytes": gallery.path.stat().st_size,
    }


def _flag(gallery: Gallery, flag: Flag) -> dict[str, Any]:
    """Return what contradicts its name, with the pictures that it came from: without them nobody can mend it."""
    source = {one.id: one.source for name in flag.names for one in gallery.templates(name)}
    return {**asdict(flag), "sources": [source[one] for one in flag.template_ids], "message": str(flag)}


def _told(facts: dict[str, Any], words: Sequence[str]) -> Iterator[str]:
    yield f"{facts['gallery']}: {facts['people']} people, {facts['templates']} templates, {facts['bytes'] / 1e6:.1f} MB"
    yield f"model {facts['model']} {facts['model_sha256'][:12]}; file {facts['integrity']}"
    yield from words
    if facts["purge_pending"]:
        yield "traces of somebody erased are still in the file; the next opening takes them away"
    yield from (f"! {flag['message']} [{', '.join(flag['sources'])}]" for flag in facts["flags"])
