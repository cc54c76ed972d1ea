"""Less noise in a live picture: what the last pictures saw of the same place is averaged, as the camera moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.ops.depth import to_eight_bits
from vedette.ops.scene import noise
from vedette.types import Closing, Image, ModelInfo

__all__ = ["NAME", "TemporalDenoise"]

NAME = "temporal"
"""By which chains of models name it."""

SMALL_PX = 320  # width at which the camera's motion is followed
POINTS, LEAST_POINTS = 120, 12
MOST = 0.5  # of the past in a picture: at rest a third of the noise's variance stays
AROUND_PX = 9  # over which the difference from the past is judged
LEAST_SIGMA = (
    4.0  # grey levels; a denoising model leaves less than that, and errors at edges that average out
)
ALIKE, OTHER = 1.2, 2.6  # times sigma: up to the first all of the past counts, from the second none
MEASURE_EVERY = 10  # pictures

Depth = TypeVar("Depth", np.uint8, np.uint16)


class TemporalDenoise(Closing):
    """A step of an `Enhancer` that needs no model: a recursive average along the camera's motion.

    The motion of the whole picture (shift, turn, zoom) is followed by optical flow of corners (Lucas and Kanade, 1981)
    in a small picture. Where the picture then differs from the past by more than its noise explains, something else
    moved: there the past does not count, so that nothing leaves a ghost. Holds state: the average so far. Not for
    several threads.
    """

    scale = 1

    def __init__(self) -> None:
        self.info = ModelInfo(NAME, "1", "", f"OpenCV {cv2.__version__}")
        self.begin()

    def begin(self) -> None:
        """Forget what was seen: what comes next is another picture or video."""
        self._past: NDArray[Any] | None = None
        self._small: Image | None = None
        self._sigma, self._count = 0.0, 0

    def enhance(
        self, image: NDArray[Depth], *, tell: Callable[[float], object] | None = None
    ) -> NDArray[Depth]:
        """Return `image`, (H, W, 3) RGB of uint8 or uint16, with less noise; the first one as it is."""
        eight = to_eight_bits(image)
        if self._count % MEASURE_EVERY == 0:
            self._sigma = max(LEAST_SIGMA, noise(eight))
        self._count += 1
        small, past = _small(eight), self._past
        made = image
        if (
            past is not None
            and self._small is not None
            and past.shape == image.shape
            and past.dtype == image.dtype
        ):
            motion = _motion(self._small, small, image.shape[1] / small.shape[1])
            if motion is not None:
                made = self._averaged(image, past, motion)
        self._past, self._small = made, small
        if tell is not None:
            tell(1.0)
        return made

    def _averaged(
        self, image: NDArray[Depth], past: NDArray[Depth], motion: NDArray[np.float64]
    ) -> NDArray[Depth]:
        """Return `image` with as much of `past`, moved by `motion`, as is the same scene."""
        size_wh = (image.shape[1], image.shape[0])
        moved = cv2.warpAffine(past, motion, size_wh, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
        seen = cv2.warpAffine(
            np.ones(image.shape[:2], np.uint8),
            motion,
            size_wh,
            flags=cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_CONSTANT,
        )
        levels = np.float32(np.iinfo(image.dtype).max / 255)
        # of all colours: a red thing before a grey wall may be as bright
        difference = cv2.transform(cv2.absdiff(image, moved), np.full((1, 3), 1 / 3, np.float32))
        near = cv2.blur(difference.astype(np.float32), (AROUND_PX, AROUND_PX)) / (self._sigma * levels)
        share = np.clip((OTHER - near) / (OTHER - ALIKE), 0, 1).astype(np.float32) * (MOST * seen)
        mixed = image + share[..., None] * (moved.astype(np.float32) - image)
        return np.asarray(np.rint(mixed), image.dtype)

    def close(self) -> None:
        """Nothing to close."""


def _small(image: Image) -> Image:
    """Return `image` in grey, at most `SMALL_PX` wide."""
    factor = min(1.0, SMALL_PX / image.shape[1])
    size_wh = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    return np.asarray(
        cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size_wh, interpolation=cv2.INTER_AREA)
    )


def _motion(before: Image, now: Image, times: float) -> NDArray[np.float64] | None:
    """Return the affine map (2, 3) from `before` to `now` in pixels of a picture `times` as large.

    No motion where there is nothing to follow, as in a flat picture; None where corners are lost: another scene.
    """
    still = np.eye(2, 3)
    if before.shape != now.shape:
        return None
    corners = cv2.goodFeaturesToTrack(before, POINTS, 0.02, 8)
    if corners is None or len(corners) < LEAST_POINTS:
        return still
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        before, now, corners, np.empty_like(corners), winSize=(15, 15), maxLevel=3
    )
    kept = status.ravel() == 1
    if kept.sum() < LEAST_POINTS:
        return None
    motion, inliers = cv2.estimateAffinePartial2D(corners[kept], found[kept], ransacReprojThreshold=0.7)
    if motion is None or inliers.sum() < LEAST_POINTS:
        return None
    middle = (times - 1) / 2  # of a small pixel, in large ones
    shift = motion[:, 2] * times + middle - motion[:, :2] @ np.full(2, middle)
    return np.column_stack((motion[:, :2], shift))
