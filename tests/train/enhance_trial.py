"""Try enhancement in one process: `enhance_trial.py FOLDER DATA` fits each kind briefly, exports it into FOLDER/KIND
and prints what was found, as JSON. Keras loads in it alone.
"""

import json
import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from vedette.ops.curves import apply_curves
from vedette_train.data.photos import read_photos
from vedette_train.export_enhance import REACH_PX, Measure, network_of
from vedette_train.fit import fit
from vedette_train.losses.enhance import Light, brighten, charbonnier, light_loss, luma_first
from vedette_train.losses.vivid import VividLoss
from vedette_train.models.enhance import rival_network
from vedette_train.models.ranged import Ranged
from vedette_train.perceptual import apart, feature_network
from vedette_train.recipes import enhance
from vedette_train.recipes.enhance import Settings

SHORT = {
    "input": (64, 64),
    "patch": 32,
    "batch": 4,
    "epochs": 2,
    "steps": 30,
    "rate": 1e-3,
    "ema": 0.9,
}
KINDS = {
    "sr": {"scale": 2},
    "denoise": {},
    "lowlight": {"steps": 60},
}


def fitted(folder, name, data, **changes):
    """Return figures of a run before, after and without it; the run stands in folder/name, exported."""
    settings = Settings(data=data, **{**SHORT, **changes})
    measure = Measure(read_photos(data)["val"], settings)
    untrained = measure(network_of(settings, settings.input))
    done = fit(settings, partial(enhance.job, settings), folder / name)
    enhance.export(settings, folder / name)
    told = json.loads((folder / name / "metrics.json").read_text())
    return {**told, "untrained": untrained, "ema": measure(done.network)}


def reach(kind, **changes):
    """Return how far from a changed pixel the answer changes, px."""
    settings = Settings(data=Path("none"), kind=kind, input=(160, 160), width=0.25, **changes)
    network = network_of(settings, settings.input)
    rng = np.random.default_rng(2)
    # all weights positive and no ReLU ever shut: nothing that is connected cancels out
    network.set_weights(
        [np.abs(rng.normal(0.05, 0.02, w.shape)).astype(np.float32) for w in network.get_weights()]
    )
    flat = np.full((1, 160, 160, 3), 0.5, np.float32)
    farthest, scale = 0, settings.task.scale
    for place in range(80, 88, 3):
        touched = flat.copy()
        touched[0, place, place] = 1.0
        both = [np.asarray(network.predict_on_batch(x)["enhanced"][0]) for x in (flat, touched)]
        seen = np.argwhere(np.abs(both[1] - both[0]).max(-1) > 0) // scale
        farthest = max(farthest, int(np.abs(seen - place).max()))
    return farthest


def rounding():
    """Return what the layers that round do."""
    x = np.linspace(-0.3, 1.4, 64, dtype=np.float32).reshape(1, 4, 4, 4)
    unit = np.asarray(Ranged(rounded=True, limits=(0.0, 1.0))(x))
    follows = Ranged(rounded=True)
    many = np.linspace(-0.3, 1.4, 3_100_001, dtype=np.float32)
    many[31 * 7] = 100  # one value far out
    first = np.asarray(follows(many, training=True))
    after_first = [float(follows.low), float(follows.high)]
    follows(many * 2, training=True)
    return {
        "unit": float(np.abs(unit - np.round(np.clip(x, 0, 1) * 255) / 255).max()),

        "first": float(np.sort(np.abs(first - many))[-2]), "far": float(first[31 * 7]), "after_first": after_first,
        "after_second": [float(follows.low), float(follows.high)],
        "asleep": bool((np.asarray(Ranged()(x)) == x).all()),
    }  # fmt: skip


def losses():
    """Return losses in cases by hand."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (1, 64, 48, 3)).astype(np.uint8)
    curves = rng.uniform(-1, 1, (1, 8, 6, 12)).astype(np.float32)
    there = np.asarray(brighten(image.astype(np.float32) / 255, ops.convert_to_tensor(curves), 4))[0]
    here = apply_curves(image[0], curves[0])
    flat, still = np.full((1, 64, 64, 3), 0.25, np.float32), np.zeros((1, 8, 8, 3), np.float32)
    light = Light(0.6, 1)
    lit = np.full((1, 64, 64, 3), 0.8, np.float32)
    steep = still.copy()
    steep[:, :, 4:] = 0.5
    return {
        "charbonnier": float(charbonnier(ops.convert_to_tensor([1.0, 2.0]), ops.convert_to_tensor([1.5, 2.0]))),
        "luma first": float(luma_first(ops.zeros((1, 2, 2, 3)), ops.zeros((1, 2, 2, 3)) + np.float32([0.5, 0, 0]))),
        "same curves": float(np.abs(np.rint(np.clip(there, 0, 1) * 255) - here).max()),
        "dark": float(light_loss(flat, still, light)), "lit": float(light_loss(lit, still, light)),
        "coloured": float(light_loss(lit * np.float32([1, 0.5, 0.5]), still, Light(0.1, 1))),
        "reddened": float(light_loss(lit / 2, still + np.float32([0.5, 0, 0]), Light(0.1, 1))),
        "steep": float(light_loss(lit, steep, light)) - float(light_loss(lit, steep * 0, light)),
    }  # fmt: skip


def backbone(path):
    """Write a small network with a map of each stride."""
    image = x = keras.Input((64, 64, 3))
    for i in range(5):
        x = keras.layers.Conv2D(8, 3, 2, "same", activation="relu", name=f"c{i}")(x)
    keras.Model(image, x).save(path)
    return path


def vivid(folder, data):
    """Return figures of a vivid run, and what teaches its rival."""
    given = {"kind": "sr", "scale": 2, "vivid": backbone(folder / "backbone.keras"), "optimizer": "adamw"}
    told = fitted(folder, "vivid", data, init=folder / "sr", **{**given, "rate": 1e-4})
    rng = np.random.default_rng(4)
    wanted, found = (tf.constant(rng.random((2, 64, 64, 3)), tf.float32) for _ in range(2))
    rival, features = rival_network((64, 64)), feature_network((64, 64), given["vivid"])
    taught = []
    for weight in (0.0, 100.0):
        with tf.GradientTape() as tape:
            tape.watch(found)
            value = VividLoss(rival, features, weight)(wanted, found)
        variables = [v.value for v in rival.trainable_variables]
        *rivals, mine = tape.gradient(value, [*variables, found])
        taught.append([np.concatenate([g.numpy().ravel() for g in rivals]), mine.numpy()])
    contract = json.loads((folder / "vivid" / "contract.json").read_text())
    same = feature_network((64, 64), given["vivid"])
    return {
        **told,
        "rival": float(np.abs(taught[0][0] - taught[1][0]).max()),
        "rival learns": float(np.abs(taught[0][0]).max()),
        "maker": float(np.abs(taught[0][1] - taught[1][1]).max()),
        "name": contract["name"],
        "invents": contract["head"].get("invents"),
        "equal": float(apart(same, wanted, wanted)),
        "different": float(apart(same, wanted, found)),
    }


def main():
    folder, data = map(Path, sys.argv[1:])
    told = {
        "reach": {kind: reach(kind, **changes) for kind, changes in (("sr", {"scale": 2}), ("denoise", {}))},
        "promised": REACH_PX,
        "rounding": rounding(),
        "losses": losses(),
    }
    keras.utils.set_random_seed(1)
    for kind, changes in KINDS.items():
        told[kind] = fitted(folder, kind, data, kind=kind, **changes)
    rounded = {"kind": "sr", "scale": 2, "rounded": True, "init": folder / "sr", "epochs": 1, "rate": 1e-3}
    told["rounded"] = fitted(folder, "rounded", data, **rounded)
    told["vivid"] = vivid(folder, data)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
