"""What a gallery takes, and how it answers: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vedette.errors import GalleryError
from vedette.gallery.index import LOWEST
from vedette.gallery.values import Decision, Sample, check_embeddings

__all__ = ["check_samples", "decide", "kept_source"]

MAX_SOURCE = 500


def kept_source(text: str) -> str:
    """Return the name of a source as a gallery keeps it: bytes of a file's name that are no UTF-8 as escapes."""
    return text.encode(errors="backslashreplace").decode()


def check_samples(samples: Sequence[Sample], size: int) -> list[Sample]:
    """Return `samples` as they are kept, with embeddings of exactly unit length.

    Raises:
        GalleryError: there is none, or one's embedding, quality, source or picture will not do.
    """
    if not samples:
        raise GalleryError("there is no face to enrol; give at least one sample")
    for sample in samples:
        if not 0 <= sample.quality <= 1:
            raise GalleryError(f"a sample's quality is {sample.quality}; give 0 to 1")
        if len(sample.source) > MAX_SOURCE:
            raise GalleryError(
                f"a sample's source has {len(sample.source)} characters; at most {MAX_SOURCE} are kept"
            )
        if sample.picture is not None and not sample.picture:
            raise GalleryError("a sample's picture is empty; give its encoded bytes, or None to keep none")
    return [
        replace(s, embedding=check_embeddings(s.embedding, size)[0], source=kept_source(s.source))
        for s in samples
    ]


def decide(
    person_id: int,
    score: float,
    runner_up: float,
    *,
    threshold: float,
    min_margin: float,
    names: Mapping[int, str],
) -> Decision:
    """Return the answer for the best person of a search: that one, or unknown.

    Args:
        person_id: the best person, -1 when the gallery is empty.
        score: that person's cosine.
        runner_up: the best of any other person's, -1 where there is none.
        threshold: what `score` needs.
        min_margin: by how much it must be ahead.
        names: people by id.
    """
    margin = score - runner_up
    if person_id < 0:
        return Decision(None, "", LOWEST, 0.0, threshold, "empty")
    if score < threshold:
        return Decision(None, "", score, margin, threshold, "below_threshold")
    if margin < min_margin:
        return Decision(None, "", score, margin, threshold, "small_margin")
    return Decision(person_id, names[person_id], score, margin, threshold, "known")
