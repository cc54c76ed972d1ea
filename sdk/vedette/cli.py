"""The `vedette` command. The only module that prints; results go to stdout, all else to stderr.

Exit codes: 0 done, 1 failed, 2 usage or setting, 3 source, 4 model, 5 output, 6 engine, 7 missing package, 8 gallery,
130 interrupted. See `vedette.errors`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vedette import __version__
from vedette.errors import MissingDependencyError, SettingsError, SinkError, VedetteError, unknown_name
from vedette.flags import add_gallery, add_reading, add_tiling, reading_of, tiling_of, with_recognition
from vedette.text import columns, plain

if TYPE_CHECKING:
    from vedette.settings import LiveSettings
    from vedette.stats import Stats, StatsSnapshot
    from vedette.types import Results, Sink

__all__ = ["main"]

INTERRUPTED = 130
QUIET_S = 2.0  # what is over sooner shows no progress
COMMANDS = {
    "live": "watch a camera, stream or file until stopped",
    "faces": "enrol people, and tell who is in a picture",
    "detect": "find faces or other objects in pictures and videos",
    "classify": "say what whole pictures show",
    "run": "run a model of another task on pictures and videos",
    "enhance": "make pictures and videos clearer, brighter or larger",
    "inspect": "tell what a model file is, expects and returns",
    "models": "list the models that can be had by name, get them, or adopt a file",
    "doctor": "check this machine and say what to mend",
    "verify": "replay a model's stored sample on every runtime here",
    "bench": "measure speed against the bare model",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (sys.argv when None) and return the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    # what OpenCV and FFmpeg say of bad input is said again, better, in our own error; one's own choice stands
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    logging.basicConfig(
        level=logging.WARNING, format="vedette: %(levelname)s: %(message)s", stream=sys.stderr
    )
    try:
        with _sigterm_interrupts():
            return _run(args)
    except VedetteError as error:
        _complain(error)
        return error.exit_code
    except KeyboardInterrupt as error:
        _complain(error)
        return INTERRUPTED
    except BrokenPipeError:
        _mute_stdout()
        return 0
    except ImportError as error:  # not an extra's, which are translated: the installation itself is not whole
        print(f"vedette: {error}. `vedette doctor` tells what is missing.", file=sys.stderr)
        return MissingDependencyError.exit_code


def _run(args: Sequence[str]) -> int:
    options = _parser(args).parse_args(args)
    logging.getLogger("vedette").setLevel(logging.DEBUG if options.verbose else logging.INFO)
    return int(options.run(options))


def _complain(error: BaseException) -> None:
    """Say what went wrong, then what went wrong besides: notes are what else failed while all was closed."""
    lines = [str(error)] if str(error) else []
    for line in [*lines, *getattr(error, "__notes__", ())]:
        print(f"vedette: {line}", file=sys.stderr)


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM end the run as Ctrl-C does; afterwards it does what it did before."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's alone
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _mute_stdout() -> None:
    """Point standard output to nowhere, else Python complains about it once more at its exit."""
    with suppress(OSError, ValueError):  # a stream without a descriptor has nothing to complain about
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _print(text: str) -> None:
    """Print a result at once, so that what cannot be written is known here.

    Raises:
        SinkError: the disk behind standard output is full or gone.
    """
    try:
        _print_escaped(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        _mute_stdout()
        raise SinkError(
            f"cannot write to standard output: {error.strerror}; make room or name another place."
        ) from error


def _print_escaped(text: str) -> None:
    try:
        print(text, flush=True)
    except UnicodeEncodeError as error:  # a file's name need not be text
        print(text.encode(error.encoding, "backslashreplace").decode(error.encoding), flush=True)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are Vedette's: one line, the nearest name, exit code 2."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message}. See `{self.prog} --help`.")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, rest = self.parse_known_args(args, namespace)
        if rest and not rest[0].startswith("-"):
            raise SettingsError(f"'{rest[0]}' is one argument too many. See `{self.prog} --help`.")
        if rest:
            known = {option for action in _actions(self, found) for option in action.option_strings}
            raise unknown_name("option", rest[0].partition("=")[0], known)
        return found


def _actions(parser: argparse.ArgumentParser, found: argparse.Namespace) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            yield action
        elif (verb := getattr(found, action.dest)) is not None:
            yield from _actions(action.choices[verb], found)


def _parser(args: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(prog="vedette", description="Real-time vision on small devices, without a cloud.")
    parser.add_argument("--version", action="version", version=f"vedette {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="say more on stderr")
    verbs = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name, text in COMMANDS.items():
        globals()[f"_add_{name}"](verbs.add_parser(name, help=text, description=f"{text.capitalize()}."))
    _add_departments(verbs, args)
    return parser


def _add_departments(verbs: Any, args: Sequence[str]) -> None:
    """Add the verbs of train, convert ...: only the one that is called is imported."""
    wanted = next((a for a in args if not a.startswith("-")), "")
    points = {p.name: p for p in importlib.metadata.entry_points(group="vedette.commands")}
    if wanted in points:
        points[wanted].load()(verbs)
    elif not wanted:
        for name in sorted(points):
            verbs.add_parser(name, help=f"see `vedette {name} --help`")
    elif wanted not in COMMANDS:
        raise unknown_name("command", wanted, [*COMMANDS, *points])


# live


def _add_live(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", nargs="?", help="0, picamera2://0, v4l2:///dev/video0, rtsp://…, a file, demo://"
    )
    parser.add_argument(
        "--stage",
        action="append",
        metavar="NAME",
        help="faces, faces?min_score=0.7&every=3, objects=FILE.tflite, track, recognize, privacy?blur=unknown, "
        "zones=FILE.toml, enhance=NAME (repeatable)",
    )
    parser.add_argument(
        "--sink", action="append", metavar="URI", help="-, x.jsonl, x.mp4, folder/, web://127.0.0.1:8080"
    )
    parser.add_argument("--frames", type=int, metavar="N", help="stop after N results")
    parser.add_argument("--seconds", type=float, metavar="S", help="stop after S seconds")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="a TOML file with the same names")
    add_gallery(parser)
    parser.add_argument(
        "--no-recognize", action="store_true", help="do not name faces, though a gallery is there"
    )
    parser.set_defaults(run=_live)


def _live(options: argparse.Namespace) -> int:
    from vedette.app import run
    from vedette.stats import Stats

    settings = _live_settings(options)
    stats, bar = Stats(), _Progress("live")
    try:
        with closing(
            run(
                settings.source,
                settings.stages,
                settings.sinks,
                frames=settings.frames,
                seconds=settings.seconds,
                on_sink=_announce,
            )
        ) as running:
            for results in running:
                stats.update(results)
                bar.show(lambda: _status(stats))
    finally:
        bar.clear()
        summary = stats.snapshot()
        if summary.frames:
            print(_table(summary), file=sys.stderr)
    return 0


def _announce(sink: Sink) -> None:
    url = getattr(sink, "url", None)
    if url:
        print(f"vedette: look at {url} (Ctrl-C ends)", file=sys.stderr, flush=True)


def _status(stats: Stats) -> str:
    now = stats.snapshot(time.monotonic_ns())
    found = sum(sum(labels.values()) for labels in now.counts.values())
    return f"{now.frames} frames, {now.fps:.1f} fps, age p95 {now.age_ms.p95:.0f} ms, {found} found"


def _table(now: StatsSnapshot) -> str:
    """Return what a run came to: rates, times as percentiles, what was found, what was lost."""
    times = {"age": now.age_ms, **{f"stage {name}": times for name, times in now.stages_ms.items()}}
    rows = [("", "p50 ms", "p95 ms", "p99 ms")]
    rows += [(name, f"{t.p50:.1f}", f"{t.p95:.1f}", f"{t.p99:.1f}") for name, t in times.items()]
    found = [
        f"{n} x {label} ({stage})" for stage, labels in now.counts.items() for label, n in labels.items()
    ]
    lost = [f"{count} {cause}" for cause, count in now.drops.items() if count]
    zones = [f"zone     {name}: {plain(dict(counts))}" for name, counts in now.zones.items()]
    zones += [f"frames   {name}: {plain(dict(states))}" for name, states in now.enhanced.items()]
    return "\n".join(
        [
            f"{now.frames} frames, {now.mean_fps:.1f} fps",
            columns(rows),
            f"found    {', '.join(found) or 'nothing'}",
            *zones,
            f"dropped  {', '.join(lost) or 'none'}",
        ]
    )


def _live_settings(options: argparse.Namespace) -> LiveSettings:
    """Return the file's settings with what the command line says laid over them."""
    from dataclasses import replace

    from vedette.settings import LiveSettings, load_settings

    given = {
        "source": options.source,
        "stages": options.stage and tuple(options.stage),
        "sinks": options.sink and tuple(options.sink),
        "frames": options.frames,
        "seconds": options.seconds,
    }
    given = {key: value for key, value in given.items() if value is not None}
    if options.settings is not None:
        asked = replace(load_settings(options.settings), **given)
        return asked if options.gallery is None else _naming(asked, options)
    if options.source is None:
        raise SettingsError(
            "no source is given. Try `vedette live demo://`, or `vedette live 0` for the first camera."
        )
    return _naming(LiveSettings(**given), options)


def _naming(asked: LiveSettings, options: argparse.Namespace) -> LiveSettings:
    """Return `asked` with the stages that name faces, where a gallery is; say so."""
    from dataclasses import replace

    stages = with_recognition(asked.stages, options)
    if stages != asked.stages:
        print(f"vedette: stages {', '.join(stages)}; --no-recognize names nobody", file=sys.stderr)
    return replace(asked, stages=stages)


# detect


def _add_detect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", nargs="+", help="pictures, folders, globs or videos")
    parser.add_argument("--model", default="face-detector", metavar="NAME|PATH")
    parser.add_argument(
        "--min-score", type=float, metavar="X", help="0..1; the model's own threshold if not given"
    )
    parser.add_argument("--threads", type=int, metavar="N")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a picture on stdout, nothing else"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write annotated pictures into DIR")
    add_tiling(parser)
    add_reading(parser)
    parser.set_defaults(run=_detect)


def _detect(options: argparse.Namespace) -> int:
    """Go through all sources; one that fails is told of and the rest still done."""
    from vedette.app import load, make_sink, stage_name
    from vedette.models.tiles import TiledDetector
    from vedette.stages.detect import Detect

    _check(options.min_score, "--min-score", 0.0, 1.0)
    _check(options.threads, "--threads", 1, 64)
    code = 0
    bar = _Progress("detect")
    tiling = tiling_of(options)
    detector = load(
        options.model, min_score=options.min_score, threads=options.threads, reading=reading_of(options)
    )
    with Detect(stage_name(detector), TiledDetector(detector, tiling) if tiling else detector) as stage:
        sinks = [make_sink(f"images:{options.out}")] if options.out else []
        for source in options.source:
            try:
                _detect_source(source, stage, sinks, bar, options.json)
            except VedetteError as error:
                bar.clear()
                print(f"vedette: {error}", file=sys.stderr)
                code = code or error.exit_code
        for sink in sinks:
            sink.close()
    bar.clear()
    return code


def _detect_source(source: str, stage: Any, sinks: Any, bar: _Progress, as_json: bool) -> None:
    from vedette.pipeline import process
    from vedette.sinks.schema import to_json
    from vedette.sources.uri import open_source

    with open_source(source) as opened:
        while (frame := opened.read()) is not None:
            results = process(frame, [stage])
            for sink in sinks:
                sink.write(results)
            bar.clear()
            _print(to_json(results) if as_json else _line(results))
            bar.show(lambda: f"{frame.source} {frame.index}")


def _line(results: Results) -> str:
    faces = [
        f"{name} {s:.2f} [{' '.join(f'{v:.0f}' for v in box)}]"
        for d in results.found.values()
        for box, s, name in zip(d.xyxy, d.score, d.names, strict=True)
    ]
    width, height = results.frame.size_wh
    where = f"{results.frame.source}#{results.frame.index}" if results.frame.index else results.frame.source
    return f"{where} ({width}x{height}): {', '.join(faces) or 'nothing found'}"


def _add_classify(parser: argparse.ArgumentParser) -> None:
    from vedette.verbs import add_classify

    add_classify(parser, say=_print, complain=_complain)


def _add_faces(parser: argparse.ArgumentParser) -> None:
    from vedette.face_verbs import add_faces

    add_faces(parser, say=_print, complain=_complain, progress=_Progress)


def _add_run(parser: argparse.ArgumentParser) -> None:
    from vedette.task_verbs import add_run

    add_run(parser, say=_print, complain=_complain)


def _add_enhance(parser: argparse.ArgumentParser) -> None:
    from vedette.enhance_verb import add_enhance

    add_enhance(parser, say=_print, complain=_complain, progress=_Progress)


# inspect, models, doctor, bench


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    from vedette.model_verbs import add_inspect

    add_inspect(parser, say=_print, complain=_complain)


def _add_models(parser: argparse.ArgumentParser) -> None:
    from vedette.verbs_models import add_models

    add_models(parser, say=_print, complain=_complain, progress=_Progress, table=columns)


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    from vedette.verbs import add_doctor

    add_doctor(parser, say=_print)


def _add_verify(parser: argparse.ArgumentParser) -> None:
    from vedette.verbs import add_verify

    add_verify(parser, say=_print)


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", nargs="?", default="demo://?pace=none", help="a video, pictures or demo://?pace=none"
    )
    parser.add_argument("--model", default="face-detector", metavar="NAME|PATH")
    parser.add_argument(
        "--seconds", type=float, default=10.0, metavar="S", help="for each of three loops (10)"
    )
    parser.add_argument("--threads", type=int, metavar="N")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> int:
    from vedette.measure import measure

    _check(options.seconds, "--seconds", 0.1, 3600.0)
    _check(options.threads, "--threads", 1, 64)
    bar = _Progress("bench")
    report = measure(
        options.model,
        options.source,
        seconds=options.seconds,
        threads=options.threads,
        progress=lambda step: bar.show(lambda: step),
    )
    bar.clear()
    facts = report.as_dict()
    _print(json.dumps(facts) if options.json else columns([(k, plain(v)) for k, v in facts.items()]))
    return 0


# words and figures


def _check(value: float | None, option: str, low: float, high: float) -> None:
    """Refuse a given `value` outside `low`..`high`, which not-a-number is too."""
    if value is not None and not low <= value <= high:
        raise SettingsError(f"{option} is {value}; give {low:g} to {high:g}.")


class _Progress:
    """One line on stderr, renewed a few times a second; silent where stderr is no terminal."""

    def __init__(self, verb: str) -> None:
        self._verb, self._start, self._last = verb, time.monotonic(), 0.0
        self._terminal = sys.stderr.isatty()
        self._shown = False

    def show(self, text: Any) -> None:
        """Show what `text()` returns, if two seconds have passed since the beginning."""
        now = time.monotonic()
        if not self._terminal or now - self._start < QUIET_S or now - self._last < 0.25:
            return
        self._last, self._shown = now, True
        print(f"\r\x1b[2K{self._verb}: {text()}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
            self._shown = False
