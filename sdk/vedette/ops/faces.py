"""Faces: brought upright into one size, and measured for how well somebody can be recognised by them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.types import Image

__all__ = ["ALIGNED_SIZE", "FaceMeasures", "align", "face_pose", "measure_face", "similarity"]

Floats = NDArray[np.float32]

ALIGNED_SIZE = 112
"""Width and height of an aligned face, pixels."""

ALIGNED_POINTS: Floats = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)],
    np.float32,
)
"""Where the landmarks of an aligned face lie: the places that ArcFace (Deng et al., CVPR 2019) made customary."""

# A generic head: its landmarks about the middle of the eyes, in distances between them; x right, y down, z towards the
# camera. x and y are the median of 7,876 faces labelled by hand, made symmetric, so that people who look at a camera
# have a pitch near 0; z is as in the head often given to pose solvers, (225, 170, -135), (0, 0, 0), (150, -150, -125).
_HEAD = (
    (-0.5, 0.0, 0.0),
    (0.5, 0.0, 0.0),
    (0.0, 0.613, 0.43),
    (-0.426, 1.069, 0.03),
    (0.426, 1.069, 0.03),
)

_DARK, _BRIGHT = 8, 247
"""Grey levels from which on there is nothing to see."""


@dataclass(frozen=True, slots=True)
class FaceMeasures:
    """What the pixels and landmarks of one face tell about how well it can be recognised.

    Attributes:
        eyes_px: distance between the eyes in the picture, pixels.
        sharpness: variance of the aligned face's Laplacian over the variance of its grey levels; low when blurred.
            Noise raises it.
        yaw_deg, pitch_deg, roll_deg: how the head is turned, 0 = upright towards the camera. Positive: nose to the
            picture's right, nose down, head tilted clockwise.
        brightness: mean grey level of the face, 0..1.
        contrast: standard deviation of its grey levels, 0..1.
        clipped: share of its pixels that are black or white, 0..1.
        inside: share of the aligned face that lies inside the picture, 0..1.
    """

    eyes_px: float
    sharpness: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    brightness: float
    contrast: float
    clipped: float
    inside: float


def similarity(landmarks: Floats) -> Floats:
    """Return the (2, 3) similarity that brings (5, 2) `landmarks` nearest to those of an aligned face.

    Least squares over rotation, scale and shift, without reflection (Umeyama, PAMI 1991; in the plane it is a division
    of complex numbers). Landmarks that all coincide give a matrix of zeros and the shift alone.
    """
    source = landmarks[:, 0].astype(np.complex128) + 1j * landmarks[:, 1]
    target = ALIGNED_POINTS[:, 0].astype(np.complex128) + 1j * ALIGNED_POINTS[:, 1]
    s, t = source - source.mean(), target - target.mean()
    spread = float((abs(s) ** 2).sum())
    turn = complex((s.conj() * t).sum() / spread) if spread > 0 else 0j
    shift = complex(target.mean() - turn * source.mean())
    rows = ((turn.real, -turn.imag, shift.real), (turn.imag, turn.real, shift.imag))
    return np.array(rows, np.float32)


def align(image: Image, landmarks: Floats) -> Image:
    """Return the faces with `landmarks`, upright and of one size.

    Args:
        image: (H, W, 3) uint8.
        landmarks: (n, 5, 2) pixels, in the order of `FACE_POINTS`.

    Returns:
        (n, 112, 112, 3) uint8; black where the picture ends.
    """
    faces = np.zeros((len(landmarks), ALIGNED_SIZE, ALIGNED_SIZE, 3), np.uint8)
    for face, points in zip(faces, landmarks, strict=True):
        face[...] = _warp(image, similarity(points))
    return faces


def measure_face(image: Image, landmarks: Floats) -> FaceMeasures:
    """Return the measures of the face with (5, 2) `landmarks` in `image`, (H, W, 3) uint8 RGB."""
    matrix = similarity(landmarks)
    face = cv2.cvtColor(_warp(image, matrix), cv2.COLOR_RGB2GRAY)
    yaw, pitch, roll = face_pose(landmarks)
    inside = _inside(matrix, (image.shape[0], image.shape[1]))
    seen = face[inside].astype(np.float32)
    if not len(seen):
        seen = np.zeros(1, np.float32)
    spread = float(seen.var())
    bends = cv2.Laplacian(face, cv2.CV_32F)[cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0]
    return FaceMeasures(
        eyes_px=float(np.hypot(*(landmarks[1] - landmarks[0]))),
        sharpness=float(bends.var()) / spread if spread > 0 and len(bends) else 0.0,
        yaw_deg=yaw,
        pitch_deg=pitch,
        roll_deg=roll,
        brightness=float(seen.mean()) / 255,
        contrast=math.sqrt(spread) / 255,
        clipped=float(((seen <= _DARK) | (seen >= _BRIGHT)).mean()),
        inside=float(inside.mean()),
    )


def face_pose(landmarks: Floats) -> tuple[float, float, float]:
    """Return yaw, pitch and roll in degrees of a head with (5, 2) `landmarks`; see `FaceMeasures` for the signs.

    The head is nodded first, then turned, then tilted.

    A generic head is fitted under scaled orthographic projection by least squares, as in POS (DeMenthon and Davis, IJCV
    1995). Five points tell it roughly: some degrees off for another nose. Landmarks on one line or in one place give
    zeros.
    """
    head = np.array(_HEAD)
    fitted = np.linalg.pinv(head - head.mean(0)) @ (landmarks - landmarks.mean(0)).astype(np.float64)
    u, stretch, v = np.linalg.svd(fitted.T, full_matrices=False)
    if not stretch[1] > 1e-9 * stretch[0]:
        return 0.0, 0.0, 0.0
    right, down = u @ v  # the nearest rows of a rotation
    roll = math.atan2(down[0], right[0])
    x, y = (  # where the face looks, with the head held upright
        math.cos(roll) * right[2] + math.sin(roll) * down[2],
        math.cos(roll) * down[2] - math.sin(roll) * right[2],
    )
    depth = math.sqrt(max(0.0, 1 - x * x - y * y))
    return (
        math.degrees(math.atan2(x, depth)),
        math.degrees(math.asin(max(-1.0, min(1.0, y)))),
        math.degrees(roll),
    )


def _warp(image: Image, matrix: Floats) -> Image:
    """Return the (112, 112, 3) face under a similarity; shrunk by area first where it is much larger."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:
        image, matrix = _shrunk(image, matrix, scale)
    size_wh = (ALIGNED_SIZE, ALIGNED_SIZE)
    return np.asarray(cv2.warpAffine(image, _of_centers(matrix), size_wh, flags=cv2.INTER_LINEAR), np.uint8)


def _shrunk(image: Image, matrix: Floats, scale: float) -> tuple[Image, Floats]:
    """Return the part of the picture that the face needs, shrunk by area so that nothing aliases, and its matrix."""
    corners = _corners(matrix)
    low = np.clip(np.floor(corners.min(0)).astype(int) - 2, 0, (image.shape[1], image.shape[0]))
    high = np.clip(np.ceil(corners.max(0)).astype(int) + 2, 0, (image.shape[1], image.shape[0]))
    part = image[low[1] : high[1], low[0] : high[0]]
    if 0 in part.shape or scale <= 0:
        return image, matrix
    size = np.maximum(1, np.ceil(np.array(part.shape[1::-1]) * 2 * scale)).astype(int)
    factor = np.array(part.shape[1::-1]) / size  # picture pixels per pixel of the small part, in x and y
    small = cv2.resize(part, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ low
    moved[:, :2] *= factor
    return np.asarray(small, np.uint8), moved


def _of_centers(matrix: Floats) -> NDArray[np.float64]:
    """Return the matrix for OpenCV, which puts 0 into the middle of the first pixel, not at its edge."""
    half = np.full(2, 0.5)
    moved = matrix.astype(np.float64)
    moved[:, 2] += moved[:, :2] @ half - half
    return moved


def _corners(matrix: Floats) -> NDArray[np.float64]:
    """Return the (4, 2) corners of the aligned face in the picture, pixels; zeros where there is no scale."""
    side = float(ALIGNED_SIZE)
    square = np.array([(0, 0), (side, 0), (side, side), (0, side)])
    turn = matrix[:, :2].astype(np.float64)
    if abs(np.linalg.det(turn)) < 1e-12:
        return np.zeros((4, 2))
    found: NDArray[np.float64] = (square - matrix[:, 2]) @ np.linalg.inv(turn).T
    return found


def _inside(matrix: Floats, shape_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Return (112, 112), True where the aligned face shows the picture."""
    turn = matrix[:, :2].astype(np.float64)
    if abs(np.linalg.det(turn)) < 1e-12:
        return np.zeros((ALIGNED_SIZE, ALIGNED_SIZE), bool)
    middle = np.arange(ALIGNED_SIZE) + 0.5
    xy = np.stack(np.meshgrid(middle, middle), -1)
    at = (xy - matrix[:, 2]) @ np.linalg.inv(turn).T
    return np.asarray(((at >= 0) & (at < (shape_hw[1], shape_hw[0]))).all(-1), np.bool_)
