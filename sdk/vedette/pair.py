"""Are two faces of one person? For two pictures, or a picture and somebody enrolled."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from vedette.app import load_as
from vedette.galleries import GalleryPlace, open_gallery
from vedette.gallery.calibrate import calibrate
from vedette.gallery.quality import MATCH
from vedette.gallery.values import name_key
from vedette.models.face import FaceDetector
from vedette.models.face_embed import FaceEmbedder
from vedette.models.recognize import FaceSampler, embedding_model, impostors_of
from vedette.sources.images import read_image

__all__ = ["Verified", "verify_faces"]


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether two faces are of one person.

    Attributes:
        same: whether `score` reaches `threshold`.
        score: cosine, -1..1.
        threshold: for the rate that was asked for; the model's own where it carries no scores of strangers.
        far: upper end, with 95 % confidence, of the rate at which strangers reach the threshold; None where the model
            carries no scores of theirs.
    """

    same: bool
    score: float
    threshold: float
    far: float | None


def verify_faces(a: str, b: str, *, place: GalleryPlace, far: float = 1e-3) -> Verified:
    """Return whether the pictures `a` and `b` show one person; `b` may be the name of somebody enrolled at `place`.

    A file of that name goes before a person of that name.

    Raises:
        SourceError: a picture cannot be read.
        FaceRefused: there is not exactly one face in it that is good enough.
        GalleryError: nobody has that name, or the scores in the model are too few for the rate `far`.
    """
    with ExitStack() as stack:
        embedder = stack.enter_context(load_as(FaceEmbedder, "face-embedder"))
        detector = stack.enter_context(load_as(FaceDetector, "face-detector"))
        faces = FaceSampler(detector, embedder, enrol_limits=MATCH)
        first = faces.sample(read_image(a), source=a).embedding
        if Path(b).exists() or not place.path.exists():
            score, templates = float(first @ faces.sample(read_image(b), source=b).embedding), 1
        else:
            gallery = stack.enter_context(open_gallery(place, embedding_model(embedder)))
            score = gallery.verify(b, first).score
            templates = next(p.templates for p in gallery.people() if name_key(p.name) == name_key(b))
        impostors = impostors_of(embedder.model)
    if impostors is None:
        return Verified(score >= embedder.min_score, score, embedder.min_score, None)
    threshold, _, interval = calibrate(impostors, far=far, people=1, templates=templates)
    return Verified(score >= threshold, score, threshold, interval[1])
