"""Compare dequantized MobileNets with their files: top-1 on photos. Run as a program: FILE.tflite PHOTO..."""

import json
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter

import vedette
from vedette_train.transfer import MEAN, STD, mobilenet_v1, mobilenet_v2, read_convolutions


def main(file, photos):
    """Print the share of photos whose best class is, in the file's coarse answer, the best or equal to it."""
    runtime = Interpreter(str(file), num_threads=1)
    runtime.allocate_tensors()
    given, answer = runtime.get_input_details()[0], runtime.get_output_details()[0]
    side = int(given["shape"][1])
    pictures = np.stack([cv2.resize(vedette.read_image(p), (side, side)) for p in photos])
    theirs = []
    for picture in pictures:
        runtime.set_tensor(given["index"], picture[None])
        runtime.invoke()
        theirs.append(runtime.get_tensor(answer["index"])[0].copy())
    found = {"photos": len(photos)}
    for name, quantized in (("quantized", True), ("plain", False)):
        network, strides = build(file, side, quantized)
        real = (pictures.astype(np.float32) - np.float32(MEAN)) / np.float32(STD)
        mine = network.predict(real, batch_size=16, verbose=0).argmax(1)
        found[name] = float(np.mean([row[best] == row.max() for row, best in zip(theirs, mine, strict=True)]))
    print(json.dumps({**found, "maps": strides}))


def build(file, side, quantized):
    """Return the classifier in `file` as a Keras model, and the sizes of its maps by stride."""
    image = keras.Input((side, side, 3))
    if len(read_convolutions(file)) == 28:
        maps, _ = mobilenet_v1(image, file, quantized=quantized)
    else:
        maps, _ = mobilenet_v2(image, file, top=True, quantized=quantized)
    return keras.Model(image, maps[0]), {str(s): list(maps[s].shape[1:3]) for s in (8, 16, 32)}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
