"""What goes into a gallery and comes out of it, and the checks at its door."""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vedette.errors import GalleryError

__all__ = [
    "Attempt",
    "Decision",
    "EmbeddingModel",
    "Enrolment",
    "Flag",
    "Floats",
    "Person",
    "Sample",
    "TemplateInfo",
    "check_embeddings",
    "check_name",
    "name_key",
    "new_id",
]

Floats = NDArray[np.float32]

MAX_NAME = 100
UNIT_TOLERANCE = 1e-2
"""How far a norm may be from 1: float16 and int8 embedders round; what is farther was never normalized."""

_JOINERS = "\u200c\u200d"  # invisible, and part of names in Persian and Indian scripts


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """The model whose embeddings a gallery holds.

    Attributes:
        sha256: hash of its file, 64 hexadecimal digits.
        size: length of an embedding.
        threshold: cosine from which two faces are taken for one person until the gallery is calibrated.
    """

    sha256: str
    size: int
    threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One face to enrol.

    Attributes:
        embedding: (size,) float32 of unit length.
        quality: 0..1, see `vedette.gallery.quality`.
        source: where the face came from, such as a file's name or a camera's; sealed like the name.
        picture: an encoded picture to keep, so that the person can be enrolled again with another model. None: none is.
    """

    embedding: Floats
    quality: float
    source: str = ""
    picture: bytes | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody enrolled: id (the same after export and import), name, number of templates."""

    id: int
    name: str
    templates: int


@dataclass(frozen=True, slots=True)
class TemplateInfo:
    """What is known of one template, apart from its embedding; `time_ns` is the wall clock at enrolment, Unix time."""

    id: int
    model_sha256: str
    quality: float
    time_ns: int
    source: str
    has_picture: bool


@dataclass(frozen=True, slots=True)
class Flag:
    """Templates that contradict the names they stand under.

    Attributes:
        kind: "disagree", a template is unlike all others of its person; "agree", two people look like one.
        names: whom it is about: one name, or two.
        template_ids: the templates.
        score: cosine of the two; with "disagree" that of the nearest other template.
    """

    kind: Literal["disagree", "agree"]
    names: tuple[str, ...]
    template_ids: tuple[int, ...]
    score: float

    def __str__(self) -> str:
        if self.kind == "agree":
            return (
                f"{self.names[0]} and {self.names[1]} look like one person (cosine {self.score:.2f}): the same person "
                "under two names, or the wrong picture under one of them; or they need a higher threshold"
            )
        return (
            f"a template of {self.names[0]} is unlike the others (nearest cosine {self.score:.2f}): "
            "somebody else in the picture, or a bad picture; erase that template, or enrol more pictures"
        )


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an enrolment did: whom it was for, whether that person is new, and what looks wrong."""

    person_id: int
    created: bool
    template_ids: tuple[int, ...]
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One challenge to somebody to turn the head, and how it ended; see `vedette.gallery.challenge`.

    Attributes:
        person_id: who the face was taken for.
        time_ns: when it ended, by the wall clock, Unix time.
        track_id: of the face, within its run.
        asked: the turns that were asked for, in order.
        done: how many of them were made.
        seconds: how long it took, on the frames' clock.
        reason: "" where it was passed, else why not.
    """

    person_id: int
    time_ns: int
    track_id: int
    asked: tuple[str, ...]
    done: int
    seconds: float
    reason: str

    @property
    def passed(self) -> bool:
        """Whether all was done as asked."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class Decision:
    """Who a face is: a person, or unknown.

    Attributes:
        person_id: None when unknown.
        name: "" when unknown.
        score: cosine with the most similar template of anybody, -1..1; -1 in an empty gallery.
        margin: `score` less the best score of any other person (-1 where there is none).
        threshold: the score that was needed.
        reason: "known", or why nobody is named: "below_threshold", "small_margin" or "empty".
    """

    person_id: int | None
    name: str
    score: float
    margin: float
    threshold: float
    reason: Literal["known", "below_threshold", "small_margin", "empty"]


def check_embeddings(embeddings: NDArray[np.generic], size: int) -> Floats:
    """Return `embeddings`, (n, size) or (size,), as (n, size) float32 of exactly unit length.

    Raises:
        GalleryError: another shape or type, values that are not finite, or vectors that are not of unit length.
    """
    array = np.atleast_2d(np.asarray(embeddings))
    if array.ndim != 2 or array.shape[1] != size or array.dtype.kind != "f":
        raise GalleryError(
            f"embeddings are {array.dtype} {np.shape(embeddings)}, this gallery takes float (n, {size}); "
            "use the model that it was made with"
        )
    rows = array.astype(np.float32)
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    wrong = ~(np.abs(norm[:, 0] - 1) <= UNIT_TOLERANCE)  # also True for NaN
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise GalleryError(
            f"embedding {first} has length {norm[first, 0]:.4g}, not 1: divide it by its norm; "
            "NaN comes from a broken model or an empty picture"
        )
    unit: Floats = rows / norm
    return unit


def check_name(name: str) -> str:
    """Return `name` in Unicode's composed form (NFC) with single spaces.

    Raises:
        GalleryError: it is empty, longer than 100 characters, holds control or direction characters, or is "unknown".
    """
    if any(_unprintable(c) for c in name):
        raise GalleryError(
            f"the name {name[:MAX_NAME]!a} holds control characters; write it in plain letters"
        )
    clean = " ".join(unicodedata.normalize("NFC", name).split())
    if not clean:
        raise GalleryError("the name is empty; give the person one")
    if len(clean) > MAX_NAME:
        raise GalleryError(f"the name has {len(clean)} characters; give one of at most {MAX_NAME}")
    if name_key(clean) == "unknown":
        raise GalleryError("'unknown' is the answer for strangers, it cannot be a person's name")
    return clean


def name_key(name: str) -> str:
    """Return what two spellings of one name have in common: case, width and composition set aside."""
    return unicodedata.normalize("NFKC", name).casefold()


def new_id() -> int:
    """Return a random id above 0 of at most 53 bits: JSON keeps it, chance does not repeat it."""
    return secrets.randbelow(2**53 - 1) + 1


def _unprintable(char: str) -> bool:
    category = unicodedata.category(char)
    return char not in _JOINERS and (category[0] == "C" or category in ("Zl", "Zp"))
