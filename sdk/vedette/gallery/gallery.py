"""People who agreed to be recognised: enrol, identify, calibrate, erase."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vedette.errors import GalleryError
from vedette.gallery.calibrate import Calibration, ImpostorScores, inputs_of, pack, unpack
from vedette.gallery.flags import calibrate_for, find_flags, flags_of
from vedette.gallery.index import LOWEST, Index, Snapshot
from vedette.gallery.rows import Rows
from vedette.gallery.rules import check_samples, decide
from vedette.gallery.seal import KeyOrNone
from vedette.gallery.store import Store
from vedette.gallery.values import (
    Attempt,
    Decision,
    EmbeddingModel,
    Enrolment,
    Flag,
    Person,
    Sample,
    TemplateInfo,
    check_embeddings,
    check_name,
    new_id,
)
from vedette.types import Closing

__all__ = ["Gallery"]


class Gallery(Closing):
    """One file of people and their embeddings, sealed with a key. Safe for several threads and several processes.

    What another process changes is seen at the next call. Nobody is ever enrolled but by `enrol`.

    Args:
        path: the file, made if it is not there; its folder must exist.
        key: opens it, or seals a new one; `UNENCRYPTED` to have it readable by whoever holds the file.
        model: whose embeddings it holds; one made with another model is refused.
        timeout_s: how long to wait for another process that writes.
        now_ns: the wall clock, Unix time. Nothing is decided by it: it may jump.

    Raises:
        GalleryKeyError: the key is another one, or missing.
        GalleryError: the file is damaged, cannot be opened, or was made with another model.
    """

    def __init__(
        self,
        path: Path,
        *,
        key: KeyOrNone,
        model: EmbeddingModel,
        timeout_s: float = 5.0,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.path, self.model, self._now_ns, self._timeout_s = path, model, now_ns, timeout_s
        self._lock = threading.RLock()
        self._index, self._names = Index(model.size), dict[int, str]()
        self._calibration: Calibration | None = None
        self._store = Store(path, timeout_s=timeout_s)
        self._rows = Rows(self._store.db, key, f"the gallery {path}")
        try:
            with self._store.writing():
                self._rows.begin(model)
            self._seen = -1
            if self._refresh():
                self._purge_if_possible()
        except BaseException:
            self._store.close()
            raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._store.close()

    def reopen(self) -> Gallery:
        """Return another connection to the same file: who waits for the disk there holds up nobody here. Close both.

        Raises:
            GalleryError: as when it was opened.
        """
        with self._lock:
            key = self._rows.key
        return Gallery(self.path, key=key, model=self.model, timeout_s=self._timeout_s, now_ns=self._now_ns)

    # people

    def people(self) -> tuple[Person, ...]:
        """Return everybody enrolled, by name."""
        with self._reading() as now:
            ids, counts = np.unique(now.person, return_counts=True)
            found = [Person(int(i), self._names[int(i)], int(n)) for i, n in zip(ids, counts, strict=True)]
        return tuple(sorted(found, key=lambda person: person.name.casefold()))

    def templates(self, name: str) -> tuple[TemplateInfo, ...]:
        """Return what is kept of a person, the oldest first.

        Raises:
            GalleryError: nobody has that name.
        """
        with self._reading():
            return self._rows.infos(self._find(name))

    def picture(self, template_id: int) -> bytes | None:
        """Return the picture kept with a template, as it was given; None where none was kept."""
        with self._reading():
            return self._rows.picture(template_id)

    def enrol(self, name: str, samples: Sequence[Sample]) -> Enrolment:
        """Add one or more faces to the person called `name`, who is made if there is none: all of them, or nothing.

        The caller has seen to consent and quality. What looks wrong is enrolled all the same and told in `flags`.

        Raises:
            GalleryError: the name or a sample will not do, or the file cannot be written.
        """
        clean, checked = check_name(name), check_samples(samples, self.model.size)
        with self._lock:
            with self._writing():
                found = self._rows.find(clean)
                person_id = new_id() if found is None else found
                if found is None:
                    self._rows.add_person(person_id, clean)
                ids = self._rows.add_templates(person_id, checked, time_ns=self._now_ns())
                self._rows.changed()
            added, matrix = np.array(ids, np.int64), np.stack([sample.embedding for sample in checked])
            self._index.add(added, np.full(len(ids), person_id, np.int64), matrix)
            self._names = {person_id: clean, **self._names}
            now, limits = self._index.snapshot(), {"threshold": self.threshold, "unlike": self._unlike}
            flags = flags_of(now, added, names=self._names, **limits)
        return Enrolment(person_id, found is None, ids, flags)

    def erase(self, name: str) -> int:
        """Erase a person and return how many templates that were.

        Templates, pictures and name go, and their traces in the file and its log.

        Exported archives are yours to delete; they do not bring the person back here unless told to.

        Raises:
            GalleryError: nobody has that name; or the person is erased, but traces remain because the disk is full or
                another process keeps reading (the message says so; `purge` or the next opening ends it).
        """
        with self._lock:
            with self._writing() as now:
                person_id = self._find(name)
                self._rows.remove_person(person_id)
                self._rows.changed(purge=True)
            gone = now.of(person_id).ids
            self._forget(gone)
            self.purge()
        return len(gone)

    def erase_templates(self, template_ids: Sequence[int]) -> None:
        """Erase single templates, such as flagged ones, with their pictures and traces.

        Raises:
            GalleryError: one does not exist, or a person would be left without any (erase the person then).
        """
        gone = np.unique(np.array(template_ids, np.int64))
        with self._lock:
            with self._writing() as now:
                mine = np.isin(now.ids, gone)
                if np.count_nonzero(mine) != len(gone):
                    raise GalleryError("one of the templates does not exist (any more); list them again")
                if not np.isin(now.person[mine], now.person[~mine]).all():
                    raise GalleryError(
                        "a person would be left without templates; erase the person, or enrol pictures first"
                    )
                self._rows.remove_templates(gone.tolist())
                self._rows.changed(purge=True)
            self._forget(gone)
            self.purge()

    def purge(self) -> None:
        """Take away traces of what was erased, where `erase` could not.

        Raises:
            GalleryError: it still cannot; the message says why.
        """
        with self._lock:
            self._store.purge()

    @property
    def purge_pending(self) -> bool:
        """True where somebody was erased whose traces may still be in the file."""
        with self._reading():
            return self._rows.purge_pending()

    def rekey(self, key: KeyOrNone) -> None:
        """Seal everything with another key, in one transaction; the old one opens nothing afterwards.

        Keep both keys until this has returned. It also seals a gallery that was not encrypted so far.

        Raises:
            GalleryError: it cannot be written, and the old key stays; or the new one holds, but traces sealed with the
                old one remain, as with `erase`.
        """
        with self._lock:
            with self._writing():
                renewed = self._rows.rekey(key)
            self._rows = renewed
            self.purge()

    # who is it

    def identify(
        self,
        embeddings: NDArray[np.generic],
        *,
        threshold: float | None = None,
        min_margin: float = 0.0,
    ) -> tuple[Decision, ...]:
        """Return who each of (n, size) embeddings is, or that it is nobody known.

        Args:
            embeddings: unit length.
            threshold: least cosine that names somebody; the gallery's own when not given.
            min_margin: by how much the best person must be ahead of the next.

        Raises:
            GalleryError: the embeddings are not of this model's shape, finite and of unit length.
        """
        queries = check_embeddings(embeddings, self.model.size)
        with self._reading() as now:
            names, needed = self._names, self.threshold if threshold is None else threshold
        person, first, second = now.best_two(queries)
        return tuple(
            decide(int(p), float(a), float(b), threshold=needed, min_margin=min_margin, names=names)
            for p, a, b in zip(person, first, second, strict=True)
        )

    def verify(
        self, name: str, embedding: NDArray[np.generic], *, threshold: float | None = None
    ) -> Decision:
        """Return whether an embedding is of the person called `name`, whoever else it may resemble.

        Raises:
            GalleryError: nobody has that name, or the embedding will not do.
        """
        query = check_embeddings(embedding, self.model.size)[:1]
        with self._reading() as now:
            person_id = self._find(name)
            names, needed = self._names, self.threshold if threshold is None else threshold
        _, first, _ = now.of(person_id).best_two(query)
        score = float(first[0])
        return decide(person_id, score, LOWEST, threshold=needed, min_margin=0.0, names=names)

    # the threshold

    @property
    def threshold(self) -> float:
        """The least cosine that names somebody: the calibrated one, or the model's own before that."""
        calibration = self.calibration()
        return self.model.threshold if calibration is None else calibration.threshold

    @property
    def _unlike(self) -> float:
        """Below it two pictures of one person disagree; a search among many asks for more than a pair does."""
        return min(self.threshold, self.model.threshold)

    def calibrate(self, impostors: ImpostorScores | None = None, *, far: float | None = None) -> Calibration:
        """Set the threshold at which a search takes a stranger for somebody at a rate of at most `far`.

        Args:
            impostors: scores of strangers by the same model; those of the last calibration when not given.
            far: the rate, for one search of the whole gallery; that of the last calibration when not given.

        Raises:
            GalleryError: there are no scores or no rate, they are of another model, or too few to promise that rate.
        """
        with self._lock:
            with self._writing() as now:
                scores, rate = inputs_of(self._rows.read_calibration(), impostors, far, self.model.sha256)
                made = calibrate_for(now, scores, far=rate, revision=self._rows.revision())
                self._rows.write_calibration(pack(made, scores))
            self._calibration = made
        return made

    def keep_calibrated(self) -> Calibration | None:
        """Calibrate again where people or templates came or went since; None where that is not needed.

        More people need a higher threshold for the same rate, so a stale one promises too much.

        Raises:
            GalleryError: the scores behind it are too few for so many; the old threshold stays, and is stale.
        """
        made = self.calibration()
        return self.calibrate() if made is not None and made.stale else None

    def calibration(self) -> Calibration | None:
        """Return the last calibration, `stale` where people or templates came or went since; None before the first."""
        with self._reading():
            made = self._calibration
            return None if made is None else replace(made, stale=made.revision != self._rows.revision())

    def flags(self) -> tuple[Flag, ...]:
        """Return all templates that contradict their names: unlike their person's others, or like somebody else's."""
        with self._reading() as now:
            names, threshold, unlike = self._names, self.threshold, self._unlike
        return find_flags(now, names=names, threshold=threshold, unlike=unlike)

    def integrity(self) -> str:
        """Return "ok" when the whole file is sound, else what is broken."""
        with self._lock:
            return self._store.integrity()

    # challenges

    def log_attempt(self, attempt: Attempt) -> None:
        """Keep an attempt, sealed, until its person is erased or ten thousand newer ones have come.

        Raises:
            GalleryError: the person is not enrolled (any more), or the file cannot be written.
        """
        with self._lock, self._writing():
            if attempt.person_id not in self._names:
                raise GalleryError("that person is not enrolled (any more)")
            self._rows.add_attempt(attempt)

    def attempts(self, name: str | None = None) -> tuple[Attempt, ...]:
        """Return the attempts that are kept, of one person or of everybody, the oldest first.

        Raises:
            GalleryError: nobody has that name.
        """
        with self._reading():
            whose = None if name is None else self._find(name)
            return tuple(one for one in self._rows.attempts() if whose in (None, one.person_id))

    # in step with the file

    @contextmanager
    def _reading(self) -> Iterator[Snapshot]:
        with self._lock:
            self._refresh()
            yield self._index.snapshot()

    @contextmanager
    def _writing(self) -> Iterator[Snapshot]:
        """Hold the file's write transaction with memory in step with it; the caller then applies its own change."""
        with self._lock, self._store.writing():
            self._refresh()
            yield self._index.snapshot()

    def _refresh(self) -> bool:
        """Bring what is in memory up to what other processes have written; tell whether traces wait to be purged."""
        version = self._store.data_version()
        if version == self._seen:
            return False
        with self._store.reading():
            self._rows.unlock()
            self._rows.check_model(self.model)
            self._refresh_index()
            self._names = self._rows.names()
            packed = self._rows.read_calibration()
            self._calibration = unpack(packed)[0] if packed else None
            pending = self._rows.purge_pending()
        self._seen = version
        return pending

    def _refresh_index(self) -> None:
        mine = self._index.snapshot().ids
        if not len(mine):
            self._index.add(*self._rows.embeddings())
            return
        ids = self._rows.template_ids()
        gone, new = np.setdiff1d(mine, ids), np.setdiff1d(ids, mine)
        if len(gone):
            self._index.remove(gone)
        if len(new):
            self._index.add(*self._rows.embeddings(new))

    def _forget(self, ids: NDArray[np.int64]) -> None:
        with self._lock:
            self._index.remove(ids)
            left = set(self._index.snapshot().person.tolist())
            self._names = {i: name for i, name in self._names.items() if i in left}

    def _find(self, name: str) -> int:
        found = self._rows.find(check_name(name))
        if found is None:
            raise GalleryError(
                f"nobody in {self.path} is called {name!r}; `vedette faces list` tells who is there"
            )
        return found

    def _purge_if_possible(self) -> None:
        """Purge at opening; where that cannot be, a device must start all the same, and `purge_pending` tells."""
        with suppress(GalleryError):
            self._store.purge()
