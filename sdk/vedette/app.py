"""The composition root: names and settings in, working objects out. The only place that chooses."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

from vedette import pipeline
from vedette.contract import open_model_file
from vedette.engines.litert import LiteRTEngine
from vedette.errors import ModelError, SettingsError, unknown_name
from vedette.models.classify import Classifier
from vedette.models.detect import Detector
from vedette.models.embed import FaceEmbedder
from vedette.models.face import FaceDetector
from vedette.models.golden import open_replayer
from vedette.settings import StageSettings, load_zones, parse_stage
from vedette.sinks.uri import open_sink
from vedette.sources.live import Live, open_live
from vedette.stages.detect import Detect
from vedette.stages.every import Every
from vedette.stages.track import Track
from vedette.stages.zones import Zones
from vedette.types import Results, Sink, Source, Stage, TensorSpec
from vedette.zoo import bundled, find

__all__ = [
    "STAGES",
    "inspect",
    "load",
    "load_classifier",
    "load_embedder",
    "make_sink",
    "make_stage",
    "open",
    "run",
    "stage_name",
]

DETECTORS: Mapping[str, type[FaceDetector] | type[Detector]] = {"face": FaceDetector, "detect": Detector}
"""Type of a contract's head -> what finds with it."""


def open(source: str) -> Live:
    """Open a source by URI, path or camera number, and start capturing.

    Returns:
        A source whose `read()` gives the newest frame of a camera or stream, and every frame of a file.

    Raises:
        SourceError: it does not exist, cannot be opened, or is not what it seems.
        SettingsError: an unknown scheme or option; the nearest known is named.
        MissingDependencyError: the source needs a package that is not installed.
    """
    return open_live(source)


def load(
    model: str | Path = "face-detector", *, min_score: float | None = None, threads: int | None = None
) -> FaceDetector | Detector:
    """Load a bundled model by name, or a model file by path: a `FaceDetector`, or a `Detector` of other objects.

    Args:
        model: a name that `vedette models` lists, or the path of a `.tflite` made by `vedette convert`.
        min_score: 0..1; the threshold that the model was tuned for when not given.
        threads: 1..usable cores; the free cores when not given.

    Raises:
        SettingsError: no bundled model has that name.
        ModelError: the file is missing, damaged, not what its contract says, or for another task than detection.
        MissingDependencyError: no TFLite runtime is installed.
    """
    file = open_model_file(find(model))
    head = file.contract.head.get("type")
    if head not in DETECTORS:
        raise ModelError(
            f"{file.path} is for {file.contract.task} (head {head!r}), not for finding faces or objects."
        )
    engine = LiteRTEngine(file.data, label=str(file.path), threads=threads)
    try:
        return DETECTORS[str(head)](engine, file, min_score=min_score)
    except BaseException:
        engine.close()
        raise


def load_classifier(
    model: str | Path, *, min_score: float | None = None, threads: int | None = None
) -> Classifier:
    """Load a model that says what a whole picture shows; arguments and errors as those of `load`."""
    file = open_model_file(find(model))
    engine = LiteRTEngine(file.data, label=str(file.path), threads=threads)
    try:
        return Classifier(engine, file, min_score=min_score)
    except BaseException:
        engine.close()
        raise


def load_embedder(model: str | Path, *, threads: int | None = None) -> FaceEmbedder:
    """Load a model that turns faces into embeddings; arguments and errors as those of `load`."""
    file = open_model_file(find(model))
    engine = LiteRTEngine(file.data, label=str(file.path), threads=threads)
    try:
        return FaceEmbedder(engine, file)
    except BaseException:
        engine.close()
        raise


def stage_name(detector: FaceDetector | Detector) -> str:
    """Return the name of the stage that runs `detector`, under which its findings stand in the results."""
    return "faces" if isinstance(detector, FaceDetector) else "objects"


def _detect(settings: StageSettings, default: str) -> Detect:
    """Make the stage `settings.name`, whose model is the bundled `default` where none is given."""
    if settings.model is None and default not in bundled():
        raise SettingsError(
            f"no model for {settings.name} is bundled; name one: {settings.name}=FILE.tflite."
        )
    detector = load(settings.model or default, min_score=settings.min_score, threads=settings.threads)
    if stage_name(detector) != settings.name:
        detector.close()
        raise ModelError(
            f"{detector.model.path} finds {stage_name(detector)}; name the stage so: "
            f"{stage_name(detector)}={settings.model}."
        )
    return Detect(settings.name, detector)


STAGES: Mapping[str, Callable[[StageSettings], Detect]] = {
    "faces": lambda settings: _detect(settings, "face-detector"),
    "objects": lambda settings: _detect(settings, "objects"),
}
"""Stage name -> what makes the stage."""

Made: TypeAlias = Detect | Every | Track | Zones


def _detectors(stages: Sequence[Made]) -> dict[str, FaceDetector | Detector]:
    """Return the detectors of `stages`, by stage name."""
    inner = [stage.stage if isinstance(stage, Every) else stage for stage in stages]
    found = {stage.name: stage.detector for stage in inner if isinstance(stage, Detect)}
    return {name: one for name, one in found.items() if isinstance(one, FaceDetector | Detector)}


def _track(settings: StageSettings, after: Sequence[Made]) -> Track:
    """Make the tracker. The detectors `after` which it comes then tell of what they half believe, too."""
    start_scores = {}
    if settings.track.start_score is None:
        for name, detector in _detectors(after).items():
            start_scores[name] = detector.min_score
            detector.min_score *= settings.track.weak
    return Track(settings.track, start_scores=start_scores)


def _zones(settings: StageSettings, after: Sequence[Made]) -> Zones:
    if settings.model is None:
        raise SettingsError("the stage zones needs the file of its zones and lines: zones=FILE.toml.")
    path = Path(settings.model)
    rules = load_zones(path)
    known = {label for one in _detectors(after).values() for label in one.model.contract.labels}
    for label in {label for rule in rules for label in rule.labels}:
        if known and label not in known:
            raise unknown_name(f"label in {path}", label, known)
    return Zones(rules)


FOLLOWERS: Mapping[str, Callable[[StageSettings, Sequence[Made]], Track | Zones]] = {
    "track": _track,
    "zones": _zones,
}
"""Name of a stage that builds on those before it -> what makes it."""


def make_stage(text: str, *, after: Sequence[Made] = ()) -> Made:
    """Make a stage from ``name[=file][?option=value]``. Close it after use.

    Args:
        text: such as ``"faces?every=3"``, ``"track"`` or ``"zones=zones.toml"``.
        after: the stages before it, for one that builds on them; "track" sets their detectors to find more.

    Raises:
        SettingsError: the stage or an option is unknown; the nearest is named. The zones' file is wrong.
        ModelError: its model cannot be loaded.
    """
    settings = parse_stage(text)
    if settings.name in FOLLOWERS:
        return FOLLOWERS[settings.name](settings, after)
    if settings.name not in STAGES:
        raise unknown_name("stage", settings.name, [*STAGES, *FOLLOWERS])
    stage = STAGES[settings.name](settings)
    return stage if settings.every is None else Every(stage, settings.every)


def inspect(model: str | Path) -> dict[str, Any]:
    """Return what a model file is, expects and returns, and whether its golden sample still holds, for JSON.

    Raises:
        ModelError: the file is missing, damaged, or not what its contract says.
    """
    file = open_model_file(find(model))
    contract = file.contract
    with LiteRTEngine(file.data, label=str(file.path)) as engine:
        return {
            "file": str(file.path),
            "bytes": len(file.data),
            "sha256": file.sha256,
            "name": contract.name,
            "version": contract.version,
            "task": contract.task,
            "head": dict(contract.head),
            "labels": list(contract.labels),
            "threshold": contract.threshold,
            "license": contract.license,
            "training_data": list(contract.training_data),
            "metrics": dict(contract.metrics),
            "engine": engine.name,
            "inputs": [_tensor(spec) for spec in engine.inputs],
            "outputs": [_tensor(spec) for spec in engine.outputs],
            "golden": open_replayer(engine, file).replay_golden(),
        }


def _tensor(spec: TensorSpec) -> str:
    quant = f" scale {spec.scale:.6g} zero {spec.zero_point}" if spec.scale else ""
    return f"{spec.name} {'x'.join(map(str, spec.shape))} {spec.dtype.name}{quant}"


def make_sink(text: str) -> Sink:
    """Open a sink by URI: those of `vedette.sinks.uri`, and ``web://host:port`` for the dashboard.

    Raises:
        SinkError: it cannot be written or bound.
        SettingsError: unknown scheme or option, or a public address without a token.
    """
    if text.startswith("web:"):
        from vedette.web.dashboard import open_dashboard

        return open_dashboard(text)
    return open_sink(text, others=("web",))


def run(
    source: Source | str,
    stages: Iterable[Stage | str] = ("faces",),
    sinks: Iterable[Sink | str] = (),
    *,
    frames: int | None = None,
    seconds: float | None = None,
    on_sink: Callable[[Sink], None] = lambda _sink: None,
) -> Generator[Results, None, None]:
    """Yield results frame by frame until the source ends, or `frames` or `seconds` are over.

    All is opened when the first result is asked for. From then on the sinks and the source are closed however it ends,
    given ones too; stages and a `Live` that were given stay open. A run that is never asked opens and closes nothing.

    Args:
        source: an open source, or what `open` takes.
        stages: stages, or their names such as ``"faces"`` or ``"faces?min_score=0.7"``.
        sinks: sinks, or URIs such as ``"results.jsonl"``; each runs in a thread of its own.
        frames: stop after so many results.
        seconds: stop after so much time.
        on_sink: told of each sink once all are open.

    Raises:
        VedetteError: see `vedette.errors`; nothing is opened any more when it is raised.
    """
    with ExitStack() as stack:
        with ExitStack() as unused:  # once the pipeline runs, it closes them
            given = list(sinks)
            for one in (source, *given):
                if not isinstance(one, str | Live):
                    unused.callback(one.close)
            steps = _make_stages(stages, stack)
            _refuse_twins(steps)
            _refuse_untracked(steps)
            camera = stack.enter_context(open(source)) if isinstance(source, str) else source
            outputs = [
                unused.enter_context(make_sink(sink)) if isinstance(sink, str) else sink for sink in given
            ]
            for output in outputs:
                on_sink(output)
            unused.pop_all()
        yield from pipeline.run(camera, steps, outputs, frames=frames, seconds=seconds)


def _make_stages(stages: Iterable[Stage | str], stack: ExitStack) -> list[Stage]:
    """Return `stages`, those that are given by name made, and closed with `stack`."""
    steps: list[Stage] = []
    made: list[Made] = []
    for given in stages:
        if isinstance(given, str):
            made.append(make_stage(given, after=made))
            stack.enter_context(made[-1])
        steps.append(made[-1] if isinstance(given, str) else given)
    return steps


def _refuse_untracked(stages: list[Stage]) -> None:
    """Refuse zones after nothing but detectors: they count only what has a number, so they would stay empty."""
    before = list(itertools.takewhile(lambda stage: not isinstance(stage, Zones), stages))
    if len(before) < len(stages) and all(isinstance(stage, Detect | Every) for stage in before):
        raise SettingsError(
            "the stage zones needs what it counts to be tracked; put the stage track before it."
        )


def _refuse_twins(stages: list[Stage]) -> None:
    """Results are kept by stage name: of two stages with one name the first would be lost."""
    names = [stage.name for stage in stages]
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise SettingsError(
            f"two stages are called '{twins[0]}'; results are kept by name, so name each once."
        )
