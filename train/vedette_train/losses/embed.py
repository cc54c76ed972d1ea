"""The embedder's loss: be where the teacher puts a face, keep its distances, stay away from everybody else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras import ops

__all__ = ["Weights", "embed_loss", "margin_loss", "relation_loss", "unit"]

SCALE = 32.0  # of the cosines in the margin loss


@dataclass(frozen=True, slots=True)
class Weights:
    """What counts how much.

    Attributes:
        relation: of `relation_loss`.
        margin: of `margin_loss`.
        arc_margin: radians added to the angle to one's own prototype (ArcFace, Deng et al., CVPR 2019).
        cos_margin: taken from the cosine with it (CosFace, Wang et al., CVPR 2018).
    """

    relation: float
    margin: float
    arc_margin: float
    cos_margin: float


def embed_loss(target: Any, outputs: Any, prototypes: Any, weights: Weights) -> Any:
    """Return the scalar loss of a batch.

    Args:
        target: ``wanted`` (n, d) unit length, where the teacher puts each face; ``identity`` (n,) int32, a row of
            `prototypes`.
        outputs: ``embedding`` (n, d) of any length.
        prototypes: (k, d) unit length, one for each identity.
        weights: of the parts; the distance from the teacher counts 1.
    """
    found, wanted = unit(outputs["embedding"]), target["wanted"]
    loss = ops.mean(1 - ops.sum(found * wanted, -1))
    if weights.relation:
        loss += weights.relation * relation_loss(found, wanted)
    if weights.margin:
        loss += weights.margin * margin_loss(found, target["identity"], prototypes, weights)
    return loss


def unit(x: Any) -> Any:
    """Return rows of unit length."""
    return x / ops.sqrt(ops.sum(ops.square(x), -1, keepdims=True) + 1e-12)


def relation_loss(found: Any, wanted: Any) -> Any:
    """Return how far the cosines within a batch are from the teacher's: mean square over their variance.

    As the distances of Relational Knowledge Distillation (Park et al., CVPR 2019), for unit vectors.
    """
    mine, theirs = (ops.matmul(x, ops.transpose(x)) for x in (found, wanted))
    return ops.mean(ops.square(mine - theirs)) / (ops.var(theirs) + 1e-6)


def margin_loss(found: Any, identity: Any, prototypes: Any, weights: Weights) -> Any:
    """Return the mean cross-entropy over identities, with the margins for one's own (Deng et al., ibid., eq. 4).

    The prototypes do not move: they are the teacher's, so that no head has to be learned from four photos a person.
    """
    cos = ops.matmul(found, ops.transpose(prototypes))
    own = ops.sum(found * ops.take(prototypes, identity, 0), -1)
    angle = ops.arccos(ops.clip(own, -1 + 1e-6, 1 - 1e-6)) + weights.arc_margin
    # beyond 180 degrees the cosine would rise again
    harder = ops.cos(ops.minimum(angle, 3.14159)) - weights.cos_margin
    mine = ops.one_hot(identity, prototypes.shape[0])
    logits = SCALE * (cos + mine * (harder - own)[:, None])
    return -ops.mean(ops.sum(mine * ops.log_softmax(logits), -1))
