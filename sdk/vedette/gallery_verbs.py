"""Verbs under `vedette faces` that look after the gallery's file: key, log, archives, another model."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedette.enrol_verb import calibrate_again
from vedette.errors import GalleryKeyError
from vedette.flags import place_of
from vedette.text import columns

if TYPE_CHECKING:
    from vedette.gallery.values import Attempt

__all__ = ["add_keeping", "iso_time"]

Say = Callable[[str], None]
Complain = Callable[[BaseException], None]
Verb = Callable[[str, str, Callable[..., int]], argparse.ArgumentParser]


def add_keeping(verb: Verb, *, say: Say, complain: Complain) -> None:
    """Add the verbs.

    Args:
        verb: adds one, with the options of the gallery, by name, what it does, and what to call.
        say: takes each line of the answer.
        complain: takes what is wrong though the verb did its work.
    """
    for name, text, run in (
        ("export", "write everybody into an encrypted archive", _export),
        ("import", "add everybody of an archive", _import),
    ):
        made = verb(name, text, partial(run, say, complain))
        made.add_argument("archive", type=Path)
        made.add_argument("--passphrase-file", type=Path, metavar="FILE", help="asked for if not given")
    renew = verb(
        "reenroll",
        "make the gallery anew for another model, from kept pictures",
        partial(_renew, say),
    )
    renew.add_argument(
        "--drop", action="store_true", help="lose who has no kept picture, instead of refusing"
    )
    rekey = verb(
        "rekey", "seal the gallery with a new key; the old one opens it no more", partial(_rekey, say)
    )
    rekey.add_argument(
        "--new-key",
        type=Path,
        metavar="FILE",
        help="the new key, made if it is not there; in place of the old one if not given",
    )
    attempts = verb(
        "attempts", "list who was asked to turn the head, and how it ended", partial(_attempts, say)
    )
    attempts.add_argument("name", nargs="?", help="of one person; everybody if not given")


def iso_time(time_ns: int) -> str:
    """Return a time of the wall clock, Unix time, as text: ISO 8601, UTC, to the second."""
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="seconds")


def _rekey(say: Say, options: argparse.Namespace) -> int:
    from vedette.galleries import rekey

    place = place_of(options)
    path = rekey(place, options.new_key)
    told = {"gallery": str(place.path), "key": str(path)}
    text = (
        f"sealed {place.path} with a new key, {path}; the old key opens nothing any more. Copies of the old one are "
        "yours to destroy, and of the new one yours to keep. Start again what has the gallery open."
    )
    say(json.dumps(told) if options.json else text)
    return 0


def _attempts(say: Say, options: argparse.Namespace) -> int:
    """Tell the attempts, the oldest first; needs no model."""
    from vedette.galleries import open_gallery

    with open_gallery(place_of(options)) as gallery:
        names = {person.id: person.name for person in gallery.people()}
        found = [_attempt(names[one.person_id], one) for one in gallery.attempts(options.name)]
    if options.json:
        for facts in found:
            say(json.dumps(facts))
        return 0
    rows = [("TIME", "NAME", "TRACK", "ASKED", "SECONDS", "OUTCOME")]
    for facts in found:
        outcome = " ".join(filter(None, (facts["outcome"], facts["reason"])))
        asked = f"{','.join(facts['asked'])} ({facts['done']} done)"
        rows.append(
            (facts["time"], facts["name"], str(facts["track_id"]), asked, str(facts["seconds"]), outcome)
        )
    say(columns(rows) if found else "nobody was asked")
    return 0


def _attempt(name: str, one: Attempt) -> dict[str, Any]:
    return {
        "time": iso_time(one.time_ns),
        "name": name,
        "track_id": one.track_id,
        "asked": list(one.asked),
        "done": one.done,
        "seconds": one.seconds,
        "outcome": "passed" if one.passed else "failed",
        "reason": one.reason or None,
    }


def _renew(say: Say, options: argparse.Namespace) -> int:
    from vedette.app import load_as
    from vedette.galleries import read_key
    from vedette.gallery.reenrol import reenrol
    from vedette.models.face import FaceDetector
    from vedette.models.face_embed import FaceEmbedder
    from vedette.models.recognize import FaceSampler, embedding_model

    place = place_of(options)
    key = read_key(place)
    with (
        load_as(FaceEmbedder, "face-embedder") as embedder,
        load_as(FaceDetector, "face-detector") as detector,
    ):
        done = reenrol(
            place.path,
            key=key,
            model=embedding_model(embedder),
            embed=FaceSampler(detector, embedder).embed_kept,
            drop_without_picture=options.drop,
        )
    lost = f"; lost: {', '.join(done.lost_people)}" if done.lost_people else ""
    say(
        json.dumps(asdict(done))
        if options.json
        else f"{done.people} people, {done.templates} templates{lost}"
    )
    return 0


def _export(say: Say, _complain: Complain, options: argparse.Namespace) -> int:
    from vedette.galleries import read_key
    from vedette.gallery.archive import export_archive

    place = place_of(options)
    people = export_archive(
        place.path, options.archive, key=read_key(place), passphrase=_passphrase(options, twice=True)
    )
    told = {"archive": str(options.archive), "people": people}
    say(json.dumps(told) if options.json else f"wrote {people} people into {options.archive}")
    return 0


def _import(say: Say, complain: Complain, options: argparse.Namespace) -> int:
    from vedette.app import load_recognizer
    from vedette.galleries import open_gallery, read_key
    from vedette.gallery.archive import import_archive

    place = place_of(options)
    passphrase = _passphrase(options)
    with load_recognizer(place, create=True) as recognizer:
        model = recognizer.gallery.model
    done = import_archive(
        place.path, options.archive, key=read_key(place), model=model, passphrase=passphrase
    )
    with open_gallery(place) as gallery:
        calibrate_again(gallery, complain)
    left = f"; left out, for they were erased here: {', '.join(done.left_out)}" if done.left_out else ""
    say(
        json.dumps(asdict(done))
        if options.json
        else f"added {done.people} people, {done.templates} templates{left}"
    )
    return 0


def _passphrase(options: argparse.Namespace, *, twice: bool = False) -> str:
    """Return the passphrase of an archive, from a file or from who sits at the terminal; never from the command line.

    Raises:
        GalleryKeyError: there is no file and no terminal, or two different ones were typed.
    """
    path: Path | None = options.passphrase_file
    if path is not None:
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise GalleryKeyError(f"cannot read the passphrase in {path}: {error}") from error
    if not sys.stdin.isatty():
        raise GalleryKeyError(
            "an archive needs a passphrase: give --passphrase-file FILE, or type it at a terminal"
        )
    typed = getpass.getpass("passphrase: ")
    if twice and getpass.getpass("once more: ") != typed:
        raise GalleryKeyError("the two passphrases differ; nothing was written")
    return typed
