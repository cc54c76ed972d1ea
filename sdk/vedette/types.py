"""The values that everything passes around, and the protocols that adapters keep.

All values are frozen; a step returns a new one. Coordinates are pixels of the frame's picture, origin top left, x to
the right, y down; a box is ``x1, y1, x2, y2``. Times are nanoseconds.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType, TracebackType
from typing import Any, Literal, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vedette.errors import MissingDependencyError

__all__ = [
    "FACE_POINTS",
    "Closing",
    "Detections",
    "Engine",
    "Enhancement",
    "Faces",
    "Frame",
    "IdentifiedFaces",
    "Image",
    "ModelInfo",
    "Results",
    "Sink",
    "Source",
    "Stage",
    "Tensor",
    "TensorSpec",
    "ZoneCount",
    "ZoneEvent",
]

Image: TypeAlias = NDArray[np.uint8]
"""A picture: (H, W, 3) uint8, RGB, upright."""

FACE_POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
"""Order of a face's landmarks; left and right as seen in the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture from a source.

    Attributes:
        image: (H, W, 3) uint8 RGB. Not to be written to: others hold the same array.
        index: count of frames as captured, from 0; a gap means that frames were dropped.
        time_ns: when the scene was seen, strictly increasing within a source. For live sources the monotonic clock at
            capture; for files the media time from the beginning.
        captured_ns: monotonic clock when the picture entered this process. Age is measured from here.
        source: name of the source, as the user would recognise it.
        ahead: what a stage prepared of `image` while the frame waited; of no meaning to anybody else.
    """

    image: Image
    index: int
    time_ns: int
    captured_ns: int
    source: str
    ahead: object = None

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.shape[1], self.image.shape[0]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What was found in one frame, as columns of equal length n; n = 0 keeps shapes and dtypes.

    Attributes:
        xyxy: (n, 4) float32, pixels, inside the picture.
        score: (n,) float32, 0..1, descending.
        class_id: (n,) int32, index into `labels`.
        track_id: (n,) int32, -1 where there is none (yet).
        labels: names of the classes.
        predicted: (n,) bool, True where nothing was seen in this frame and a tracker says where it should be. One
            value may be given for all.
    """

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    class_id: NDArray[np.int32]
    track_id: NDArray[np.int32]
    labels: tuple[str, ...]
    predicted: NDArray[np.bool_] = field(kw_only=True, default_factory=lambda: np.zeros((), bool))

    def __post_init__(self) -> None:
        n = len(self.score)
        if not self.predicted.ndim:
            object.__setattr__(self, "predicted", np.full(n, self.predicted))
        for name in ("xyxy", "class_id", "track_id", "predicted"):
            if len(getattr(self, name)) != n:
                raise ValueError(f"Detections.{name} has {len(getattr(self, name))} rows, score has {n}")

    @classmethod
    def of(
        cls,
        xyxy: NDArray[np.float32],
        score: NDArray[np.float32],
        class_id: NDArray[np.int32],
        *,
        labels: Sequence[str],
    ) -> Detections:
        """Return detections without tracks."""
        return Detections(xyxy, score, class_id, np.full(len(score), -1, np.int32), tuple(labels))

    @classmethod
    def empty(cls, labels: Sequence[str] = ()) -> Detections:
        """Return no detections at all."""
        none = np.zeros(0, np.float32)
        return Detections.of(none.reshape(0, 4), none, none.astype(np.int32), labels=labels)

    def __len__(self) -> int:
        return len(self.score)

    @property
    def names(self) -> list[str]:
        """The class of each row by name; its number where the labels do not reach so far."""
        known = len(self.labels)
        return [self.labels[k] if 0 <= k < known else str(k) for k in self.class_id.tolist()]

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Return some of the rows, by index or mask, with all their columns."""
        columns = [f.name for f in fields(self) if f.name != "labels"]
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def to_supervision(self) -> Any:
        """Return the same as `supervision.Detections`, for its annotators, zones and metrics.

        Class names are in its data as ``class_name``, `predicted` and a face's `landmarks` too. Its `tracker_id` is
        None where nothing has a track, and -1 for single things that have none yet.

        Raises:
            MissingDependencyError: the package `supervision` is not installed.
        """
        try:
            supervision = importlib.import_module("supervision")
        except ImportError as error:
            raise MissingDependencyError(
                "to_supervision() needs the package supervision, which is not installed: pip install supervision"
            ) from error
        columns = {
            f.name: getattr(self, f.name) for f in fields(self) if f.name in ("predicted", "landmarks")
        }
        return supervision.Detections(
            xyxy=self.xyxy,
            confidence=self.score,
            class_id=self.class_id.astype(int),
            tracker_id=self.track_id.astype(int) if (self.track_id >= 0).any() else None,
            data={"class_name": np.array(self.names, dtype=str), **columns},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Faces(Detections):
    """Faces: detections with five landmarks each.

    Attributes:
        landmarks: (n, 5, 2) float32, pixels, in the order of `FACE_POINTS`; may lie outside the picture. Models that
            know the middle of the mouth alone (BlazeFace) give it for both corners.
    """

    landmarks: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 5, 2), np.float32))

    def __post_init__(self) -> None:
        Detections.__post_init__(self)
        if self.landmarks.shape != (len(self.score), 5, 2):
            raise ValueError(f"Faces.landmarks is {self.landmarks.shape}, expected ({len(self.score)}, 5, 2)")


@dataclass(frozen=True, slots=True, eq=False)
class IdentifiedFaces(Faces):
    """Faces, and who they are by what was seen of them so far.

    Attributes:
        person: (n,) str, the names; "" where nobody is named.
        person_id: (n,) int64, as in the gallery; -1 where nobody is named.
        certainty: (n,) float32, 0..1: share of the evidence that speaks for `identity`; 0 while undecided.
        similarity: (n,) float32, -1..1: cosine with the most similar template at the last look; NaN before the first.
        decided: (n,) bool, False while too little was seen to say "unknown" or a name.
        challenge: (n,) str, what the person is asked to do, "left", "right" or "front", or how that ended, "passed" or
            "failed"; "" where nothing is asked. One value may be given for all.
    """

    person: NDArray[np.str_] = field(default_factory=lambda: np.zeros(0, np.str_))
    person_id: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    certainty: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    similarity: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    decided: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    challenge: NDArray[np.str_] = field(default_factory=lambda: np.array("", np.str_))

    def __post_init__(self) -> None:
        Faces.__post_init__(self)
        if not self.challenge.ndim:
            object.__setattr__(self, "challenge", np.full(len(self.score), self.challenge))
        for name in ("person", "person_id", "certainty", "similarity", "decided", "challenge"):
            if getattr(self, name).shape != self.score.shape:
                raise ValueError(f"IdentifiedFaces.{name} has not one value a face")

    @property
    def identity(self) -> tuple[Literal["known", "unknown", "undecided"], ...]:
        """What is known of each row."""
        rows = zip(self.decided.tolist(), self.person_id.tolist(), strict=True)
        return tuple("undecided" if not sure else "known" if who >= 0 else "unknown" for sure, who in rows)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model produced something: its name, version, file hash, and the engine that ran it."""

    name: str
    version: str
    sha256: str
    engine: str


@dataclass(frozen=True, slots=True)
class ZoneEvent:
    """Something that happened at a zone or a line.

    Attributes:
        kind: "enter", "leave" or "dwell" at a zone; "in" or "out" at a line.
        zone: name of the zone or line.
        stage: the stage whose detection it was.
        track_id: of the thing.
        label: name of its class.
        time_ns: when it happened, on the frames' clock. It is told as much later as it took to be sure.
        dwell_s: seconds in the zone so far; 0 at a line.
    """

    kind: Literal["enter", "leave", "dwell", "in", "out"]
    zone: str
    stage: str
    track_id: int
    label: str
    time_ns: int
    dwell_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ZoneCount:
    """A zone or a line, and what it has counted since the run began.

    Attributes:
        name: of the zone or line.
        points: corners of the zone in order, or the two ends of the line: x, y in parts of the picture's width and
            height, 0..1.
        counts: of a zone "inside" (now), "entered", "left"; of a line "in" and "out".
    """

    name: str
    points: tuple[tuple[float, float], ...]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Enhancement:
    """What a stage did to the picture.

    Attributes:
        models: names of those that ran on this frame.
        resolution: 0..1, part of the picture's width and height that they worked at; 0 where none ran.
        state: "full"; "reduced" or "aside" where the budget allows no more; "off" where nothing was asked for.
        before: the picture as it came, (H, W, 3) uint8 RGB.
        levels: mean luminance 0..255 and noise in grey levels that models were switched by; None where they are not.
    """

    models: tuple[str, ...]
    resolution: float
    state: Literal["full", "reduced", "aside", "off"]
    before: Image
    levels: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """A frame and all that the stages found in it.

    Attributes:
        frame: the frame that every later stage and sink sees.
        found: detections by stage name, in the order of the stages. A stage that did not look at this frame is absent;
            one that looked and found nothing is there, empty.
        models: the model behind each stage that has one.
        timings_ns: time spent in each stage.
        done_ns: monotonic clock when the last stage ended, 0 before that.
        drops: frames lost so far, by cause.
        zones: zones and lines with their counts.
        events: what happened at them in this frame.
        blurred: whether a stage has hidden faces in the frame: nobody is to be enrolled from it.
        enhanced: what was done to the picture, by stage name.
    """

    frame: Frame
    found: Mapping[str, Detections] = field(default_factory=lambda: MappingProxyType({}))
    models: Mapping[str, ModelInfo] = field(default_factory=lambda: MappingProxyType({}))
    timings_ns: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    done_ns: int = 0
    drops: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    zones: tuple[ZoneCount, ...] = ()
    events: tuple[ZoneEvent, ...] = ()
    blurred: bool = False
    enhanced: Mapping[str, Enhancement] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def age_ms(self) -> float:
        """Milliseconds from capture to the end of the last stage."""
        return max(0, self.done_ns - self.frame.captured_ns) / 1e6


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A model's input or output: name, shape (0 = dynamic), dtype, and quantization (scale 0 = not quantized)."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor's raw values; real = (data - zero_point) * scale where scale > 0, else real = data."""

    name: str
    data: NDArray[np.generic]
    scale: float
    zero_point: int


class Closing(Protocol):
    """What is opened is closed by `with`. Adapters that subclass it write `close` alone."""

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


@runtime_checkable
class Source(Closing, Protocol):
    """Where frames come from.

    Attributes:
        name: what the user called it.
        live: True where the world does not wait (camera, stream): old frames lose their worth. False for files.
    """

    name: str
    live: bool

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end (files only).

        Raises:
            SourceLost: it stopped delivering; bounded in time by the source's own `timeout_s`.
        """
        ...


@runtime_checkable
class Engine(Closing, Protocol):
    """An interpreter holding one model. Safe to call from several threads."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(
        self,
        fill: Callable[[Sequence[NDArray[np.generic]]], None],
        *,
        size_wh: tuple[int, int] | None = None,
    ) -> tuple[Tensor, ...]:
        """Let `fill` write into the input buffers, invoke, and return copies of the outputs in `outputs` order.

        Args:
            fill: what writes the inputs.
            size_wh: what width and height the input is to have, of a model that takes any.

        Raises:
            EngineError: the invocation failed, or the model does not take that size.
        """
        ...


class Stage(Protocol):
    """A step of the pipeline: results in, new results out.

    The first stage may also have `prepare`, which the capture thread calls with each frame as it comes, while the
    stage may be busy with the one before; what it returns is in the frame's `ahead` when the stage gets it.
    """

    name: str

    def __call__(self, results: Results) -> Results: ...


@runtime_checkable
class Sink(Closing, Protocol):
    """Where results go. `write` and `close` are called from one thread of the sink's own.

    A sink may also have `newest_only` = True (of live results it wants the newest, no queue), `url` (where a person
    can look at it), `zones` (set by a run that has a `vedette.stages.zone_file.FileZones`), `enhance` (set by a run to
    the tuple of its `vedette.stages.enhance.Enhance`), `show_people` (called by a run that names faces, with its
    `vedette.stages.recognize.Recognize`) and `reader_gone` (True once nobody reads it any more; the run then ends).
    """

    name: str

    def write(self, results: Results) -> None:
        """Take one result. Raises SinkError when it cannot."""
        ...
