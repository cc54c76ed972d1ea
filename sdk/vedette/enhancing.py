"""Enhance files: pictures, videos, folders of both; again from where it was cut off."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.errors import SettingsError, SinkError, SourceError, SourceLost
from vedette.models.enhance import Enhancer
from vedette.sinks.files import check_folder, sink_error, write_atomic
from vedette.sinks.sound import add_sound
from vedette.sinks.stored import WRITABLE, encode_stored
from vedette.sinks.video import CODECS, VideoSink
from vedette.sources.images import EXTENSIONS, looks_like_image, read_image
from vedette.sources.stored import read_stored
from vedette.sources.video import VideoFile
from vedette.stages.steady import SteadyCurves, steadied
from vedette.types import Results

__all__ = ["JOURNAL", "Done", "Job", "Journal", "Look", "enhance_file", "plan_jobs"]

JOURNAL = ".vedette-enhance.jsonl"
"""Name of the file in which a folder's finished work is noted."""

UNFINISHED = ".enhanced"
"""Of a video in place the end of its result's name until it is whole: ``clip.enhanced.mp4`` beside ``clip.mp4``."""

MARKED = 127
"""A mask marks what is brighter."""

Tell: TypeAlias = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Job:
    """A file, and where its enhanced form goes; the same place where it replaces the file."""

    source: Path
    target: Path

    @property
    def in_place(self) -> bool:
        """Whether the file itself is replaced."""
        return self.source == self.target


@dataclass(frozen=True, slots=True)
class Look:
    """What is made of the files.

    Attributes:
        compare: put the original beside each result.
        quality: of JPEG and WebP, 1..100.
        mask: a picture, bright where something is missing: only that is made up. Or a folder of such, one for each
            file, with its name before the dot.
    """

    compare: bool = False
    quality: int = 95
    mask: Path | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a file: where it lies, its width and height, and what it did not keep, in sentences."""

    target: Path
    size_wh: tuple[int, int]
    notes: tuple[str, ...] = ()


def plan_jobs(source: Path, target: str | Path | None, *, in_place: bool = False) -> list[Job]:
    """Return what is to be done for a file or a folder, in which the folders below are mirrored.

    Args:
        source: a picture, a video or a folder. Of a folder, names decide; hidden files are left out.
        target: a file, or a folder: one that is there, or a text that ends in a slash; None with `in_place`.
        in_place: replace the files themselves.

    Raises:
        SettingsError: neither or both are given; something would be written over what is read.
        SourceError: there is no such file, or nothing in the folder.
    """
    if in_place == (target is not None):
        raise SettingsError("name where the result goes, or give --in-place and no second name.")
    if not source.exists():
        raise SourceError(f"there is no file or folder {source}; check the path.")
    into = str(target).endswith(os.sep) or (target is not None and Path(target).is_dir())
    target = None if target is None else Path(target)
    if source.is_dir():
        jobs = [_mirrored(file, source, target or source) for file in _files(source, target)]
        if not jobs:
            raise SourceError(f"no picture and no video is in the folder {source} or below it.")
    else:
        jobs = [Job(source, source if target is None else target / source.name if into else target)]
    return jobs if in_place else _without_harm(jobs)


def _files(folder: Path, target: Path | None) -> Iterator[Path]:
    """Yield the pictures and videos of a folder and those below; what lies in `target` is none of the input."""
    root, apart = folder.resolve(), None if target is None else target.resolve()
    within = apart is not None and apart != root and apart.is_relative_to(root)
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        inside = within and apart is not None and path.resolve().is_relative_to(apart)
        ours = path.stem.endswith(UNFINISHED) and path.with_stem(path.stem.removesuffix(UNFINISHED)).exists()
        if (
            path.suffix.lower() in EXTENSIONS | CODECS.keys()
            and path.is_file()
            and not (hidden or inside or ours)
        ):
            yield path


def _mirrored(file: Path, folder: Path, target: Path) -> Job:
    place = target / file.relative_to(folder)
    if place.suffix.lower() in WRITABLE | CODECS.keys() or target == folder:
        return Job(file, place)
    return Job(file, place.with_name(f"{place.name}.png"))


def _without_harm(jobs: list[Job]) -> list[Job]:
    """Refuse jobs that write over what is read, or twice at one place."""
    sources = {job.source.resolve() for job in jobs}
    targets: set[Path] = set()
    for job in jobs:
        place = job.target.resolve()
        if place in sources or (place.exists() and place.samefile(job.source)):
            raise SettingsError(
                f"{job.target} is read, and would be written over; name another place, or give --in-place."
            )
        if place in targets:
            raise SettingsError(f"two files would become {job.target}; rename one.")
        targets.add(place)
    return jobs


class Journal:
    """What of a folder is done, noted in a file in it, so that work that was cut off goes on where it was.

    A result counts as done if it is the one that was noted, made by the same models of the file as it is now. A journal
    of other models or another look begins anew.

    Args:
        folder: where the results are; made where it is missing.
        enhancer: its models.
        look: of the results.

    Raises:
        SinkError: it cannot be written.
    """

    def __init__(self, folder: Path, enhancer: Enhancer, look: Look) -> None:
        self._folder, self._path = folder, folder / JOURNAL
        chain = {
            "models": [info.sha256 for info in enhancer.infos],
            "compare": look.compare,
            "quality": look.quality,
            **({} if look.mask is None else {"mask": str(look.mask)}),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        except (OSError, UnicodeDecodeError) as error:
            raise SinkError(f"cannot use {self._path}: {error}; delete it to begin anew") from error
        rows = [row for line in lines if (row := _row(line)) is not None]
        same = bool(rows) and rows[0].get("chain") == chain
        self._done = {str(row["file"]): row for row in rows if "file" in row} if same else {}
        if not same:
            write_atomic(self._path, f"{json.dumps({'chain': chain})}\n".encode())

    def has(self, job: Job) -> bool:
        """Return whether `job` is done."""
        row = self._done.get(self._key(job))
        if (
            row is None
            or not job.target.is_file()
            or (not job.in_place and row["source"] != _stamp(job.source))
        ):
            return False
        with job.target.open("rb") as file:
            return bool(hashlib.file_digest(file, "sha256").hexdigest() == row["sha256"])

    def note(self, job: Job, sha256: str) -> None:
        """Note that the result of `job` is, or is about to be, the one with this hash.

        Raises:
            SinkError: it cannot be written.
        """
        row = {"file": self._key(job), "source": _stamp(job.source), "sha256": sha256}
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(row)}\n")
        except OSError as error:
            raise sink_error(self._path, error) from error
        self._done[self._key(job)] = row

    def _key(self, job: Job) -> str:
        return str(job.target.relative_to(self._folder))


def _row(line: str) -> dict[str, Any] | None:
    """Return a line of a journal; None for one that was cut off."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def enhance_file(
    enhancer: Enhancer,
    job: Job,
    look: Look,
    *,
    note: Callable[[str], object] = lambda _sha256: None,
    tell: Tell = lambda _text: None,
) -> Done:
    """Enhance one picture or video; its result is whole or not there.

    Args:
        enhancer: the models.
        job: which file, and where to.
        look: of the result.
        note: told the result's SHA-256 before it replaces anything.
        tell: told how far it is, in words.

    Raises:
        SourceError: it cannot be read. Of a video that breaks off, what was done lies at the target, playable; `job`
            in place leaves the file as it was, and says where the result lies.
        SettingsError: the target is of a kind that is not written.
        SinkError: it cannot be written.
        EngineError: a model failed while running.
    """
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise sink_error(job.target, error) from error
    check_folder(job.target)
    work = _picture if looks_like_image(job.source) else _video
    return work(enhancer, job, look, note, tell)


def _picture(enhancer: Enhancer, job: Job, look: Look, note: Callable[[str], object], tell: Tell) -> Done:
    if job.target.suffix.lower() not in WRITABLE:
        raise SettingsError(
            f"cannot write {job.target}: a picture's name ends in one of {', '.join(sorted(WRITABLE))}"
        )
    stored = read_stored(job.source)
    enhancer.begin()
    how_far = partial(_share, tell)
    if look.mask is None:
        made = enhancer.enhance_any(stored.pixels, tell=how_far)
    else:
        made = enhancer.inpaint(
            stored.pixels, _mask_of(job.source, look.mask, stored.pixels.shape), tell=how_far
        )
    if look.compare:
        made = _beside(stored.pixels, made)
    data, lost = encode_stored(made, job.target, quality=look.quality)
    note(hashlib.sha256(data).hexdigest())
    write_atomic(job.target, data)
    return Done(job.target, (made.shape[1], made.shape[0]), stored.notes + lost)


def _share(tell: Tell, done: float) -> None:
    tell(f"{done:.0%}")


def _mask_of(source: Path, mask: Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return (H, W) where something is missing in the picture `source`.

    Raises:
        SourceError: there is no mask, it cannot be read, is of another size, or marks all or nothing.
    """
    path = mask
    if mask.is_dir():
        found = sorted(
            p for p in mask.glob(f"{glob.escape(source.stem)}.*") if p.suffix.lower() in EXTENSIONS
        )
        if not found:
            raise SourceError(
                f"the folder {mask} has no mask for {source.name}; put {source.stem}.png there."
            )
        path = found[0]
    marked: NDArray[np.bool_] = np.asarray(read_image(path).max(axis=2) > MARKED)
    if marked.shape != shape[:2]:
        raise SourceError(
            f"the mask {path} has {marked.shape[1]}x{marked.shape[0]} px, {source.name} {shape[1]}x{shape[0]}; make "
            "them alike."
        )
    if marked.all() or not marked.any():
        which = "everything" if marked.all() else "nothing"
        raise SourceError(f"the mask {path} marks {which}; white is what is to be made up, black what stays.")
    return marked


def _video(enhancer: Enhancer, job: Job, look: Look, note: Callable[[str], object], tell: Tell) -> Done:
    if look.mask is not None:
        raise SettingsError(f"{job.source} is a video; a mask is for pictures.")
    target = job.target.with_stem(f"{job.target.stem}{UNFINISHED}") if job.in_place else job.target
    broken: SourceLost | None = None
    enhancer.begin()
    moving = steadied(enhancer)
    steady = [step for step in moving.steps if isinstance(step, SteadyCurves)]
    with VideoFile(job.source) as source, VideoSink(target) as sink:
        count, size_wh = 0, (0, 0)
        try:
            while (frame := source.read()) is not None:
                for step in steady:
                    step.time_ns = frame.time_ns
                made = moving.enhance(frame.image)
                if look.compare:
                    made = _beside(frame.image, made)
                sink.write(Results(replace(frame, image=made)))
                count, size_wh = count + 1, (made.shape[1], made.shape[0])
                tell(f"frame {count}")
        except SourceLost as error:
            broken = error
    lost = add_sound(target, job.source)
    if broken is not None:
        raise SourceLost(f"{broken} What was done before, {count} frames, is in {target}.") from broken
    with target.open("rb") as file:
        note(hashlib.file_digest(file, "sha256").hexdigest())
    if job.in_place:
        try:
            target.replace(job.target)
        except OSError as error:
            raise sink_error(job.target, error) from error
    return Done(job.target, size_wh, lost)


def _beside(before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
    """Return both in one picture, the original at the left, as large as the result."""
    size_wh = (after.shape[1], after.shape[0])
    if before.shape[:2] != after.shape[:2]:
        before = np.asarray(cv2.resize(before, size_wh, interpolation=cv2.INTER_CUBIC))
    return np.concatenate((before, after), axis=1)
