"""Try the engine on a toy task in one process: `trials.py FOLDER NAME...` prints what each trial found, as JSON."""

import contextlib
import csv
import io
import json
import resource
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from vedette.errors import VedetteError
from vedette_train.backbone import open_backbone
from vedette_train.distill import distance, open_teacher
from vedette_train.fit import fit
from vedette_train.folder import kept_network, save, save_weights
from vedette_train.job import Job
from vedette_train.models.classify import classify_network
from vedette_train.models.detect import body_and_network
from vedette_train.models.face import face_network
from vedette_train.optimizers import Muon
from vedette_train.prune import narrowed, prune
from vedette_train.settings import FitSettings

CLASSES = 4
SIDE = 32


def network(width=16):
    """Return a network in which channels meet: an addition, a concatenation, a depthwise convolution."""
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = layers.Conv2D(width, 3, 2, "same", use_bias=False, name="stem")(image)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9, name="stem_bn")(x))
    y = layers.DepthwiseConv2D(3, 1, "same", name="filter")(x)
    y = layers.Conv2D(width, 1, name="project")(y)
    x = layers.Add(name="around")([x, y])
    z = layers.Conv2D(16, 3, 2, "same", activation="relu", name="down")(x)
    z = layers.Concatenate(name="both")([z, layers.MaxPooling2D()(x)])
    z = layers.Conv2D(16, 3, 8, "same", activation="relu", name="last")(z)
    mean = layers.GlobalAveragePooling2D(name="mean")(z)
    return keras.Model(image, {"logits": layers.Dense(CLASSES, name="logits")(mean)})


def example(rng):
    """Return a picture whose colour and brightness tell its class."""
    class_id = int(rng.integers(CLASSES))
    image = rng.normal(0, 0.3, (SIDE, SIDE, 3)).astype(np.float32)
    image[..., class_id % 3] += 0.8 if class_id < 3 else -0.8
    return image, {"class_id": np.int32(class_id)}


def loss(target, outputs):
    """Return the cross-entropy."""
    wanted = ops.one_hot(target["class_id"], CLASSES)
    return -ops.mean(ops.sum(wanted * ops.log_softmax(outputs["logits"]), -1))


def batch(count=64, seed=5):
    """Return pictures and classes that no run draws."""
    made = [example(np.random.default_rng([99, seed, i])) for i in range(count)]
    return np.stack([x for x, _ in made]), np.array([y["class_id"] for _, y in made])


def top1(trained):
    """Return the share of right answers."""
    x, wanted = batch()
    return float((np.asarray(trained.predict_on_batch(x)["logits"]).argmax(1) == wanted).mean())


def toy(**changes):
    """Return a job for the toy task."""
    net = changes.pop("network", None) or network()
    given = {"network": net, "loss": loss, "example": example, "watch": "top1"}
    return Job(**{**given, "measure": lambda trained: {"top1": top1(trained)}, **changes})


def settings(**changes):
    """Return settings for a run of seconds."""
    short = {"epochs": 3, "steps": 10, "batch": 8, "rate": 0.02, "ema": 0.8}
    return FitSettings(**{"data": Path("none"), **short, **changes})


def refused(call):
    """Return what a call is refused with."""
    try:
        call()
    except VedetteError as error:
        return str(error)
    return "nothing"


def try_learning(folder):
    said = []
    job = fit(settings(), toy, folder / "base", say=said.append)
    return {"top1": top1(job.network), "untrained": top1(network()), "said": said}


def try_muon(folder):
    """Learn with Muon, and look at a step of it on kernels of a convolution and of a depthwise one."""
    job = fit(settings(optimizer="muon"), toy, folder / "muon")
    net, rate = network(), 0.01
    muon = Muon(rate, weight_decay=0.0, adam_lr_ratio=0.5)
    kernels = {n: net.get_layer(n).kernel for n in ("down", "filter")}
    muon.factors = {kernels["down"].path: 0.1}
    before = {name: np.asarray(kernel).copy() for name, kernel in kernels.items()}
    rng = np.random.default_rng(0)
    gradients = [
        ops.convert_to_tensor(rng.normal(size=v.shape).astype("float32")) for v in net.trainable_variables
    ]
    muon.apply(gradients, net.trainable_variables)
    moved = {name: np.asarray(kernel) - before[name] for name, kernel in kernels.items()}
    matrix = moved["down"].reshape(-1, moved["down"].shape[-1])
    unit = rate * 0.1 * 0.2 * max(matrix.shape) ** 0.5
    return {
        "top1": top1(job.network),
        "singular": (np.linalg.svd(matrix, compute_uv=False) / unit).tolist(),
        "depthwise": np.abs(moved["filter"] / (rate * 0.5)).ravel().tolist(),
    }


def try_precision(folder):
    changes = {"precision": "mixed_bfloat16", "accumulate": 2, "steps": 20, "tensorboard": True}
    job = fit(settings(**changes), toy, folder / "mixed")
    computed = job.network.get_layer("stem").compute_dtype
    files = [p.name for p in (folder / "mixed" / "tensorboard").iterdir()]
    return {
        "top1": top1(job.network),
        "computed": computed,
        "policy": keras.config.dtype_policy().name,
        "files": files,
    }


def try_patience(folder):
    said = []
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        patient = settings(epochs=9, patience=2)
        never_better = partial(toy, measure=lambda _: {"top1": 0.5})
        fit(patient, never_better, folder / "patient", bar=True, say=said.append)
    epochs = len((folder / "patient" / "log.csv").read_text().splitlines()) - 1
    return {"epochs": epochs, "shown": shown.getvalue(), "said": said}


def try_freezing(folder):
    kept = {}

    def build():
        net = network()
        body = [net.get_layer(name) for name in ("stem", "stem_bn", "filter", "project")]
        kept["before"] = [w.copy() for layer in body for w in layer.get_weights()[:1]]
        kept["body"] = body
        return toy(network=net, body=body)

    def moved(**changes):
        fit(settings(ema=0.0, **changes), build, folder / f"free{len(list(folder.iterdir()))}")
        after = [w for layer in kept["body"] for w in layer.get_weights()[:1]]
        return [float(np.abs(a - b).max()) for a, b in zip(after, kept["before"], strict=True)]

    kernels = (0, 2, 3)  # without the normalization
    whole = moved()
    slow = moved(body_rate=0.01)
    steep = moved(layer_decay=0.01)
    frozen = moved(freeze=2, epochs=3, body_rate=0.0, weight_decay=0.0)
    return {name: [values[i] for i in kernels] for name, values in (
        ("whole", whole), ("slow", slow), ("steep", steep), ("frozen", frozen)
    )}  # fmt: skip


def try_pruning(folder):
    net = network()
    rng = np.random.default_rng(3)
    dead = np.sort(rng.permutation(16)[:8])
    silence(net, dead)
    x, _ = batch(8)
    before = np.asarray(net.predict_on_batch(x)["logits"])
    small, widths = prune(net, 0.5)
    same, none = prune(net, 0.0)
    after = np.asarray(small.predict_on_batch(x)["logits"])
    small.save_weights(str(folder / "small.weights.h5"))
    again = narrowed(network(), widths)
    again.load_weights(str(folder / "small.weights.h5"))
    return {
        "off": float(np.abs(after - before).max()),
        "spread": float(np.ptp(before)),
        "widths": widths,
        "weights": [net.count_params(), small.count_params()],
        "whole": [none, float(np.abs(np.asarray(same.predict_on_batch(x)["logits"]) - before).max())],
        "together": kept_together(),
        "reloaded": float(np.abs(np.asarray(again.predict_on_batch(x)["logits"]) - after).max()),
    }


def kept_together():
    """Return which channels stay in two layers that meet in an addition and would choose differently alone."""
    net, marks = network(), np.arange(16, dtype=np.float32)
    for name, order in (("stem_bn", marks), ("project", marks[::-1] ** 2)):
        weights = net.get_layer(name).get_weights()
        weights[0 if name == "stem_bn" else 1] = 1 + marks
        if name == "project":
            weights[0] = np.ones_like(weights[0]) * (1 + order)
        net.get_layer(name).set_weights(weights)
    small, _ = prune(net, 0.5)
    gamma, bias = small.get_layer("stem_bn").get_weights()[0], small.get_layer("project").get_weights()[1]
    return [(values - 1).astype(int).tolist() for values in (gamma, bias)]


def silence(net, dead):
    """Make the same channels of the first half, and half of the others, say nothing at all."""
    for name in ("stem", "project", "down", "last"):
        weights = net.get_layer(name).get_weights()
        for w in weights:
            w[..., dead] = 0
        net.get_layer(name).set_weights(weights)
    gamma, beta, *rest = net.get_layer("stem_bn").get_weights()
    gamma[dead] = beta[dead] = 0
    net.get_layer("stem_bn").set_weights([gamma, beta, *rest])


def try_real_networks(folder):
    """Prune what each recipe builds, and let the whole one teach the smaller one a step."""
    given = {"classes": 3, "backbone": None}
    whole = {
        "classify": classify_network((64, 64), **given)[1],
        "detect": body_and_network((64, 64), **given)[1],
        "faces": face_network((64, 64)),
    }
    return {name: taught(net, folder / name) for name, net in whole.items()}


def taught(net, folder):
    folder.mkdir()
    net.save(folder / "model.keras")
    small, widths = prune(net, 0.4)
    x = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype(np.float32)
    outputs = small(x)
    teacher = open_teacher(folder, small)
    again = narrowed(keras.saving.load_model(folder / "model.keras", compile=False), widths)
    return {
        "weights": [net.count_params(), small.count_params(), again.count_params()],
        "shapes": {k: [list(v.shape), list(small(x)[k].shape)] for k, v in net(x).items()},
        "distance": float(distance(outputs, teacher(x))),
        "itself": float(distance(teacher(x), teacher(x))),
    }


def try_pruned_run(folder):
    changes = {"init": folder / "base", "prune": 0.5, "epochs": 2}
    job = fit(settings(**changes), toy, folder / "pruned")
    again = kept_network(network(), folder / "pruned")
    third = fit(settings(init=folder / "pruned", epochs=1, steps=1), toy, folder / "third")
    return {
        "weights": [network().count_params(), job.network.count_params()],
        "top1": top1(again),
        "third": third.network.count_params(),
    }


def try_distillation(folder):
    teacher = kept_network(network(), folder / "base")
    teacher.save(folder / "teacher.keras")
    wrong = keras.Sequential([keras.Input((SIDE, SIDE, 3)), layers.Flatten(), layers.Dense(3)])
    wrong.save(folder / "wrong.keras")
    (folder / "broken.keras").write_bytes(b"no model")
    np.savez(folder / "stored.npz", files=[], outputs=[])

    def blind(rng):
        """Show pictures without telling what they are: only the teacher knows."""
        return example(rng)[0], {"class_id": np.int32(0)}

    only = {"teacher": folder / "teacher.keras", "teacher_weight": 1.0}
    job = fit(settings(**only), lambda: toy(example=blind), folder / "pupil")
    tell = {}
    for name in ("wrong.keras", "broken.keras", "stored.npz"):
        one = settings(teacher=folder / name)
        tell[name] = refused(lambda one=one, name=name: fit(one, toy, folder / f"with_{name}"))
    stored = fit(
        settings(teacher=folder / "stored.npz", teacher_weight=1.0),
        lambda: toy(example=lambda rng: told(teacher_row, blind(rng), rng), stored=True),
        folder / "stored",
    )
    return {"top1": top1(job.network), "stored": top1(stored.network), "teacher": top1(teacher), "told": tell}


def teacher_row(image):
    """Return logits that a perfect teacher would have stored of a picture."""
    level = image.mean((0, 1))
    return np.array([*(8 * level), 12 * max(0.0, -level.min())], np.float32)


def told(row, made, _rng):
    image, target = made
    return image, {**target, "teacher": {"logits": row(image)}}


def try_refusals(folder):
    def fails(words):
        def broken(_target, _outputs):
            raise RuntimeError(words)

        return broken

    full = settings(batch=24)
    memory = refused(lambda: fit(full, lambda: toy(loss=fails("RESOURCE_EXHAUSTED: 3 GB")), folder / "full"))
    endless = refused(
        lambda: fit(settings(), lambda: toy(loss=lambda _t, o: ops.sum(o["logits"]) / 0.0), folder / "nan")
    )
    (folder / "cut").mkdir()
    whole = (folder / "base" / "ema.weights.h5").read_bytes()
    (folder / "cut" / "ema.weights.h5").write_bytes(whole[: len(whole) // 2])
    cut = refused(lambda: fit(settings(init=folder / "cut"), toy, folder / "from_cut"))
    other = refused(lambda: fit(settings(rate=0.5), toy, folder / "base"))
    kept = json.loads((folder / "base" / "settings.json").read_text())
    del kept["settings"]["prune"]
    (folder / "base" / "settings.json").write_text(json.dumps(kept))
    older = refused(lambda: fit(settings(), toy, folder / "base"))
    return {"memory": memory, "endless": endless, "cut": cut, "other": other, "older": older}


def try_torn(folder):
    """Cut a run off in its third epoch, and half of a backup with it."""

    def cut_off_at(epoch, name):
        calls = []

        def measure(trained):
            calls.append(1)
            if len(calls) == epoch:
                raise VedetteError("cut off")
            return {"top1": top1(trained)}

        refused(lambda: fit(settings(), lambda: toy(measure=measure), folder / name))
        latest = folder / name / "backup" / "latest.weights.h5"
        latest.write_bytes(latest.read_bytes()[: latest.stat().st_size // 2])
        return refused(lambda: fit(settings(), toy, folder / name))

    def log(name):
        with (folder / name / "log.csv").open(newline="") as file:
            return [[float(row["epoch"]), float(row["loss"])] for row in csv.DictReader(file)]

    told = [cut_off_at(3, "torn"), cut_off_at(2, "torn_first")]
    return {"told": told, "torn": log("torn"), "whole": log("base")}


def try_full_disk(folder):
    """Write weights where there is no more room for them."""
    path = folder / "kept.weights.h5"
    save_weights(network(), path)
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        told = [
            refused(lambda: save_weights(network(), path)),
            refused(lambda: save(network(), folder / "x.keras")),
        ]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    left = sorted(p.name for p in folder.iterdir() if p.name.startswith(("part", "kept", "x.")))
    return {"told": told, "same": path.read_bytes() == before, "left": left}


def try_backbones(folder):
    image = keras.Input((2 * SIDE, 2 * SIDE, 3))
    trained = keras.saving.load_model(folder / "teacher.keras", compile=False)
    body_input = keras.Input((SIDE, SIDE, 3))
    x, maps = body_input, []
    for i in range(5):
        x = layers.Conv2D(8, 3, 2, "same", activation="relu", name=f"c{i}")(x)
        maps.append(x)
    top = layers.Dense(3)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(body_input, top)
    model.save(folder / "body.keras")
    given = open_backbone(image, folder / "body.keras")
    x = np.random.default_rng(0).normal(size=(1, SIDE, SIDE, 3)).astype(np.float32)
    wanted = np.asarray(keras.Model(body_input, maps[-1]).predict_on_batch(x))
    small = keras.Input((SIDE, SIDE, 3))
    found = np.asarray(
        keras.Model(small, open_backbone(small, folder / "body.keras").features).predict_on_batch(x)
    )
    run = folder / "as_run"
    run.mkdir()
    model.save(run / "model.keras")
    (run / "contract.json").write_text(json.dumps({"input": {"mean": [0.0] * 3, "std": [255.0] * 3}}))
    return {
        "maps": {str(s): list(t.shape[1:]) for s, t in given.maps.items()},
        "layers": [layer.name for layer in given.layers],
        "off": float(np.abs(found - wanted).max()),
        "no_maps": refused(lambda: open_backbone(image, folder / "teacher.keras")),
        "other_input": refused(lambda: open_backbone(image, run)),
        "no_run": refused(lambda: open_backbone(image, folder)),
        "trained": trained.count_params(),
    }


def try_devices(folder):
    job = replace_seeded(folder)
    weights = job.network.get_layer("stem").get_weights()[0]
    return {"devices": len(keras.distribution.list_devices()), "weights": weights.ravel()[:40].tolist()}


def replace_seeded(folder):
    """Train where each batch is shared by all devices."""
    one = replace(settings(epochs=2, steps=3), seed=3)
    return fit(one, lambda: toy(measure=None, watch=None), folder / "parallel")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    print(json.dumps({name: globals()[f"try_{name}"](place) for name in sys.argv[2:]}))
