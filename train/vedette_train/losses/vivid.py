"""Pleasing rather than faithful: a rival network learns what real pictures look like, and is to be deceived."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from vedette_train.losses.enhance import charbonnier
from vedette_train.perceptual import apart

__all__ = ["VividLoss"]

LIKENESS = 0.5


class VividLoss:
    """The loss of both networks at once; see `__call__`.

    Args:
        rival: answers (n, h, w, 1) logits: how real each region of a picture is.
        features: see `vedette_train.perceptual`.
        weight: of the rival's judgement.
    """

    def __init__(self, rival: keras.Model, features: keras.Model, weight: float) -> None:
        self._rival, self._features, self._weight = rival, features, weight

    def __call__(self, wanted: Any, found: Any) -> Any:
        """Return how far `found` is from `wanted` in pixels and features, and how the two networks judge each other.

        Relativistic average GAN (Jolicoeur-Martineau, ICLR 2019), as ESRGAN has it (Wang et al., ECCV workshops 2018):
        real pictures are to look more real than made ones on average; the other way round for who makes them. What is
        made teaches the rival, the rival as it stands teaches the maker: one step serves both.

        Args:
            wanted: (n, H, W, 3), 0..1.
            found: what the network made, of the same shape.
        """
        judged = self._doubt(self._rival(wanted), self._rival(ops.stop_gradient(found)))
        deceived = self._doubt(self._held(found), self._held(wanted))
        likeness = LIKENESS * apart(self._features, wanted, found)
        return charbonnier(wanted, found) + likeness + self._weight * deceived + judged

    def _held(self, image: Any) -> Any:
        """Return what the rival says, which learns nothing from it."""
        weights = [ops.stop_gradient(ops.convert_to_tensor(v)) for v in self._rival.trainable_variables]
        return self._rival.stateless_call(weights, self._rival.non_trainable_variables, image)[0]

    @staticmethod
    def _doubt(more: Any, less: Any) -> Any:
        """Return how little `more` looks more real than `less` on average, and `less` less."""
        first, second = more - ops.mean(less), less - ops.mean(more)
        return (ops.mean(ops.softplus(-first)) + ops.mean(ops.softplus(second))) / 2
