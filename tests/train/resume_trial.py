"""Fit tasks with networks of few layers: `resume_trial.py FOLDER KILL TASK=DATA ...`, each into FOLDER/TASK.

KILL is 0, or at which example after the first epoch's backup the process ends itself as a power cut would, with
`kill -9`.
"""

import itertools
import os
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
from keras import layers

from toy import toy_network
from vedette_train.fit import fit
from vedette_train.models import classify, detect, face
from vedette_train.recipes import load_recipe

SHORT = {"epochs": 2, "steps": 4, "batch": 2, "seed": 1, "rate": 0.01}
OWN = {
    "classify": {"input": (64, 64), "freeze": 0},
    "detect": {"input": (64, 64), "size": 64},
    "enhance": {"input": (32, 32), "patch": 32, "width": 0.25, "rounded": True},
    "faces": {"input": (64, 64), "size": 64},
}


def toy_detector(size_wh, *, classes, backbone):
    image = keras.Input((size_wh[1], size_wh[0], 3), name="image")
    outputs = {}
    for stride in detect.STRIDES:
        level = layers.Conv2D(8, 3, stride, "same", activation="relu")(image)
        level = layers.BatchNormalization(momentum=0.9)(level)
        for role, channels in (("score", classes), ("box", 4)):
            outputs[f"{role}_{stride}"] = layers.Conv2D(channels, 1, name=f"{role}_{stride}")(level)
    return (), keras.Model(image, outputs)


def toy_classifier(size_wh, *, classes, backbone):
    image = keras.Input((size_wh[1], size_wh[0], 3), name="image")
    x = layers.Conv2D(8, 3, 8, "same", activation="relu")(image)
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    return (), keras.Model(image, {"logits": layers.Dense(classes, name="logits")(x)})


def job(recipe, settings, run, kill):
    made, drawn = recipe.job(settings), itertools.count(1)
    backup = run / "backup" / "training_metadata.json"

    def example(rng):
        if kill and backup.is_file() and next(drawn) == kill:
            os.kill(os.getpid(), signal.SIGKILL)
        return made.example(rng)

    return replace(made, example=example)


if __name__ == "__main__":
    face.face_network, detect.body_and_network = toy_network, toy_detector
    classify.classify_network = toy_classifier
    out, kill, *tasks = sys.argv[1:]
    for task, _, data in (word.partition("=") for word in tasks):
        recipe = load_recipe(task)
        settings = recipe.Settings(data=Path(data), **SHORT, **OWN[task])
        run = Path(out) / task
        fit(settings, partial(job, recipe, settings, run, int(kill)), run)
