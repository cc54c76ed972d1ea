"""The composition root: names and settings in, working objects out. The only place that chooses."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from vedette import pipeline
from vedette.contract import open_model_file
from vedette.engines.litert import LiteRTEngine
from vedette.errors import SettingsError, unknown_name
from vedette.models.face import FaceDetector
from vedette.settings import StageSettings, parse_stage
from vedette.sinks.uri import open_sink
from vedette.sources.live import Live, open_live
from vedette.stages.detect import Detect
from vedette.types import Results, Sink, Source, Stage, TensorSpec
from vedette.zoo import find

__all__ = ["STAGES", "inspect", "load", "make_sink", "make_stage", "open", "run"]


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
) -> FaceDetector:
    """Load a bundled model by name, or a model file by path.

    Args:
        model: a name that `vedette models` lists, or the path of a `.tflite` made by `vedette convert`.
        min_score: 0..1; the threshold that the model was tuned for when not given.
        threads: 1..usable cores; the free cores when not given.

    Raises:
        SettingsError: no bundled model has that name.
        ModelError: the file is missing, damaged, or not what its contract says.
        MissingDependencyError: no TFLite runtime is installed.
    """
    file = open_model_file(find(model))
    engine = LiteRTEngine(file.data, label=str(file.path), threads=threads)
    try:
        return FaceDetector(engine, file, min_score=min_score)
    except BaseException:
        engine.close()
        raise


def _faces(settings: StageSettings) -> Detect:
    model = settings.model or "face-detector"
    return Detect(settings.name, load(model, min_score=settings.min_score, threads=settings.threads))


STAGES: Mapping[str, Callable[[StageSettings], Detect]] = {"faces": _faces}
"""Stage name -> what makes the stage."""


def make_stage(text: str) -> Detect:
    """Make a stage from ``name[=model][?option=value]``. Close it after use.

    Raises:
        SettingsError: the stage or an option is unknown; the nearest is named.
        ModelError: its model cannot be loaded.
    """
    settings = parse_stage(text)
    if settings.name not in STAGES:
        raise unknown_name("stage", settings.name, STAGES)
    return STAGES[settings.name](settings)


def inspect(model: str | Path) -> dict[str, Any]:
    """Return what a model file is, expects and returns, and whether its golden sample still holds, for JSON.

    Raises:
        ModelError: the file is missing, damaged, or not what its contract says.
    """
    with load(model) as detector:
        file, engine = detector.model, detector.engine
        contract = file.contract
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
            "golden": detector.replay_golden(),
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
        steps = [stack.enter_context(make_stage(s)) if isinstance(s, str) else s for s in stages]
        _refuse_twins(steps)
        camera = stack.enter_context(open(source)) if isinstance(source, str) else source
        with (
            ExitStack() as unused
        ):  # once the pipeline runs, each sink belongs to the thread that writes to it
            outputs = [
                unused.enter_context(make_sink(sink)) if isinstance(sink, str) else sink for sink in sinks
            ]
            for output in outputs:
                on_sink(output)
            unused.pop_all()
        yield from pipeline.run(camera, steps, outputs, frames=frames, seconds=seconds)


def _refuse_twins(stages: list[Stage]) -> None:
    """Results are kept by stage name: of two stages with one name the first would be lost."""
    names = [stage.name for stage in stages]
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise SettingsError(
            f"two stages are called '{twins[0]}'; results are kept by name, so name each once."
        )
