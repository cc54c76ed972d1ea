"""The gate: what keeps a face out, told so that it can be mended."""

from __future__ import annotations

import math
import re
from dataclasses import fields, replace

import pytest

from vedette.gallery.quality import ENROL, MATCH, face_quality, refuse, refuse_count
from vedette.ops.faces import FaceMeasures

GOOD = FaceMeasures(
    eyes_px=60,
    sharpness=0.08,
    yaw_deg=-4,
    pitch_deg=6,
    roll_deg=2,
    brightness=0.45,
    contrast=0.2,
    clipped=0.01,
    inside=1.0,
)


@pytest.mark.parametrize(
    ("spoilt", "reason", "mended"),
    [
        ({"eyes_px": 11}, "size", "go nearer"),
        ({"inside": 0.7}, "clipped", "move to the middle"),
        ({"yaw_deg": -55}, "pose", "look at the camera"),
        ({"pitch_deg": 50}, "pose", "the head is down .* eyes' height"),
        ({"pitch_deg": -50}, "pose", "the head is up"),
        ({"roll_deg": 60}, "pose", "upright"),
        ({"brightness": 0.05}, "dark", "light in front"),
        ({"brightness": 0.95}, "bright", "less light"),
        ({"contrast": 0.02}, "contrast", "clean the lens"),
        ({"clipped": 0.6}, "exposure", "60% of the face"),
        ({"sharpness": 0.005}, "blur", "hold still"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_each_refusal_says_which_and_how_to_mend_it(spoilt, reason, mended):
    face = replace(GOOD, **spoilt)
    for limits in (ENROL, MATCH):
        (refusal,) = refuse(face, limits)
        assert refusal.reason == reason
        assert re.search(mended, refusal.message)
    assert face_quality(face) == 0


def test_a_good_face_passes_and_every_fault_is_told():
    assert refuse(GOOD, ENROL) == refuse(GOOD, MATCH) == ()
    assert face_quality(GOOD) == 1
    bad = replace(GOOD, eyes_px=5, sharpness=0, brightness=0.01)
    assert [r.reason for r in refuse(bad, MATCH)] == ["size", "dark", "blur"]


def test_a_template_must_be_better_than_a_face_to_be_named():
    middling = replace(GOOD, eyes_px=18, yaw_deg=40, sharpness=0.015)
    assert refuse(middling, MATCH) == ()
    assert [r.reason for r in refuse(middling, ENROL)] == ["size", "pose", "blur"]
    assert 0 < face_quality(middling) < 0.5


@pytest.mark.parametrize("name", [field.name for field in fields(FaceMeasures)])
def test_what_could_not_be_measured_does_not_pass(name):
    face = replace(GOOD, **{name: math.nan})
    assert refuse(face, MATCH)
    assert face_quality(face) == 0


def test_one_face_a_picture():
    assert refuse_count(1) == ()
    assert [r.reason for r in (*refuse_count(0), *refuse_count(3))] == ["no_face", "several_faces"]
    assert "3 faces" in refuse_count(3)[0].message
