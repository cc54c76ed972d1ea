"""Find pictures that show the same, in time that grows little faster than their number.

Two prints match where their perceptual hashes differ in at most `SAME_BITS` of 64 bits and their thumbnails look alike.
Hashes that differ in so few bits are equal in one of `SAME_BITS` + 1 parts (pigeonhole): only those are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.types import Image

__all__ = ["SAME_BITS", "Print", "duplicate_groups", "print_of"]

SAME_BITS = 4
SAME_LEVELS = 3.0
"""Mean difference of thumbnails, of 255 levels. With both limits 99 % or more of the copies match that were made of 115
photos as JPEG of quality 40, halved as WebP of 50, shrunk to 96 px or stretched to a square. Frames of a camera that
stands still do not match where somebody has moved through; nor do copies that were cropped, brightened or mirrored.
"""
SIDE, LOW, THUMB = 32, 8, 8


@dataclass(frozen=True, slots=True, eq=False)
class Print:
    """What is kept of a picture: a 64-bit perceptual hash and a thumbnail, (8, 8, 3) uint8."""

    bits: int
    thumb: Image


def print_of(image: Image) -> Print:
    """Return the print of `image`, (H, W, 3) uint8 RGB.

    The hash (pHash; Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010) holds for each
    of the 8 x 8 lowest frequencies of a 32 x 32 px grey picture whether it is above their median.
    """
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    low = cv2.dct(grey.astype(np.float32))[:LOW, :LOW].ravel()
    bits = int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")
    return Print(bits, np.asarray(cv2.resize(image, (THUMB, THUMB), interpolation=cv2.INTER_AREA), np.uint8))


def duplicate_groups(prints: Sequence[Print]) -> list[list[int]]:
    """Return groups of two or more indices into `prints` that show the same, each sorted, the first one's first.

    Matching carries over: a group holds all that is reached from one of its pictures in steps that match.
    """
    if not prints:
        return []
    bits = np.array([one.bits for one in prints], np.uint64)
    thumbs = np.stack([one.thumb.ravel() for one in prints]).astype(np.int16)
    group = np.arange(len(prints))
    for members in _candidates(bits):
        _join_matching(bits[members], thumbs[members], members, group)
    roots = np.array([_root(group, i) for i in range(len(group))])
    order = np.argsort(roots, kind="stable")
    found = np.split(order, np.flatnonzero(np.diff(roots[order])) + 1)
    return sorted(one.tolist() for one in found if len(one) > 1)


def _candidates(bits: NDArray[np.uint64]) -> Iterator[NDArray[np.int64]]:
    """Yield indices of hashes that are equal in one of the parts."""
    for places in np.array_split(np.arange(64), SAME_BITS + 1):
        mask = np.uint64(sum(1 << int(place) for place in places))
        order = np.argsort(bits & mask, kind="stable")
        cuts = np.flatnonzero(np.diff(bits[order] & mask)) + 1
        yield from (members for members in np.split(order, cuts) if len(members) > 1)


def _join_matching(
    bits: NDArray[np.uint64], thumbs: NDArray[np.int16], members: NDArray[np.int64], group: NDArray[np.int64]
) -> None:
    """Join in `group` the `members` that match; `bits` and `thumbs` are theirs."""
    roots = np.array([_root(group, i) for i in members.tolist()])
    for i in range(len(members) - 1):
        others = np.flatnonzero(roots[i + 1 :] != roots[i]) + i + 1
        if not len(others):  # all that are left are one: thousands of a camera that stands still
            return
        near = others[np.bitwise_count(bits[others] ^ bits[i]) <= SAME_BITS]
        alike = near[np.abs(thumbs[near] - thumbs[i]).mean(1) <= SAME_LEVELS]
        if len(alike):
            joined = np.unique(np.append(roots[alike], roots[i]))
            roots[np.isin(roots, joined)] = group[joined] = joined[0]


def _root(group: NDArray[np.int64], i: int) -> int:
    while group[i] != i:
        group[i] = group[group[i]]  # halve the way for the next who asks
        i = int(group[i])
    return i
