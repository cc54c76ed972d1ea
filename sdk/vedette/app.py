"""The composition root: names and settings in, working objects out. The only place that chooses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias, TypeVar

from vedette import pipeline
from vedette.contract import Contract, ModelFile, open_model_file
from vedette.engines.litert import LiteRTEngine
from vedette.errors import ModelError, SettingsError, unknown_name
from vedette.galleries import GalleryPlace, gallery_place, open_gallery
from vedette.models.curves import CurveEnhancer
from vedette.models.detect import Detector
from vedette.models.enhance import Enhancer, Step, TiledImage
from vedette.models.face import FaceDetector
from vedette.models.face_embed import FaceEmbedder
from vedette.models.images import ImageToImage
from vedette.models.recognize import FaceRecognizer, embedding_model
from vedette.models.task import PictureModel
from vedette.models.temporal import NAME as TEMPORAL
from vedette.models.temporal import TemporalDenoise
from vedette.models.tiles import TiledDetector
from vedette.recognise import recognise
from vedette.recognise.reading import Reading
from vedette.registry import find
from vedette.settings import EnhanceSettings, StageSettings, parse_stage
from vedette.sinks.uri import open_sink
from vedette.sources.live import Live, open_live
from vedette.stages.detect import Detect
from vedette.stages.enhance import Enhance
from vedette.stages.every import Every
from vedette.stages.order import check_order
from vedette.stages.privacy import Privacy
from vedette.stages.recognize import Recognize
from vedette.stages.track import Track
from vedette.stages.zone_file import FileZones
from vedette.stages.zones import Zones
from vedette.types import Results, Sink, Source, Stage

__all__ = [
    "STAGES",
    "load",
    "load_as",
    "load_enhancer",
    "load_recognizer",
    "make_sink",
    "make_stage",
    "open",
    "open_model",
    "run",
    "stage_name",
    "start",
]

_log = logging.getLogger("vedette")
Task = TypeVar("Task", bound=PictureModel)


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


def open_model(model: str | Path, *, reading: Reading | None = None) -> ModelFile:
    """Read a bundled model by name, or a model file by path; say in the log what a file without a contract is, and why.

    Raises:
        SettingsError: no bundled model has that name, or `reading` is not understood.
        ModelError: the file is missing, damaged, not recognised, or carries a contract that `reading` cannot change.
    """
    told = reading or Reading()

    def ask(data: bytes, path: Path) -> tuple[Contract, tuple[str, ...]]:
        return recognise(
            data, path=path, head=told.head, labels=told.labels, normalize=told.normalize, color=told.color
        )

    file = open_model_file(find(model), recognise=ask)
    if file.evidence:
        _log.info("%s is taken for %s; `vedette inspect` says why.", file.path, file.contract.task)
        _log.debug("%s: %s", file.path, " ".join(file.evidence))
    elif told != Reading():
        raise ModelError(
            f"{file.path} carries a Vedette contract; --head, --labels, --normalize and --color do not apply."
        )
    return file


def load(
    model: str | Path = "face-detector",
    *,
    min_score: float | None = None,
    threads: int | None = None,
    reading: Reading | None = None,
) -> FaceDetector | Detector:
    """Load a bundled model by name, or a model file by path: a `FaceDetector`, or a `Detector` of other objects.

    Args:
        model: a name that `vedette models` lists, or the path of a `.tflite`: of Vedette's own, or another that the
            rules of `vedette.recognise` know.
        min_score: 0..1; the threshold that the model was tuned for when not given.
        threads: 1..usable cores; the free cores when not given.
        reading: what you know of a file without a contract, where the rules do not.

    Raises:
        SettingsError: no bundled model has that name.
        ModelError: the file is missing, damaged, not what its contract says, or for another task than detection.
        MissingDependencyError: no TFLite runtime is installed.
    """
    file = open_model(model, reading=reading)
    head = file.contract.head.get("type")
    if head in FaceDetector.heads:
        return start(FaceDetector, file, min_score=min_score, threads=threads)
    if head in Detector.heads:
        return start(Detector, file, min_score=min_score, threads=threads)
    raise ModelError(
        f"{file.path} is for {file.contract.task} (head {head!r}), not for finding faces or objects."
    )


def load_as(
    task: type[Task],
    model: str | Path,
    *,
    min_score: float | None = None,
    threads: int | None = None,
    reading: Reading | None = None,
) -> Task:
    """Load a model of one task, such as ``load_as(vedette.Segmenter, "deeplab.tflite")``; else as `load`.

    Raises:
        ModelError: as `load`, or the model is for another task.
    """
    return start(task, open_model(model, reading=reading), min_score=min_score, threads=threads)


def start(
    task: type[Task], file: ModelFile, *, min_score: float | None = None, threads: int | None = None
) -> Task:
    """Return the model in `file`, which is for `task`, on an engine of its own. Errors are those of `load_as`."""
    engine = LiteRTEngine(file.data, label=str(file.path), threads=threads)
    try:
        return task(engine, file, min_score=min_score)
    except BaseException:
        engine.close()
        raise


def load_recognizer(
    place: GalleryPlace | None = None,
    *,
    create: bool = False,
    detector: str | Path = "face-detector",
    embedder: str | Path = "face-embedder",
    threads: int | None = None,
    min_margin: float = 0.0,
) -> FaceRecognizer:
    """Load what tells faces apart: a detector, an embedder, and the gallery of this user or device.

    Args:
        place: of the gallery; see `vedette.galleries.gallery_place` for where it is when not given.
        create: make the gallery and its key where there is none, instead of refusing.
        detector: that finds the faces, a bundled name or a path.
        embedder: that the gallery was made with, likewise.
        threads: of each interpreter; the free cores when not given.
        min_margin: by how much the best person must be ahead of the next, a cosine.

    Raises:
        GalleryKeyError: the key is missing, wrong, or not kept safe.
        GalleryError: there is no gallery, or it cannot be opened, or is of another model.
        ModelError, SettingsError, MissingDependencyError: as `load`.
    """
    with ExitStack() as stack:
        faces = stack.enter_context(load_as(FaceDetector, detector, threads=threads))
        vectors = stack.enter_context(load_as(FaceEmbedder, embedder, threads=threads))
        where = gallery_place() if place is None else place
        gallery = stack.enter_context(open_gallery(where, embedding_model(vectors), create=create))
        recognizer = FaceRecognizer(faces, vectors, gallery, min_margin=min_margin)
        stack.pop_all()
    return recognizer


def load_enhancer(models: str | Sequence[str | Path], *, threads: int | None = None) -> Enhancer:
    """Load a chain of models that make pictures of pictures.

    Args:
        models: names that `vedette models` lists, or paths, in order; a text has commas between them. "temporal" is no
            model, see `vedette.models.temporal`.
        threads: as in `load`.

    Raises:
        SettingsError: none is given, or no bundled model has that name; the nearest is named.
        ModelError: a file is missing, damaged, for another task, or does not fit pictures of any size.
    """
    named = [name for name in models.split(",") if name] if isinstance(models, str) else list(models)
    if not named:
        raise SettingsError("no model is named; give one or more, such as denoise,sr-x2.")
    with ExitStack() as stack:
        steps: list[Step] = []
        for name in named:
            steps.append(TemporalDenoise() if name == TEMPORAL else _enhancing(open_model(name), threads))
            stack.callback(steps[-1].close)
        stack.pop_all()
    return Enhancer(steps)


def _enhancing(file: ModelFile, threads: int | None) -> Step:
    """Return the model in `file` as a step of an `Enhancer`."""
    head = file.contract.head.get("type")
    if head in CurveEnhancer.heads:
        return start(CurveEnhancer, file, threads=threads)
    if head not in ImageToImage.heads:
        raise ModelError(
            f"{file.path} is for {file.contract.task} (head {head!r}), not for enhancing pictures."
        )
    network = start(ImageToImage, file, threads=threads)
    try:
        return TiledImage(network)
    except BaseException:
        network.close()
        raise


def stage_name(detector: FaceDetector | Detector) -> str:
    """Return the name of the stage that runs `detector`, under which its findings stand in the results."""
    return "faces" if isinstance(detector, FaceDetector) else "objects"


def _detect(settings: StageSettings, default: str) -> Detect:
    """Make the stage `settings.name`, whose model is the bundled `default` where none is given."""
    detector = load(settings.model or default, min_score=settings.min_score, threads=settings.threads)
    if stage_name(detector) != settings.name:
        detector.close()
        raise ModelError(
            f"{detector.model.path} finds {stage_name(detector)}; name the stage so: "
            f"{stage_name(detector)}={settings.model}."
        )
    return Detect(settings.name, TiledDetector(detector, settings.tiles) if settings.tiles else detector)


AUTO = "denoise,lowlight"
"""What `enhance=auto` switches on and off."""


def _enhance(settings: StageSettings) -> Enhance:
    if settings.model is None:
        raise SettingsError("the stage enhance needs a model, such as enhance=lowlight, or enhance=auto.")
    auto = settings.model == "auto"
    chosen = EnhanceSettings(settings.enhance.budget_ms, auto=True) if auto else settings.enhance
    return Enhance(load_enhancer(AUTO if auto else settings.model, threads=settings.threads), chosen)


STAGES: Mapping[str, Callable[[StageSettings], Detect | Enhance]] = {
    "enhance": _enhance,
    "faces": lambda settings: _detect(settings, "face-detector"),
    "objects": lambda settings: _detect(settings, "objects"),
}
"""Stage name -> what makes the stage."""

Made: TypeAlias = Detect | Enhance | Every | Privacy | Recognize | Track | Zones


def _detectors(stages: Sequence[Made]) -> dict[str, FaceDetector | Detector | TiledDetector]:
    """Return the detectors of `stages`, by stage name."""
    inner = [stage.stage if isinstance(stage, Every) else stage for stage in stages]
    found = {stage.name: stage.detector for stage in inner if isinstance(stage, Detect)}
    return {
        name: one for name, one in found.items() if isinstance(one, FaceDetector | Detector | TiledDetector)
    }


def _track(settings: StageSettings, after: Sequence[Made]) -> Track:
    """Make the tracker. The detectors `after` which it comes then tell of what they half believe, too."""
    start_scores = {}
    if settings.track.start_score is None:
        for name, detector in _detectors(after).items():
            start_scores[name] = detector.min_score
            detector.min_score *= settings.track.weak
    return Track(settings.track, start_scores=start_scores)


def _zones(settings: StageSettings, after: Sequence[Made], *, begin: bool = False) -> Zones:
    if settings.model is None:
        raise SettingsError("the stage zones needs the file of its zones and lines: zones=FILE.toml.")
    known = {label for one in _detectors(after).values() for label in one.model.contract.labels}
    zones = FileZones(Path(settings.model), labels=known, begin=begin)
    if not Path(settings.model).exists():
        _log.warning("%s is not there yet: draw its first zone or line in the dashboard.", settings.model)
    return zones


def _recognize(settings: StageSettings, _after: Sequence[Made]) -> Recognize:
    """Make the stage that names faces; its gallery is made where there is none, so that people can be enrolled."""
    asked = settings.recognize
    place = gallery_place(
        None if settings.model is None else Path(settings.model),
        None if asked.key is None else Path(asked.key),
    )
    return Recognize(load_recognizer(place, create=True, min_margin=asked.min_margin), asked)


FOLLOWERS: Mapping[str, Callable[[StageSettings, Sequence[Made]], Made]] = {
    "track": _track,
    "recognize": _recognize,
    "privacy": lambda settings, _after: Privacy(settings.privacy),
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
    return Every(stage, settings.every) if settings.every and isinstance(stage, Detect) else stage


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
            steps = _make_stages(stages, stack, editor=any(map(_edits_zones, given)))
            _refuse_twins(steps)
            check_order(steps)
            camera = stack.enter_context(open(source)) if isinstance(source, str) else source
            outputs = [
                unused.enter_context(make_sink(sink)) if isinstance(sink, str) else sink for sink in given
            ]
            _offer(steps, outputs)
            for output in outputs:
                on_sink(output)
            unused.pop_all()
        yield from pipeline.run(camera, steps, outputs, frames=frames, seconds=seconds)


def _make_stages(stages: Iterable[Stage | str], stack: ExitStack, *, editor: bool) -> list[Stage]:
    """Return `stages`, those that are given by name made, and closed with `stack`.

    Where there is an `editor`, zones may begin in a file that is not there yet.
    """
    steps: list[Stage] = []
    made: list[Made] = []
    for given in stages:
        if isinstance(given, str):
            settings = parse_stage(given)
            drawn = editor and settings.name == "zones"
            made.append(_zones(settings, made, begin=True) if drawn else make_stage(given, after=made))
            stack.enter_context(made[-1])
        steps.append(made[-1] if isinstance(given, str) else given)
    return steps


def _edits_zones(sink: Sink | str) -> bool:
    return sink.startswith("web:") if isinstance(sink, str) else hasattr(sink, "zones")


def _offer(stages: list[Stage], sinks: list[Sink]) -> None:
    """Let the sinks that can, which is the dashboard, show and change the zones, the people and what enhances."""
    private = any(isinstance(stage, Privacy) for stage in stages)
    for sink in sinks:
        if hasattr(sink, "enhance"):
            sink.enhance = tuple(stage for stage in stages if isinstance(stage, Enhance))
        for stage in stages:
            if isinstance(stage, FileZones) and hasattr(sink, "zones"):
                sink.zones = stage
            if isinstance(stage, Recognize) and hasattr(sink, "show_people"):
                sink.show_people(stage, private=private)


def _refuse_twins(stages: list[Stage]) -> None:
    """Results are kept by stage name: of two stages with one name the first would be lost."""
    names = [stage.name for stage in stages]
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise SettingsError(
            f"two stages are called '{twins[0]}'; results are kept by name, so name each once."
        )
