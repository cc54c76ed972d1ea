"""Copies are found, other pictures are not, and the search does not compare all with all."""

import time

import cv2
import numpy as np
import pytest
from skimage import data

from vedette_train.data.duplicates import SAME_BITS, Print, duplicate_groups, print_of
from written import picture

PHOTO = cv2.resize(data.astronaut(), (360, 300), interpolation=cv2.INTER_AREA)


def coded(kind, image, *options):
    return cv2.imdecode(cv2.imencode(kind, image, options)[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(PHOTO.copy(), id="exact"),
        pytest.param(coded(".jpg", PHOTO, cv2.IMWRITE_JPEG_QUALITY, 40), id="JPEG 40"),
        pytest.param(cv2.resize(PHOTO, (180, 150), interpolation=cv2.INTER_AREA), id="half"),
        pytest.param(cv2.resize(PHOTO, (224, 224)), id="stretched"),
    ],
)
def test_copies_are_found(copy):
    others = [print_of(picture(seed)) for seed in range(20)]

    assert duplicate_groups([*others, print_of(PHOTO), print_of(copy)]) == [[20, 21]]


def test_flat_pictures_of_other_colours_are_no_copies():
    flat = [
        print_of(np.full((50, 60, 3), rgb, np.uint8)) for rgb in ((0, 0, 0), (255, 255, 255), (200, 0, 0))
    ]

    assert duplicate_groups(flat) == []


@pytest.mark.parametrize("prints", [[], [print_of(PHOTO)]], ids=["none", "one"])
def test_few_pictures_hold_no_copies(prints):
    assert duplicate_groups(prints) == []


def made(rng, count):
    """Return prints of which some differ in a few bits, some in a few levels, and chains of such."""
    bits = rng.integers(0, 2**63, count)
    thumbs = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    for i in range(count // 2, count):
        of = int(rng.integers(i))
        flips = rng.choice(63, int(rng.integers(0, SAME_BITS + 3)), replace=False)
        bits[i] = bits[of] ^ int(sum(1 << int(k) for k in flips))
        thumbs[i] = np.clip(thumbs[of].astype(int) + rng.integers(-6, 7), 0, 255)
    return [Print(int(b), t) for b, t in zip(bits, thumbs, strict=True)]


def all_with_all(prints):
    """Return the groups as the definition has them."""
    group = list(range(len(prints)))
    for i, a in enumerate(prints):
        for j, b in enumerate(prints[:i]):
            levels = np.abs(a.thumb.astype(int) - b.thumb).mean()
            if (a.bits ^ b.bits).bit_count() <= SAME_BITS and levels <= 3:
                old, new = group[i], group[j]
                group = [new if g == old else g for g in group]
    found = [[i for i, g in enumerate(group) if g == root] for root in dict.fromkeys(group)]
    return sorted(one for one in found if len(one) > 1)


@pytest.mark.parametrize("seed", range(5))
def test_it_finds_what_comparing_all_with_all_finds(seed):
    prints = made(np.random.default_rng(seed), 120)
    wanted = all_with_all(prints)

    assert len(wanted) > 3
    assert duplicate_groups(prints) == wanted


def test_it_does_not_compare_all_with_all():
    """10,000 prints, 1,000 of them of a camera that stands still: all pairs would take minutes in Python."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**63, 10_000)
    bits[:1000] = bits[0]
    thumbs = rng.integers(0, 256, (10_000, 8, 8, 3), dtype=np.uint8)
    thumbs[:1000] = thumbs[0]
    start = time.process_time()
    groups = duplicate_groups([Print(int(b), t) for b, t in zip(bits, thumbs, strict=True)])

    assert groups == [list(range(1000))]
    assert time.process_time() - start < 10  # takes 0.4 s of a quiet machine
