"""The `vedette` command with a face network of few layers: same inputs, same outputs, seconds to trace.

Run as a program. `toy.py VERB ...` is one command; `toy.py --each JSON` runs many, and prints what each said.
"""

import contextlib
import io
import json
import sys

import keras
from keras import layers

from vedette.cli import main
from vedette_train import export
from vedette_train.models import face
from vedette_train.models.face import STRIDES


def toy_network(size_wh):
    image = keras.Input((size_wh[1], size_wh[0], 3), name="image")
    outputs = {}
    for stride in STRIDES:
        level = layers.Conv2D(8, 3, stride, "same", activation="relu")(image)
        level = layers.BatchNormalization(momentum=0.9)(level)
        for role, channels in (("score", 1), ("box", 4), ("points", 10)):
            outputs[f"{role}_{stride}"] = layers.Conv2D(channels, 1, name=f"{role}_{stride}")(level)
    return keras.Model(image, outputs)


def each(commands):
    """Return the exit code and stderr of each command."""
    said = []
    for words in commands:
        with contextlib.redirect_stderr(io.StringIO()) as err, contextlib.redirect_stdout(io.StringIO()):
            code = main(words)
        said.append([code, err.getvalue()])
    return said


if __name__ == "__main__":
    face.face_network = export.face_network = toy_network
    if sys.argv[1] == "--each":
        print(json.dumps(each(json.loads(sys.argv[2]))))
    else:
        sys.exit(main())
