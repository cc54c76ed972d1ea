"""One name a track, earned over time, whatever the frame rate."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from vedette.errors import SettingsError
from vedette.gallery.values import Decision
from vedette.gallery.votes import Identity, IdentityVotes, VoteRules

ANN = Decision(1, "Ann", 0.8, 0.5, 0.5, "known")
BOB = Decision(2, "Bob", 0.8, 0.5, 0.5, "known")
NOBODY = Decision(None, "", 0.2, 0.1, 0.5, "below_threshold")


def play(
    votes: IdentityVotes, decisions, *, fps: float, quality: float = 1.0, start_s: float = 0.0
) -> list[str]:
    return [
        votes.vote(7, decision, quality=quality, time_s=start_s + i / fps).name
        for i, decision in enumerate(decisions)
    ]


@pytest.mark.parametrize("fps", [3, 10, 30, 60])
def test_a_name_takes_the_same_time_at_every_rate(fps):
    names = play(IdentityVotes(), [ANN] * 3 * fps, fps=fps)
    first_s = names.index("Ann") / fps
    assert (
        0.5 <= first_s <= 0.7 + 1 / fps
    )  # half a second of evidence, a little of it faded, and the frame it falls in
    assert names[names.index("Ann") :] == ["Ann"] * (len(names) - names.index("Ann"))


def test_one_frame_names_nobody_and_a_stranger_stays_unknown():
    assert play(IdentityVotes(), [ANN], fps=10) == [""]
    assert set(play(IdentityVotes(), [NOBODY] * 50, fps=10)) == {""}
    assert IdentityVotes().identity(7) == Identity()


def test_bad_pictures_take_longer():
    slow = play(IdentityVotes(), [ANN] * 60, fps=10, quality=0.25)
    quick = play(IdentityVotes(), [ANN] * 60, fps=10)
    assert slow.index("Ann") > 3 * quick.index("Ann")
    assert set(play(IdentityVotes(), [ANN] * 60, fps=10, quality=0.0)) == {""}


@pytest.mark.parametrize("fps", [5, 30])
def test_a_name_does_not_flicker(fps):
    """A third of the frames, seeded, are wrong or unknown; a vote by frame would change 100 times."""
    rng = np.random.default_rng(3)
    decisions = rng.choice([ANN, ANN, ANN, ANN, NOBODY, BOB], size=20 * fps)
    names = play(IdentityVotes(), decisions, fps=fps)
    changes = sum(a != b for a, b in pairwise(names))
    assert changes == 1
    assert names[-1] == "Ann"


def test_a_name_is_kept_longer_than_it_is_earned():
    """Hysteresis: with four of ten votes a name is kept, and not given."""
    mixed = ([ANN] * 4 + [NOBODY] * 6) * 20
    assert set(play(IdentityVotes(), mixed, fps=100)) == {""}
    votes = IdentityVotes()
    play(votes, [ANN] * 100, fps=50)
    assert set(play(votes, mixed * 3, fps=100, start_s=2.0)) == {"Ann"}


def test_somebody_else_takes_the_track_over_and_never_both():
    votes = IdentityVotes()
    play(votes, [ANN] * 60, fps=20)
    names = play(votes, [BOB] * 200, fps=20, start_s=3.0)
    assert names[0] == "Ann"
    assert names[-1] == "Bob"
    assert names == sorted(names), "Ann, then Bob, and no way back"
    share = votes.identity(7).share
    assert 0.9 < share <= 1


def test_who_leaves_is_forgotten():
    votes = IdentityVotes()
    play(votes, [ANN] * 40, fps=20)
    assert play(votes, [NOBODY] * 200, fps=20, start_s=2.0)[-1] == ""


def test_a_gap_speaks_for_half_a_second_only():
    votes = IdentityVotes(VoteRules(min_evidence_s=0.6))
    votes.vote(1, ANN, quality=1.0, time_s=0)
    assert votes.vote(1, ANN, quality=1.0, time_s=30).name == ""


def test_time_that_runs_backwards_counts_as_none():
    votes = IdentityVotes()
    play(votes, [ANN] * 40, fps=20)
    assert votes.vote(7, BOB, quality=1.0, time_s=-1000).name == "Ann"
    assert votes.vote(7, ANN, quality=1.0, time_s=2.0).name == "Ann"


def test_tracks_are_apart_and_end():
    votes = IdentityVotes()
    for i in range(20):
        votes.vote(1, ANN, quality=1.0, time_s=i / 10)
        votes.vote(2, BOB, quality=1.0, time_s=i / 10)
    assert (votes.identity(1).name, votes.identity(2).name) == ("Ann", "Bob")
    votes.forget_person(1)
    assert votes.identity(1) == Identity()
    assert votes.identity(2).name == "Bob"
    votes.end(2)
    assert votes.identity(2) == Identity()


def test_tracks_that_nobody_ends_do_not_pile_up():
    votes = IdentityVotes()
    for i in range(1000):
        votes.vote(i, ANN, quality=1.0, time_s=float(i))
    assert len(votes._tracks) <= 62


@pytest.mark.parametrize(
    "rules",
    [{"leave_share": 0.7}, {"enter_share": 0.4}, {"half_life_s": 0}, {"gap_s": -1}, {"min_evidence_s": 0}],
    ids=str,
)
def test_rules_that_cannot_be_are_refused(rules):
    with pytest.raises(SettingsError):
        VoteRules(**rules)
