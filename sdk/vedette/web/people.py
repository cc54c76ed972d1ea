"""The people of a run, for the page: who is seen, who is enrolled, and what a name on the picture is worth."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import cv2
import numpy as np

from vedette.errors import FaceRefused, GalleryError
from vedette.gallery.meaning import describe_threshold
from vedette.gallery.quality import refuse_count
from vedette.gallery.rules import MAX_SOURCE
from vedette.gallery.values import Person, TemplateInfo
from vedette.models.recognize import FaceLook, impostors_of
from vedette.sources.images import decode_image
from vedette.stages.recognize import Recognize
from vedette.types import Closing, IdentifiedFaces, Results
from vedette.web.pictures import encode

__all__ = ["People"]

PAGE = 100
"""People told at a time."""

WAIT_S = 3.0
"""For how long an enrolment waits for a face that will do."""

_STALE_S = 2.0
"""A picture older than that shows nobody who is there now."""

_LOOK_EVERY_S = 0.05

MOST_FLAGGED = 1000
"""Templates that are compared with each other for the page; the work grows with the square."""

_THUMBNAIL_PX = 160
_THUMBNAIL_QUALITY = 85


class People(Closing):
    """What the page tells of the people of a run, and does to them. Safe to use from several threads.

    It has a connection of its own to the gallery, so the live loop does not wait while somebody is enrolled or erased.
    No embedding leaves it, and no part of a live picture.

    Args:
        stage: of the run; its newest results are what is looked at.
        private: whether faces are blurred in the picture; then kept pictures are not given out.

    Raises:
        GalleryError: the gallery cannot be opened once more.
    """

    def __init__(self, stage: Recognize, *, private: bool) -> None:
        self.private = private
        self._stage = stage
        self._can_calibrate = impostors_of(stage.recognizer.embedder.model) is not None
        self._recognizer = stage.recognizer.beside()
        self._gallery = self._recognizer.gallery
        self._lock = threading.Lock()
        self._looked: tuple[Results | None, tuple[FaceLook, ...]] = None, ()

    def seen(self) -> dict[str, Any]:
        """Return who is in the newest picture, from left to right, and whether that picture would do to enrol somebody.

        Ready for JSON; docs/dashboard.md lists the fields.
        """
        newest, looks = self._look()
        found = _faces(newest)
        order = np.argsort(found.xyxy[:, 0], kind="stable").tolist()
        refusals = _refusals(newest, looks)
        return {
            "quality": round(looks[0].quality, 3) if len(looks) == 1 else None,
            "refusals": [_told_refusal(one) for one in refusals],
            "faces": [{**_who(found, k), "quality": round(looks[k].quality, 3)} for k in order],
        }

    def describe(self, *, offset: int = 0) -> dict[str, Any]:
        """Return who is enrolled, `PAGE` people from `offset` on by name, what looks wrong, and the threshold.

        Raises:
            GalleryError: the gallery cannot be read.
        """
        everybody = self._gallery.people()
        templates = sum(person.templates for person in everybody)
        calibration = self._gallery.calibration()
        return {
            "gallery": self._gallery.path.name,
            "private": self.private,
            "total": len(everybody),
            "templates": templates,
            "people": [self._person(one) for one in everybody[max(0, offset) :][:PAGE]],
            "flags": self._flags() if templates <= MOST_FLAGGED else None,
            "can_calibrate": self._can_calibrate or calibration is not None,
            "threshold": describe_threshold(
                self._gallery.threshold, calibration, people=len(everybody), templates=templates
            ),
        }

    def enrol(self, name: str, *, keep_picture: bool) -> dict[str, Any]:
        """Enrol the one face in the picture as `name`; return what that did. The caller has seen to consent.

        It is the newest picture's, or that of the first within `WAIT_S` that will do: who presses a button looks at it.

        Raises:
            FaceRefused: there is no fresh picture, nobody in it, several people, or a face that is not good enough.
            GalleryError: the name will not do, or the gallery cannot be written.
        """
        newest, refusals = self._wait_for_one()
        if refusals or newest is None:
            told = "; ".join(message for _, message in refusals)
            raise FaceRefused(f"nobody was enrolled: {told}", tuple(reason for reason, _ in refusals))
        sample = self._recognizer.sample(
            newest.frame.image,
            source=newest.frame.source[:MAX_SOURCE],
            keep_picture=keep_picture,
            faces=_faces(newest),
        )
        done = self._gallery.enrol(name, [sample])
        self._keep_calibrated()
        return {
            "person": done.person_id,
            "created": done.created,
            "quality": round(sample.quality, 3),
            "flags": [str(flag) for flag in done.flags],
        }

    def erase(self, person_id: int) -> int:
        """Erase a person and return how many templates that were.

        Raises:
            GalleryError: nobody has that id, or as `Gallery.erase`.
        """
        for person in self._gallery.people():
            if person.id == person_id:
                count = self._gallery.erase(person.name)
                self._keep_calibrated()
                return count
        raise GalleryError("that person is not enrolled (any more)")

    def erase_template(self, template_id: int) -> None:
        """Erase one template of a person who has more.

        Raises:
            GalleryError: it does not exist, or is the person's last.
        """
        self._gallery.erase_templates([template_id])
        self._keep_calibrated()

    def calibrate(self, far: float | None) -> dict[str, Any]:
        """Set the threshold anew for the rate `far`, that of the last time when None; return what it is now.

        Raises:
            GalleryError: the rate is none or cannot be promised, or there are no scores of strangers.
        """
        self._recognizer.calibrate(far=far)
        return self.describe()

    def picture(self, template_id: int) -> bytes | None:
        """Return a small JPEG of the picture kept with a template; None where none was, or faces are blurred.

        Raises:
            GalleryError: the gallery cannot be read.
            SourceError: what was kept is no picture.
        """
        kept = None if self.private else self._gallery.picture(template_id)
        if kept is None:
            return None
        image = decode_image(kept, label="the kept picture")
        factor = min(1.0, _THUMBNAIL_PX / max(image.shape[:2]))
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return encode(np.asarray(small, np.uint8), quality=_THUMBNAIL_QUALITY)

    def close(self) -> None:
        """Close the connection to the gallery; the models are the run's."""
        self._gallery.close()

    def _look(self) -> tuple[Results | None, tuple[FaceLook, ...]]:
        """Return the newest results and what its faces are good for; each frame is measured once, whoever asks."""
        with self._lock:
            newest = self._stage.newest
            if newest is not None and newest is not self._looked[0]:
                self._looked = newest, self._recognizer.look(newest.frame.image, _faces(newest))
            return self._looked

    def _wait_for_one(self) -> tuple[Results | None, list[tuple[str, str]]]:
        """Return the first results that will do to enrol; or the last, and why they will not, after `WAIT_S`."""
        end_s = time.monotonic() + WAIT_S
        while True:
            newest, looks = self._look()
            refusals = _refusals(newest, looks)
            if not refusals or time.monotonic() >= end_s:
                return newest, refusals
            time.sleep(_LOOK_EVERY_S)

    def _keep_calibrated(self) -> None:
        """Make the calibration anew; where the scores are too few for so many it stays stale, which the page says."""
        with suppress(GalleryError):
            self._gallery.keep_calibrated()

    def _flags(self) -> list[dict[str, Any]]:
        return [
            {"kind": flag.kind, "names": flag.names, "templates": flag.template_ids, "text": str(flag)}
            for flag in self._gallery.flags()
        ]

    def _person(self, person: Person) -> dict[str, Any]:
        infos: Sequence[TemplateInfo] = ()
        with suppress(GalleryError):  # erased since, by another process
            infos = self._gallery.templates(person.name)
        return {
            "id": person.id,
            "name": person.name,
            "templates": [_template(one, private=self.private) for one in infos],
        }


def _faces(results: Results | None) -> IdentifiedFaces:
    """Return what the first stage that finds faces found; no face where there is none."""
    for one in results.found.values() if results else ():
        if isinstance(one, IdentifiedFaces):
            return one
    return IdentifiedFaces(
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        (),
    )


def _refusals(newest: Results | None, looks: Sequence[FaceLook]) -> list[tuple[str, str]]:
    """Return reason and words of everything that keeps the newest picture from being enrolled."""
    if newest is None:
        return [("no_picture", "there is no picture yet: wait for the camera")]
    waited_s = (time.monotonic_ns() - newest.frame.captured_ns) / 1e9
    if waited_s > _STALE_S:
        return [("no_picture", f"there was no new picture for {waited_s:.0f} s: look after the camera")]
    found = refuse_count(len(looks)) or looks[0].enrol_refusals
    return [(one.reason, one.message) for one in found]


def _told_refusal(refusal: tuple[str, str]) -> dict[str, str]:
    return {"reason": refusal[0], "message": refusal[1]}


def _who(found: IdentifiedFaces, k: int) -> dict[str, Any]:
    similarity = float(found.similarity[k])
    return {
        "identity": found.identity[k],
        "name": str(found.person[k]),
        "certainty": round(float(found.certainty[k]), 3),
        "similarity": None if np.isnan(similarity) else round(similarity, 3),
    }


def _template(info: TemplateInfo, *, private: bool) -> dict[str, Any]:
    return {
        "id": info.id,
        "quality": round(info.quality, 3),
        "enrolled": datetime.fromtimestamp(info.time_ns / 1e9, UTC).isoformat(timespec="seconds"),
        "source": info.source,
        "picture": info.has_picture and not private,
    }
