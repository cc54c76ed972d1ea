"""What is said of a threshold: rates in words, and what spoils them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vedette.gallery.calibrate import Calibration, OwnScores
from vedette.gallery.meaning import describe_threshold

MADE = Calibration(
    threshold=0.61234,
    far=0.01,
    far_estimate=0.0043,
    far_interval=(0.00201, 0.00998),
    people=12,
    templates=31,
    scores=200_000,
    strangers=320,
    own=OwnScores(12, 0, 0.4),
    revision=3,
)


def test_a_calibrated_threshold_is_put_in_words() -> None:
    told = describe_threshold(0.61234, MADE, people=12, templates=31)
    assert told["meaning"] == [
        "A stranger is taken for somebody enrolled in at most 1 in 100 searches among 12 people (31 templates).",
        "200,000 scores of 320 strangers show 0.43 % there, between 0.20 % and 1.00 % (95 % confidence at each end).",
    ]
    assert told["warnings"] == []
    assert (told["value"], told["far"], told["stale"], told["fits"]) == (0.6123, 0.01, False, True)


@pytest.mark.parametrize(
    ("far", "words"),
    [
        pytest.param(0.1, "1 in 10 searches", id="a tenth"),
        pytest.param(1e-3, "1 in 1,000 searches", id="a thousandth"),
        pytest.param(0.015, "1.5 % of searches", id="not one in something"),
    ],
)
def test_rates(far: float, words: str) -> None:
    told = describe_threshold(0.6, replace(MADE, far=far), people=12, templates=31)
    assert words in told["meaning"][0]


@pytest.mark.parametrize(
    ("made", "templates", "words"),
    [
        pytest.param(replace(MADE, stale=True), 40, "named more often", id="grown"),
        pytest.param(replace(MADE, stale=True), 30, "come or gone", id="shrunk"),
        pytest.param(replace(MADE, own=OwnScores(12, 5, 0.9)), 31, "5 of 12 enrolled people", id="alike"),
    ],
)
def test_what_spoils_it_is_said(made: Calibration, templates: int, words: str) -> None:
    (warning,) = describe_threshold(0.6, made, people=12, templates=templates)["warnings"]
    assert words in warning


def test_before_a_calibration_nothing_is_promised() -> None:
    told = describe_threshold(0.8, None, people=2, templates=5)
    assert "far" not in told
    assert "a rate that was not measured" in told["meaning"][1]
    assert len(describe_threshold(0.8, None, people=0, templates=0)["meaning"]) == 1


def test_an_empty_gallery_and_a_rate_of_nought_have_words_too() -> None:
    made = replace(MADE, people=0, templates=0, far_estimate=0.0, far_interval=(0.0, 0.0))
    told = describe_threshold(0.6, made, people=0, templates=0)
    assert "among nobody yet" in told["meaning"][0]
    assert "show 0 % there, between 0 % and 0 %" in told["meaning"][1]
