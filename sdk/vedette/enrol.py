"""Enrol people from pictures: a folder for each person, or somebody who sits before a camera."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vedette.errors import FaceRefused, GalleryError, SourceError
from vedette.gallery.rules import kept_source
from vedette.gallery.values import Flag, Sample, check_name, name_key
from vedette.models.recognize import FaceRecognizer
from vedette.sources.images import find_images, read_image
from vedette.types import Source

__all__ = [
    "Enrolled",
    "PersonPictures",
    "Skipped",
    "enrol_people",
    "people_in",
    "samples_from",
]

_PAUSE_S = 0.4
"""Between two pictures of one person from a camera: neighbours in time tell nothing new."""


@dataclass(frozen=True, slots=True)
class PersonPictures:
    """Somebody to enrol, and from what: the source by which a picture is remembered, and its file."""

    name: str
    files: tuple[tuple[str, Path], ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A picture that was not enrolled, and why.

    Attributes:
        source: of the picture; the person's name where none of theirs was looked at.
        reasons: words of `Refusal.reason`, "unreadable", "no_picture" or "name".
        message: says it to a person.
    """

    source: str
    reasons: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of one person: pictures enrolled now, already there from before, skipped; and what looks wrong."""

    name: str
    added: int
    already: int
    skipped: tuple[Skipped, ...]
    flags: tuple[Flag, ...]


def people_in(folder: Path) -> tuple[PersonPictures, ...]:
    """Return the people of a folder that holds one folder of pictures for each, named as the person, by name.

    Folders without pictures are there, with none.

    Raises:
        SourceError: `folder` is missing, cannot be listed, or holds no folder.
    """
    try:
        names = sorted(one.name for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    except OSError as error:
        raise SourceError(
            f"cannot list {folder}: {error.strerror}; give a folder of folders, one a person."
        ) from error
    if not names:
        raise SourceError(
            f"{folder} holds no folder; put each person's pictures into a folder of their name."
        )
    return tuple(
        PersonPictures(name, tuple((f"{name}/{path.name}", path) for path in _pictures(folder / name)))
        for name in names
    )


def enrol_people(
    recognizer: FaceRecognizer, people: Iterable[PersonPictures], *, keep_pictures: bool = False
) -> Iterator[Enrolled]:
    """Enrol each of `people` and yield what became of them, one after the other.

    All new pictures of a person are written at once, so whoever ends this at any time leaves nobody half enrolled. A
    picture that a person has by its source is not looked at again: the same call goes on where it was cut off.

    Raises:
        GalleryError: the gallery cannot be read or written; who was yielded before stays enrolled.
        EngineError: a model failed while running.
    """
    known = {name_key(person.name): person.name for person in recognizer.gallery.people()}
    for person in people:
        try:
            clean = check_name(person.name)
        except GalleryError as error:
            yield Enrolled(person.name, 0, 0, (Skipped(person.name, ("name",), str(error)),), ())
            continue
        name = known.get(name_key(clean), clean)
        there = _sources(recognizer, name) if name_key(name) in known else frozenset[str]()
        done = _enrol(recognizer, name, person.files, there=there, keep_pictures=keep_pictures)
        if done.added:
            known[name_key(name)] = name
        yield done


def _enrol(
    recognizer: FaceRecognizer,
    name: str,
    files: Sequence[tuple[str, Path]],
    *,
    there: frozenset[str],
    keep_pictures: bool,
) -> Enrolled:
    samples: list[Sample] = []
    skipped: list[Skipped] = []
    for source, path in files:
        if kept_source(source) in there:
            continue
        try:
            samples.append(recognizer.sample(read_image(path), source=source, keep_picture=keep_pictures))
        except FaceRefused as error:
            skipped.append(Skipped(source, error.reasons, str(error)))
        except SourceError as error:
            skipped.append(Skipped(source, ("unreadable",), str(error)))
    flags = recognizer.gallery.enrol(name, samples).flags if samples else ()
    already = sum(kept_source(source) in there for source, _ in files)
    if not files:
        skipped.append(Skipped(name, ("no_picture",), f"{name}: there is no picture in the folder"))
    return Enrolled(name, len(samples), already, tuple(skipped), flags)


def samples_from(
    source: Source,
    recognizer: FaceRecognizer,
    *,
    count: int,
    seconds: float,
    keep_pictures: bool = False,
    tell: Callable[[str], None] = lambda _text: None,
) -> tuple[Sample, ...]:
    """Return up to `count` good looks at the one person before an open `source`, some time apart.

    Args:
        source: read until there are enough, it ends, or `seconds` of its own time have passed.
        recognizer: measures and embeds; nothing is enrolled.
        count: how many, at least 1.
        seconds: the longest time.
        keep_pictures: see `FaceRecognizer.sample`.
        tell: is told of each frame: how many there are, or what to mend.

    Raises:
        FaceRefused: not one good face was seen; says what was most often in the way.
        SourceError: the source stopped delivering.
    """
    samples: list[Sample] = []
    refused: Counter[FaceRefused] = Counter()
    words: dict[tuple[str, ...], FaceRefused] = {}
    begun_ns: int | None = None
    last_ns: int | None = None
    while len(samples) < count and (frame := source.read()) is not None:
        begun_ns = frame.time_ns if begun_ns is None else begun_ns
        if frame.time_ns - begun_ns > seconds * 1e9:
            break
        if last_ns is not None and frame.time_ns - last_ns < _PAUSE_S * 1e9:
            continue
        try:
            samples.append(recognizer.sample(frame.image, source=frame.source, keep_picture=keep_pictures))
        except FaceRefused as error:
            refused[words.setdefault(error.reasons, error)] += 1
            tell(str(error))
        else:
            last_ns = frame.time_ns
            tell(f"{len(samples)} of {count}")
    if not samples:
        raise (
            refused.most_common(1)[0][0]
            if refused
            else FaceRefused(f"{source.name}: no picture came", ("no_face",))
        )
    return tuple(samples)


def _pictures(folder: Path) -> tuple[Path, ...]:
    try:
        return find_images(str(folder))
    except SourceError:
        return ()


def _sources(recognizer: FaceRecognizer, name: str) -> frozenset[str]:
    return frozenset(template.source for template in recognizer.gallery.templates(name))
