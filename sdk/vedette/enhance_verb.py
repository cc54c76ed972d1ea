"""`vedette enhance`: better pictures and videos of pictures and videos. `vedette.cli` hands it what prints."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vedette.errors import SettingsError, VedetteError

if TYPE_CHECKING:
    from vedette.enhancing import Job, Journal, Look
    from vedette.models.enhance import Enhancer

__all__ = ["add_enhance"]

Say = Callable[[str], None]
Complain = Callable[[BaseException], None]


class Bar(Protocol):
    """A line on the terminal that tells how far something is."""

    def show(self, text: Callable[[], str]) -> None: ...

    def clear(self) -> None: ...


def add_enhance(
    parser: argparse.ArgumentParser, *, say: Say, complain: Complain, progress: Callable[[str], Bar]
) -> None:
    """Add the options of `vedette enhance`.

    Args:
        parser: of the verb.
        say: takes a line for each result.
        complain: takes what is wrong with one of several files, and the summary.
        progress: makes the line that tells how far it is.
    """
    parser.add_argument("source", type=Path, metavar="IN", help="a picture, a video, or a folder of them")
    parser.add_argument("target", nargs="?", metavar="OUT", help="a file, or a folder: IN is mirrored in it")
    parser.add_argument(
        "--with",
        dest="models",
        required=True,
        metavar="NAME[,NAME...]",
        help="models in order, by name or path",
    )
    parser.add_argument(
        "--in-place", action="store_true", help="replace the files themselves, each whole or not at all"
    )
    parser.add_argument("--compare", action="store_true", help="put the original beside each result")
    parser.add_argument(
        "--mask",
        type=Path,
        metavar="PATH",
        help="a picture, white where something is missing; or a folder of them",
    )
    parser.add_argument("--quality", type=int, default=95, metavar="N", help="of JPEG and WebP, 1..100 (95)")
    parser.add_argument("--threads", type=int, metavar="N")
    parser.set_defaults(run=partial(_enhance, say, complain, progress))


def _enhance(
    say: Say, complain: Complain, progress: Callable[[str], Bar], options: argparse.Namespace
) -> int:
    """Go through all files; one that fails is told of and the rest still done."""
    from vedette.app import load_enhancer
    from vedette.enhancing import Journal, Look, plan_jobs

    if options.compare and options.in_place:
        raise SettingsError(
            "--compare makes pictures to look at; they do not replace the files. Name where they go."
        )
    if not 1 <= options.quality <= 100:
        raise SettingsError(f"--quality is {options.quality}; give 1 to 100.")
    jobs = plan_jobs(options.source, options.target, in_place=options.in_place)
    if options.mask is not None and not options.mask.exists():
        raise SettingsError(f"there is no mask at {options.mask}; check the path.")
    look = Look(options.compare, options.quality, options.mask)
    with load_enhancer(options.models, threads=options.threads) as enhancer:
        many = options.source.is_dir()
        journal = Journal(Path(options.target or options.source), enhancer, look) if many else None
        codes, before = [], 0
        for i, job in enumerate(jobs, 1):
            if journal is not None and journal.has(job):
                before += 1
            else:
                bar = _Counted(
                    progress("enhance"), f"{i}/{len(jobs)} {job.source.name}" if many else job.source.name
                )
                codes.append(_one(enhancer, job, look, journal, bar, say, complain))
    failed = [code for code in codes if code]
    if many:
        complain(
            VedetteError(f"{len(codes) - len(failed)} enhanced, {before} done before, {len(failed)} skipped.")
        )
    return failed[0] if failed else 0


class _Counted:
    """A line on the terminal that begins with which of the files it is about."""

    def __init__(self, bar: Bar, text: str) -> None:
        self._bar, self._text = bar, text

    def tell(self, how_far: str) -> None:
        self._bar.show(lambda: f"{self._text} {how_far}")

    def clear(self) -> None:
        self._bar.clear()


def _one(
    enhancer: Enhancer,
    job: Job,
    look: Look,
    journal: Journal | None,
    bar: _Counted,
    say: Say,
    complain: Complain,
) -> int:
    """Enhance one file and tell of it; return the exit code that it comes to."""
    from vedette.enhancing import enhance_file

    def note(sha256: str) -> None:
        if journal is not None:
            journal.note(job, sha256)

    try:
        done = enhance_file(enhancer, job, look, note=note, tell=bar.tell)
    except VedetteError as error:
        bar.clear()
        complain(error)
        return error.exit_code
    bar.clear()
    say(f"{job.source} -> {done.target} ({done.size_wh[0]}x{done.size_wh[1]})")
    for text in done.notes:
        complain(VedetteError(f"{job.source}: {text}"))
    return 0
