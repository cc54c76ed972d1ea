"""Who is in a picture: faces found, measured, embedded, and looked for in a gallery."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.contract import ModelFile
from vedette.errors import FaceRefused, GalleryError
from vedette.gallery.calibrate import Calibration, ImpostorScores
from vedette.gallery.gallery import Gallery
from vedette.gallery.quality import ENROL, MATCH, QualityLimits, Refusal, face_quality, refuse, refuse_count
from vedette.gallery.values import Decision, EmbeddingModel, Enrolment, Sample
from vedette.models.face import FaceDetector
from vedette.models.face_embed import FaceEmbedder
from vedette.models.network import check_image
from vedette.ops.faces import FaceMeasures, measure_face
from vedette.sources.images import decode_image
from vedette.tflite.attached import read_attached
from vedette.types import Closing, Faces, Image

__all__ = [
    "IMPOSTORS",
    "FaceLook",
    "FaceRecognizer",
    "FaceSampler",
    "Recognition",
    "embedding_model",
    "impostors_of",
]

Floats = NDArray[np.float32]

IMPOSTORS = "impostors.npz"
"""Member of an embedder's file: scores of strangers, as `ImpostorScores` reads them."""

_KEPT_MARGIN = 0.75
"""Of a kept picture, on each side of the face in parts of its larger side: enough to find it again."""

_KEPT_QUALITY = 95


@dataclass(frozen=True, slots=True, eq=False)
class FaceLook:
    """One face in a picture, and what it is good for.

    Attributes:
        xyxy: (4,) float32, pixels.
        score: of the detector, 0..1.
        landmarks: (5, 2) float32, pixels, in the order of `vedette.types.FACE_POINTS`.
        measures: what its pixels and landmarks tell.
        quality: 0..1, see `vedette.gallery.quality.face_quality`.
        enrol_refusals: what keeps it from being enrolled; empty where it will do.
        match_refusals: what keeps it from being compared; empty where it will do.
    """

    xyxy: Floats
    score: float
    landmarks: Floats
    measures: FaceMeasures
    quality: float
    enrol_refusals: tuple[Refusal, ...]
    match_refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Recognition:
    """Who a face is, or why that was not asked.

    Attributes:
        look: the face.
        decision: the gallery's answer; None where the face was refused: `look.match_refusals` says why.
    """

    look: FaceLook
    decision: Decision | None

    @property
    def name(self) -> str:
        """The person's name; "" when unknown or refused."""
        return "" if self.decision is None else self.decision.name

    @property
    def quality(self) -> float:
        """Of the face, 0..1."""
        return self.look.quality

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Why the face was not compared; empty where it was."""
        return self.look.match_refusals


def embedding_model(embedder: FaceEmbedder) -> EmbeddingModel:
    """Return what a gallery has to know of `embedder`."""
    return EmbeddingModel(embedder.model.sha256, embedder.size, embedder.min_score)


def impostors_of(model: ModelFile) -> ImpostorScores | None:
    """Return the scores of strangers that an embedder's file carries; None where it carries none.

    Raises:
        ModelError: what is attached to the file is damaged.
        GalleryError: the scores are.
    """
    data = read_attached(model.data).get(IMPOSTORS)
    return None if data is None else replace(ImpostorScores.from_bytes(data), model_sha256=model.sha256)


class FaceSampler(Closing):
    """A detector and an embedder: faces measured, and made ready to enrol. Closes both.

    Args:
        detector: finds the faces.
        embedder: makes them comparable.
        enrol_limits: what a face must reach to be enrolled.
        match_limits: and what to be compared.
    """

    def __init__(
        self,
        detector: FaceDetector,
        embedder: FaceEmbedder,
        *,
        enrol_limits: QualityLimits = ENROL,
        match_limits: QualityLimits = MATCH,
    ) -> None:
        self.detector, self.embedder = detector, embedder
        self._enrol, self._match = enrol_limits, match_limits

    def look(self, image: Image, faces: Faces | None = None) -> tuple[FaceLook, ...]:
        """Return the faces of `image`, (H, W, 3) uint8 RGB, and what each is good for; embeds nothing.

        Args:
            image: the picture.
            faces: those in it, where they are known; they are looked for when not given.

        Raises:
            VedetteError: `image` is no picture.
            EngineError: the detector failed while running.
        """
        check_image(image)
        found = self.detector.detect(image) if faces is None else faces
        return tuple(self._look(image, found, k) for k in range(len(found)))

    def sample(
        self, image: Image, *, source: str, keep_picture: bool = False, faces: Faces | None = None
    ) -> Sample:
        """Return the one good face of `image`, ready for `Gallery.enrol`; enrols nothing.

        Args:
            image: (H, W, 3) uint8 RGB.
            source: where it came from; kept, sealed, with the person.
            keep_picture: keep the face and some of what is around it, sealed, to enrol it again with another model.
            faces: as for `look`.

        Raises:
            FaceRefused: there is no face, several, or one that is not good enough; says which, and how to mend it.
        """
        looks = self.look(image, faces)
        refusals = refuse_count(len(looks)) or looks[0].enrol_refusals
        if refusals:
            told = "; ".join(refusal.message for refusal in refusals)
            raise FaceRefused(f"{source}: {told}", tuple(refusal.reason for refusal in refusals))
        embedding = self.embedder.embed_faces(image, looks[0].landmarks[None])[0]
        return Sample(embedding, looks[0].quality, source, _kept(image, looks[0]) if keep_picture else None)

    def embed_kept(self, picture: bytes) -> Floats | None:
        """Return the embedding (size,) of the largest face in an encoded `picture`; None where none is found.

        Raises:
            SourceError: it is no picture.
        """
        image = decode_image(picture, label="a kept picture")
        looks = self.look(image)
        if not looks:
            return None
        largest = max(looks, key=lambda one: float(np.prod(one.xyxy[2:] - one.xyxy[:2])))
        found: Floats = self.embedder.embed_faces(image, largest.landmarks[None])[0]
        return found

    def close(self) -> None:
        """Close the models."""
        self.detector.close()
        self.embedder.close()

    def _look(self, image: Image, faces: Faces, k: int) -> FaceLook:
        measures = measure_face(image, faces.landmarks[k])
        return FaceLook(
            faces.xyxy[k],
            float(faces.score[k]),
            faces.landmarks[k],
            measures,
            face_quality(measures),
            refuse(measures, self._enrol),
            refuse(measures, self._match),
        )


class FaceRecognizer(FaceSampler):
    """A detector, an embedder and a gallery. Safe to call from several threads. Closes all three.

    Args:
        detector: finds the faces.
        embedder: the model that the gallery was made with.
        gallery: the people.
        enrol_limits: what a face must reach to be enrolled.
        match_limits: and what to be compared.
        min_margin: by how much the best person must be ahead of the next, a cosine.

    Raises:
        GalleryError: the gallery was made with another model.
    """

    def __init__(
        self,
        detector: FaceDetector,
        embedder: FaceEmbedder,
        gallery: Gallery,
        *,
        enrol_limits: QualityLimits = ENROL,
        match_limits: QualityLimits = MATCH,
        min_margin: float = 0.0,
    ) -> None:
        super().__init__(detector, embedder, enrol_limits=enrol_limits, match_limits=match_limits)
        if gallery.model.sha256 != embedder.model.sha256:
            raise GalleryError(
                f"the gallery {gallery.path} is of model {gallery.model.sha256[:12]}, the embedder is "
                f"{embedder.model.sha256[:12]}; give the embedder that the gallery was made with"
            )
        self.gallery, self._min_margin = gallery, min_margin

    def identify(self, image: Image, faces: Faces | None = None) -> tuple[Recognition, ...]:
        """Return who each face of `image` is, or that it is nobody known, or why it was not compared; else as `look`.

        Raises:
            GalleryError: the gallery cannot be read.
        """
        looks = self.look(image, faces)
        good = [k for k, look in enumerate(looks) if not look.match_refusals]
        decisions: list[Decision | None] = [None] * len(looks)
        if good:
            embeddings = self.embedder.embed_faces(image, np.stack([looks[k].landmarks for k in good]))
            told = self.gallery.identify(embeddings, min_margin=self._min_margin)
            for k, decision in zip(good, told, strict=True):
                decisions[k] = decision
        return tuple(Recognition(*pair) for pair in zip(looks, decisions, strict=True))

    def enroll(self, name: str, image: Image, *, source: str, keep_picture: bool = False) -> Enrolment:
        """Enrol the one good face of `image` as `name`; arguments as for `sample`. The caller has seen to consent.

        Raises:
            FaceRefused: as for `sample`; nothing was enrolled.
            GalleryError: the name will not do, or the gallery cannot be written.
        """
        return self.gallery.enrol(name, [self.sample(image, source=source, keep_picture=keep_picture)])

    def calibrate(self, *, far: float | None = None, impostors: ImpostorScores | None = None) -> Calibration:
        """Set the gallery's threshold, see `Gallery.calibrate`, by the scores that the embedder's file carries.

        Args:
            far: the rate of false accepts in one search; that of the last calibration when not given.
            impostors: other scores than the file's.

        Raises:
            GalleryError: there are no scores, or too few to promise that rate; or no rate was ever given.
        """
        if impostors is None:
            impostors = impostors_of(self.embedder.model)
        if impostors is None and self.gallery.calibration() is None:
            raise GalleryError(
                f"{self.embedder.model.path} carries no scores of strangers, so no rate can be promised: give a file "
                "of them, or keep the model's own threshold"
            )
        return self.gallery.calibrate(impostors, far=far)

    def beside(self) -> FaceRecognizer:
        """Return one with the same models and limits and a connection of its own to the gallery; close only that.

        What it writes does not hold up who identifies faces here.
        """
        other = copy.copy(self)
        other.gallery = self.gallery.reopen()
        return other

    def close(self) -> None:
        """Close the models and the gallery."""
        super().close()
        self.gallery.close()


def _kept(image: Image, look: FaceLook) -> bytes:
    """Return the face with a margin as JPEG: no more of the scene than finding it again needs."""
    margin = _KEPT_MARGIN * float(max(look.xyxy[2:] - look.xyxy[:2]))
    limits = np.array((*image.shape[1::-1], *image.shape[1::-1]))
    grown = look.xyxy + np.array((-margin, -margin, margin, margin))
    x1, y1, x2, y2 = np.clip(np.round(grown), 0, limits).astype(int).tolist()
    part = cv2.cvtColor(image[y1:y2, x1:x2], cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", part, (cv2.IMWRITE_JPEG_QUALITY, _KEPT_QUALITY))[1].tobytes()
