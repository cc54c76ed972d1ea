"""Make a gallery anew for another model, from the pictures that were kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vedette.errors import GalleryError
from vedette.gallery.rows import Rows
from vedette.gallery.rules import check_samples
from vedette.gallery.seal import KeyOrNone
from vedette.gallery.store import Store
from vedette.gallery.values import EmbeddingModel, Sample

__all__ = ["Reenrolled", "reenrol"]

_NAMED = 10


@dataclass(frozen=True, slots=True)
class Reenrolled:
    """What came over to the new model, the names of people of whom nothing did, and how many templates were lost."""

    people: int
    templates: int
    lost_people: tuple[str, ...]
    lost_templates: int


def reenrol(
    path: Path,
    *,
    key: KeyOrNone,
    model: EmbeddingModel,
    embed: Callable[[bytes], NDArray[np.float32] | None],
    drop_without_picture: bool = False,
) -> Reenrolled:
    """Replace every embedding in the gallery file `path` by the one of the new `model`; all of it, or nothing.

    Args:
        path: the gallery, closed everywhere else.
        key: its key.
        model: the new model.
        embed: returns the new embedding of a kept picture, None when no face can be found in it.
        drop_without_picture: lose the templates without a picture, instead of refusing.

    Raises:
        GalleryKeyError: the key is wrong.
        GalleryError: it is of that model already; templates would be lost and that was not allowed; the file cannot be
            written.
    """
    if not path.is_file():
        raise GalleryError(f"there is no gallery at {path}")
    with Store(path) as store:
        with store.writing():
            rows = Rows(store.db, key, f"the gallery {path}")
            rows.unlock()
            if rows.model()[0] == model.sha256:
                raise GalleryError(f"the gallery {path} is of this model already; nothing was changed")
            done = _replace_all(rows, model, embed, drop_without_picture)
            rows.changed(purge=True)
        store.purge()
    return done


def _replace_all(
    rows: Rows,
    model: EmbeddingModel,
    embed: Callable[[bytes], NDArray[np.float32] | None],
    drop: bool,
) -> Reenrolled:
    names, renewed, lost = rows.names(), dict[int, list[tuple[int, Sample, int]]](), Counter[str]()
    for person_id in names:
        renewed[person_id] = []
        for template_id, sample, time_ns, _ in rows.samples(person_id):
            embedding = None if sample.picture is None else embed(sample.picture)
            if embedding is None:
                lost[names[person_id]] += 1
                continue
            (checked,) = check_samples([replace(sample, embedding=embedding)], model.size)
            renewed[person_id].append((template_id, checked, time_ns))
    if lost and not drop:
        raise GalleryError(
            f"{lost.total()} templates have no kept picture, or none with a face, and would be lost: of "
            f"{_some(sorted(lost))}; nothing was changed. "
            "Pass --drop (drop_without_picture=True) to go on without them, then enrol those people again."
        )
    kept = {person_id: templates for person_id, templates in renewed.items() if templates}
    rows.clear_for(model, keep=kept)
    for person_id, templates in kept.items():
        for template_id, sample, time_ns in templates:
            rows.add_template(template_id, person_id, sample, time_ns=time_ns)
    nobody = tuple(sorted(names[i] for i in names if i not in kept))
    return Reenrolled(len(kept), sum(map(len, kept.values())), nobody, lost.total())


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
