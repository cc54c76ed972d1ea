"""Alignment to the pixel, and measures that move with what they measure."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from vedette.ops import faces
from vedette.ops.faces import (
    ALIGNED_POINTS,
    ALIGNED_SIZE,
    FaceMeasures,
    align,
    face_pose,
    measure_face,
    similarity,
)


def turned(angle_deg: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """Return the landmarks of an aligned face after a similarity."""
    turn = math.radians(angle_deg)
    matrix = scale * np.array([(math.cos(turn), -math.sin(turn)), (math.sin(turn), math.cos(turn))])
    return (ALIGNED_POINTS @ matrix.T + shift).astype(np.float32)


def textured(size: int = 112, *, grain: int = 16) -> np.ndarray:
    """Return a smooth random picture of `grain` spots a side, (size, size, 3)."""
    noise = np.random.default_rng(0).integers(0, 256, (grain, grain, 3), np.uint8)
    return cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("angle_deg", [0, 30, -90, 179])
@pytest.mark.parametrize("scale", [0.2, 1, 7])
def test_a_similarity_is_undone_exactly(angle_deg, scale):
    landmarks = turned(angle_deg, scale, (40, -25))
    matrix = similarity(landmarks)
    np.testing.assert_allclose(landmarks @ matrix[:, :2].T + matrix[:, 2], ALIGNED_POINTS, atol=2e-3)
    assert np.hypot(*matrix[:, 0]) == pytest.approx(1 / scale, rel=1e-5)


def test_it_is_the_least_squares_fit_of_scikit_image():
    transform = pytest.importorskip("skimage.transform")
    rng = np.random.default_rng(0)
    for _ in range(20):
        landmarks = (turned(rng.uniform(-60, 60), 2, (50, 60)) + rng.normal(0, 6, (5, 2))).astype(np.float32)
        wanted = transform.estimate_transform("similarity", landmarks, ALIGNED_POINTS).params[:2]
        np.testing.assert_allclose(similarity(landmarks), wanted, rtol=1e-3, atol=1e-3)


def test_an_aligned_face_comes_back_as_it_is():
    image = textured()
    (face,) = align(image, ALIGNED_POINTS[None])
    np.testing.assert_array_equal(face, image)


@pytest.mark.parametrize("scale", [1.0, 1.7, 3.0, 9.0])
def test_a_face_in_a_larger_picture_is_found_in_place(scale):
    """A spot on the nose must lie on the aligned nose, also where the picture is shrunk by area first."""
    landmarks = turned(25, scale, (60 * scale, 40 * scale))
    side = round(260 * scale)
    image = np.zeros((side, side, 3), np.uint8)
    for point in landmarks:
        center = tuple(int(v) for v in np.round((point - 0.5) * 16))
        cv2.circle(image, center, round(3 * scale * 16), (255, 255, 255), -1, cv2.LINE_AA, 4)
    (face,) = align(image, landmarks[None])
    for point in ALIGNED_POINTS:
        left, top = np.floor(point - 6).astype(int)
        part = face[top : top + 13, left : left + 13, 0].astype(float)
        rows, columns = np.indices(part.shape) + 0.5
        middle = np.array([(columns * part).sum(), (rows * part).sum()]) / part.sum() + (left, top)
        np.testing.assert_allclose(
            middle, point, atol=0.2
        )  # a fifth of a pixel: circles are drawn on whole pixels


def test_shrinking_does_not_alias():
    """A checkerboard of single pixels is grey from afar; picking pixels would keep its black and white."""
    board = (np.indices((1200, 1200)).sum(0) % 2 * 255).astype(np.uint8)
    image = np.repeat(board[..., None], 3, 2)
    (face,) = align(image, turned(0, 8, (100, 100))[None])
    assert face.std() < 8
    assert face.mean() == pytest.approx(127.5, abs=3)


def test_no_face_many_faces_and_faces_that_cannot_be():
    image = textured(200)
    assert align(image, np.zeros((0, 5, 2), np.float32)).shape == (0, ALIGNED_SIZE, ALIGNED_SIZE, 3)
    assert align(image, np.stack([ALIGNED_POINTS, ALIGNED_POINTS + 30])).shape[0] == 2
    for landmarks in (
        np.full((5, 2), 50),
        turned(0, 1, (5000, 5000)),
        turned(0, 40, (0, 0)),
        turned(0, 1e-3, (5, 5)),
    ):
        points = landmarks.astype(np.float32)
        assert align(image, points[None]).shape == (1, ALIGNED_SIZE, ALIGNED_SIZE, 3)
        measures = measure_face(image, points)
        assert all(math.isfinite(getattr(measures, name)) for name in FaceMeasures.__slots__)
    assert measure_face(image, turned(0, 1, (5000, 5000)).astype(np.float32)).inside == 0


def seen(yaw_deg: float, pitch_deg: float, roll_deg: float, *, distance: float = math.inf) -> np.ndarray:
    """Return the landmarks of the generic head, turned; in perspective from `distance` eye distances where given."""
    yaw, pitch, roll = (math.radians(angle) for angle in (yaw_deg, pitch_deg, roll_deg))
    about_y = np.array([(math.cos(yaw), 0, math.sin(yaw)), (0, 1, 0), (-math.sin(yaw), 0, math.cos(yaw))])
    about_x = np.array(
        [(1, 0, 0), (0, math.cos(pitch), math.sin(pitch)), (0, -math.sin(pitch), math.cos(pitch))]
    )
    about_z = np.array([(math.cos(roll), -math.sin(roll), 0), (math.sin(roll), math.cos(roll), 0), (0, 0, 1)])
    xyz = np.array(faces._HEAD) @ (about_z @ about_y @ about_x).T
    near = 1 if math.isinf(distance) else distance / (distance - xyz[:, 2:])
    return (xyz[:, :2] * near * 50 + 100).astype(np.float32)


@pytest.mark.parametrize("yaw_deg", [-50, -20, 0, 35])
@pytest.mark.parametrize("pitch_deg", [-30, 0, 25])
@pytest.mark.parametrize("roll_deg", [-40, 0, 15])
def test_the_pose_of_the_generic_head_is_found(yaw_deg, pitch_deg, roll_deg):
    angles = (yaw_deg, pitch_deg, roll_deg)
    assert face_pose(seen(*angles)) == pytest.approx(angles, abs=1e-3)
    near = face_pose(seen(*angles, distance=8))  # half a metre: perspective costs some degrees
    assert near == pytest.approx(angles, abs=9)


def test_the_signs_of_the_pose_are_those_told():
    right, down = ALIGNED_POINTS.copy(), ALIGNED_POINTS.copy()
    right[2, 0] += 8
    down[2, 1] += 8
    assert face_pose(right)[0] > 10
    assert face_pose(down)[1] > face_pose(ALIGNED_POINTS)[1] + 10
    assert face_pose(turned(20, 1, (0, 0)))[2] == pytest.approx(face_pose(ALIGNED_POINTS)[2] + 20, abs=0.1)


def test_blur_lowers_sharpness_and_light_does_not():
    image = textured(224, grain=28)
    points = turned(0, 2, (0, 0))
    sharp = measure_face(image, points).sharpness
    blurred = [measure_face(cv2.GaussianBlur(image, (0, 0), sigma), points).sharpness for sigma in (4, 6)]
    assert [sharp, *blurred] == sorted([sharp, *blurred], reverse=True)
    assert blurred[0] < 0.7 * sharp
    dim = measure_face((image * 0.5).astype(np.uint8), points)
    assert dim.sharpness == pytest.approx(sharp, rel=0.05)  # rounding to whole grey levels


def test_size_light_and_edges_are_measured():
    image = np.full((300, 300, 3), 100, np.uint8)
    plain = measure_face(image, turned(0, 1.5, (30, 30)))
    assert plain.eyes_px == pytest.approx(1.5 * np.hypot(*(ALIGNED_POINTS[1] - ALIGNED_POINTS[0])), rel=1e-5)
    assert (plain.contrast, plain.clipped, plain.inside, plain.sharpness) == (0, 0, 1, 0)
    assert plain.brightness == pytest.approx(100 / 255)
    half = measure_face(image, turned(0, 1, (-56, 50)))
    assert half.inside == pytest.approx(0.5, abs=0.01)
    assert half.brightness == pytest.approx(100 / 255), (
        "what lies outside the picture is not dark, it is unknown"
    )
    image[:, 150:] = 255
    lit = measure_face(image, turned(0, 1, (94, 94)))
    assert lit.clipped == pytest.approx(0.5, abs=0.01)
    assert lit.contrast == pytest.approx(155 / 255 / 2, rel=0.02)
