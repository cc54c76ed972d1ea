"""What models other than detectors answer: frozen values, as those of `vedette.types`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BODY_POINTS", "Classes", "Matte", "Poses", "Segmentation"]

BODY_POINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
"""Order of a body's key points, COCO's; left and right are the person's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """What a picture may show, as columns of equal length n, best first; n = 0 keeps shapes and dtypes.

    Attributes:
        class_id: (n,) int32, index into `labels`.
        score: (n,) float32, 0..1; of all classes together 1.
        labels: names of all classes.
    """

    class_id: NDArray[np.int32]
    score: NDArray[np.float32]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.score)

    @property
    def names(self) -> tuple[str, ...]:
        """The label of each row."""
        return tuple(self.labels[i] for i in self.class_id)


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """What each pixel of a picture belongs to.

    Attributes:
        class_map: (H, W) uint8, index into `labels`; as large as the picture.
        labels: names of all classes.
    """

    class_map: NDArray[np.uint8]
    labels: tuple[str, ...]

    def mask(self, label: str) -> NDArray[np.bool_]:
        """Return (H, W) bool, True where the class is `label`.

        Raises:
            ValueError: no class is called so.
        """
        mask: NDArray[np.bool_] = self.class_map == self.labels.index(label)
        return mask

    @property
    def shares(self) -> dict[str, float]:
        """Which part of the picture each class covers, 0..1, the largest first; classes that are not there left out."""
        counts = np.bincount(self.class_map.ravel(), minlength=len(self.labels))
        order = [i for i in np.argsort(-counts, kind="stable").tolist() if counts[i]]
        return {
            self.labels[i] if i < len(self.labels) else str(i): int(counts[i]) / self.class_map.size
            for i in order
        }


@dataclass(frozen=True, slots=True, eq=False)
class Matte(Segmentation):
    """A subject and its background: a segmentation of two classes, and how far each pixel is the subject's.

    Attributes:
        alpha: (H, W) float32, 0..1.
    """

    alpha: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """People's key points, n people with k points each; n = 0 keeps shapes and dtypes.

    Attributes:
        points: (n, k, 2) float32, pixels, in the order of `names`; may lie outside the picture.
        point_score: (n, k) float32, 0..1.
        names: of the points.
    """

    points: NDArray[np.float32]
    point_score: NDArray[np.float32]
    names: tuple[str, ...] = BODY_POINTS

    def __post_init__(self) -> None:
        n, k = self.point_score.shape
        if self.points.shape != (n, k, 2) or k != len(self.names):
            raise ValueError(f"Poses.points is {self.points.shape}, expected ({n}, {len(self.names)}, 2)")

    def __len__(self) -> int:
        return len(self.points)

    @property
    def score(self) -> NDArray[np.float32]:
        """(n,) float32, the mean of each person's points."""
        score: NDArray[np.float32] = self.point_score.mean(1, dtype=np.float32)
        return score
