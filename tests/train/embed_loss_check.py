"""Print what the embedder's losses and network do in cases by hand, as JSON. A program: Keras loads in it alone."""

import json

import numpy as np
from keras import ops

from vedette_train.losses.embed import Weights, embed_loss, margin_loss, relation_loss
from vedette_train.models.embed import embed_network

PROTOTYPES = np.eye(3, dtype=np.float32)
FACES = np.array([[0.8, 0.6, 0.0], [0.0, 0.6, 0.8]], np.float32)
IDENTITY = np.array([0, 2], np.int32)


def weights(**changes):
    return Weights(**{"relation": 0.0, "margin": 0.0, "arc_margin": 0.0, "cos_margin": 0.0, **changes})


def margin(**changes):
    return float(margin_loss(*map(ops.convert_to_tensor, (FACES, IDENTITY, PROTOTYPES)), weights(**changes)))


def whole(found, **changes):
    target = {"wanted": FACES, "identity": IDENTITY}
    return float(
        embed_loss(target, {"embedding": found}, ops.convert_to_tensor(PROTOTYPES), weights(**changes))
    )


def main():
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0].astype(np.float32)
    start = np.full(16, 0.25, np.float32)
    _, small = embed_network(size=16, width=0.25, backbone=None, start=start)
    _, full = embed_network(size=128, width=1.0, backbone=None, start=np.zeros(128, np.float32))
    noise = rng.normal(0, 1, (4, 112, 112, 3)).astype(np.float32)
    found = np.asarray(small.predict_on_batch(noise)["embedding"])
    print(json.dumps({
        "plain": margin(), "arc": margin(arc_margin=0.2), "cos": margin(cos_margin=0.1),
        "far beyond": margin(arc_margin=3.0),
        "turned": float(relation_loss(*map(ops.convert_to_tensor, (FACES @ turn, FACES)))),
        "alike": float(relation_loss(*map(ops.convert_to_tensor, (FACES[[0, 0]], FACES)))),
        "same": whole(5 * FACES), "opposite": whole(-FACES), "sum": whole(-FACES, relation=0.5, margin=0.1),
        "start": (found @ start / np.linalg.norm(found, axis=1) / np.linalg.norm(start)).tolist(),
        "weights": [small.count_params(), full.count_params()], "shape": list(full.outputs[0].shape),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
