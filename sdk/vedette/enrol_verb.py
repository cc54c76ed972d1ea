"""`vedette faces enroll`: from pictures, from a camera, from a folder of people."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedette.errors import GalleryError, SettingsError, VedetteError
from vedette.flags import add_gallery, place_of

if TYPE_CHECKING:
    from vedette.enrol import Enrolled, PersonPictures
    from vedette.gallery.gallery import Gallery
    from vedette.models.recognize import FaceRecognizer
    from vedette.text import Bar

__all__ = ["add_enroll", "calibrate_again"]

Say = Callable[[str], None]
Complain = Callable[[BaseException], None]
_SHOWN = 10


def add_enroll(
    parser: argparse.ArgumentParser, *, say: Say, complain: Complain, progress: Callable[[str], Bar]
) -> None:
    """Add the options of `vedette faces enroll`.

    Args:
        parser: of the verb.
        say: takes each line of the answer.
        complain: takes what was skipped, and what looks wrong.
        progress: makes the line that tells how far it is.
    """
    parser.add_argument("name", nargs="?", help="of the person")
    parser.add_argument("images", nargs="*", help="pictures of that person, one face each")
    parser.add_argument("--source", metavar="URI", help="a camera or video before which the person sits")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="a folder of pictures for each person, named so"
    )
    parser.add_argument("--count", type=int, default=5, metavar="N", help="pictures from --source (5)")
    parser.add_argument(
        "--seconds", type=float, default=30.0, metavar="S", help="to take them in, at most (30)"
    )
    parser.add_argument(
        "--keep-pictures", action="store_true", help="keep the faces too, sealed, for another model"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a person on stdout")
    add_gallery(parser)
    parser.set_defaults(run=partial(_enroll, say, complain, progress))


def _enroll(say: Say, complain: Complain, progress: Callable[[str], Bar], options: argparse.Namespace) -> int:
    """Enrol, tell of each person and of what was skipped; 8 where nobody was enrolled."""
    from vedette.app import load_recognizer

    _check(options)
    people = _people(options)
    bar, done = progress("enroll"), list[Any]()
    with load_recognizer(place_of(options), create=True) as recognizer:
        try:
            for k, one in enumerate(_outcomes(recognizer, people, options, bar)):
                done.append(one)
                bar.show(partial(_state, k + 1, len(people), one.name))
                if options.json:
                    say(json.dumps(asdict(one)))
        finally:
            bar.clear()
            _tell(done, say, complain, options.json)
        calibrate_again(recognizer.gallery, complain)
    return 0 if any(one.added or one.already for one in done) else 8


def calibrate_again(gallery: Gallery, complain: Complain) -> None:
    """Keep the threshold in step with who is in the gallery, and tell of it; or of why it cannot be."""
    try:
        made = gallery.keep_calibrated()
    except GalleryError as error:
        complain(VedetteError(f"the threshold is stale, and could not be made again: {error}"))
        return
    if made is not None:
        complain(
            VedetteError(f"the threshold was made again for {made.templates} templates: {made.threshold:.3f}")
        )


def _check(options: argparse.Namespace) -> None:
    given = [bool(options.images), options.source is not None, options.folder is not None]
    if sum(given) != 1 or (options.folder is None) == (options.name is None):
        raise SettingsError(
            "say whom and from what: `enroll NAME PICTURE...`, `enroll NAME --source 0`, or `enroll --folder PEOPLE`."
        )
    if options.count < 1 or not 0 < options.seconds <= 3600:
        raise SettingsError("--count must be 1 or more, and --seconds above 0 and up to 3600.")


def _people(options: argparse.Namespace) -> Sequence[PersonPictures]:
    from vedette.enrol import PersonPictures, people_in
    from vedette.gallery.rules import MAX_SOURCE
    from vedette.sources.images import find_images

    if options.folder is not None:
        return people_in(options.folder)
    files = [path for image in options.images for path in find_images(image)] if options.images else []
    # by the whole path: the 1.jpg of another folder is another picture
    return (
        PersonPictures(options.name, tuple((str(path.absolute())[-MAX_SOURCE:], path) for path in files)),
    )


def _outcomes(
    recognizer: FaceRecognizer, people: Sequence[PersonPictures], options: argparse.Namespace, bar: Bar
) -> Iterator[Enrolled]:
    from vedette.app import open
    from vedette.enrol import Enrolled, enrol_people, samples_from

    if options.source is None:
        yield from enrol_people(recognizer, people, keep_pictures=options.keep_pictures)
        return
    with open(options.source) as camera:
        samples = samples_from(
            camera,
            recognizer,
            count=options.count,
            seconds=options.seconds,
            keep_pictures=options.keep_pictures,
            tell=lambda text: bar.show(lambda: text),
        )
    yield Enrolled(options.name, len(samples), 0, (), recognizer.gallery.enrol(options.name, samples).flags)


def _state(done: int, of: int, name: str) -> str:
    width = 24
    full = width * done // max(1, of)
    return f"[{'#' * full}{'.' * (width - full)}] {done} of {of} people, {name}"


def _tell(done: Sequence[Enrolled], say: Say, complain: Complain, as_json: bool) -> None:
    """Tell what was skipped and why, what looks wrong, and what it came to."""
    skipped = [one for person in done for one in person.skipped]
    flags = [flag for person in done for flag in person.flags]
    for one in skipped[:_SHOWN]:
        complain(VedetteError(f"skipped {one.message}"))
    for flag in flags[:_SHOWN]:
        complain(VedetteError(str(flag)))
    more = max(0, len(skipped) - _SHOWN) + max(0, len(flags) - _SHOWN)
    if more:
        complain(
            VedetteError(f"and {more} more; --json tells all, and `vedette faces stats` what looks wrong")
        )
    if not as_json:
        say(_summary(done))


def _summary(done: Sequence[Enrolled]) -> str:
    added, already = sum(one.added for one in done), sum(one.already for one in done)
    people = sum(1 for one in done if one.added)
    reasons = Counter(reason for person in done for one in person.skipped for reason in one.reasons[:1])
    parts = [f"enrolled {added} pictures of {people} people"]
    if already:
        parts.append(f"{already} were there already")
    if reasons:
        parts.append(
            f"skipped {sum(reasons.values())}: " + ", ".join(f"{n} {why}" for why, n in reasons.most_common())
        )
    return "; ".join(parts)
