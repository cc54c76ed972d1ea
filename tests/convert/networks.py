"""Make small networks of every kind that `vedette convert` takes or refuses. Run as a program: networks.py FOLDER."""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from fakequant import FakeQuant, FakeQuantConv
from keras import layers

SIDE = 32


def tiny(image):
    """A stem, a depthwise pair with a way around, and two outputs; the depthwise channels differ a hundredfold."""
    x = layers.Conv2D(8, 3, 2, "same", activation="relu6", bias_initializer="normal", name="stem")(image)
    y = layers.DepthwiseConv2D(3, padding="same", bias_initializer="normal", name="dw")(x)
    y = layers.Conv2D(8, 1, bias_initializer="normal", name="pw")(y)
    x = layers.ReLU(6.0, name="sum_relu")(layers.Add(name="sum")([x, y]))
    label = layers.Dense(4, activation="softmax", bias_initializer="normal", name="label")(
        layers.GlobalAveragePooling2D()(x)
    )
    return {"mask": layers.Conv2D(2, 1, bias_initializer="normal", name="mask")(x), "label": label}


def uneven(network):
    kernel, bias = network.get_layer("dw").get_weights()
    network.get_layer("dw").set_weights([kernel * (10.0 ** (keras.ops.arange(8.0) / 4))[:, None], bias])


def save(folder, name, function, shape):
    module = tf.Module()
    spec = tf.TensorSpec(shape, tf.float32, "image")
    module.call = tf.function(lambda image: {"out": function(image)}, input_signature=[spec])
    tf.saved_model.save(module, str(folder / name), signatures=module.call)


def soft(count, low, high, seed):
    """Return blocky random pictures, (count, SIDE, SIDE, 3) uint8, of grey levels from `low` to below `high`."""
    rng = np.random.default_rng(seed)
    return rng.integers(low, high, (count, 8, 8, 3), dtype=np.uint8).repeat(4, 1).repeat(4, 2)


def weighted(layer, kernel, bias):
    """Return the 1x1 convolution `layer`, built, with this kernel (in, out) and bias."""
    kernel, bias = np.array(kernel, np.float32), np.array(bias, np.float32)
    layer.build((None, SIDE, SIDE, len(kernel)))
    layer.set_weights([kernel[None, None], bias])
    return layer


def spiked(image):
    """The picture itself, but for white: there it is thirty times as bright."""
    spike = weighted(
        layers.Conv2D(3, 1, activation="relu", name="spike"), np.full((3, 3), 300.0), [-870.0] * 3
    )
    return {"mask": layers.Add(name="mask")([image, spike(image)])}


def uneven_channels(image):
    """A tensor of which the second channel, a thousandth of the first, is all that counts."""
    wide = weighted(layers.Conv2D(2, 1, name="wide"), [[1000.0, 0.0], [0.0, 1.0], [0.0, 0.0]], [0.0, 0.0])
    pick = weighted(layers.Conv2D(2, 1, name="pick"), [[0.0, 0.0], [1.0, -0.5]], [0.0, 0.0])
    return {"mask": layers.Identity(name="mask")(pick(wide(image)))}


def detail(image):
    """Three times the picture, less its mean over 5x5: next to a large weight rounding changes small ones by much."""
    kernel = np.full((5, 5, 3, 3), 0.0, np.float32)
    for channel in range(3):
        kernel[..., channel, channel] = -1 / 25
        kernel[2, 2, channel, channel] += 3.0
    less = layers.Conv2D(3, 5, padding="same", name="mask")
    less.build((None, SIDE, SIDE, 3))
    less.set_weights([kernel, np.zeros(3, np.float32)])
    return {"mask": less(image)}


def windows(image):
    """Convolutions of all strides, dilations and paddings, on sizes that they do not divide."""
    options = {"bias_initializer": "normal"}
    x = layers.Conv2D(4, 3, 2, "valid", name="valid", **options)(image)
    x = layers.Conv2D(5, (3, 2), padding="same", dilation_rate=2, name="dilated", **options)(x)
    x = layers.DepthwiseConv2D(3, 2, "same", name="depthwise", **options)(x)
    return {"mask": layers.Conv2D(2, 1, name="mask", **options)(x)}


def save_failing(folder, name, function, calibration):
    """Write a float network that int8 by min-max fails, its pictures, and what it answers to other ones."""
    image = keras.Input((SIDE, SIDE, 3), name="image")
    network = keras.Model(image, function(image))
    network.save(folder / f"{name}.keras")
    network.export(folder / name, verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / name))
    (folder / f"{name}.tflite").write_bytes(converter.convert())
    (folder / f"{name}_pictures").mkdir()
    for i, picture in enumerate(calibration):
        keras.utils.save_img(str(folder / f"{name}_pictures" / f"{i:03}.png"), picture, scale=False)
    judged = soft(8, 40, 200, seed=99)
    masks = network.predict((judged - 127.5) / 127.5, verbose=0)["mask"]
    np.savez(folder / f"{name}_judged.npz", images=judged, masks=masks)


def main(folder):
    keras.utils.set_random_seed(3)
    image = keras.Input((SIDE, SIDE, 3), name="image")
    network = keras.Model(image, tiny(image))
    uneven(network)
    network.save(folder / "tiny.keras")
    network.export(folder / "tiny_saved_model", verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "tiny_saved_model"))
    (folder / "other_tool.tflite").write_bytes(converter.convert())

    open_size = keras.Input((None, None, 3), name="image")
    keras.Model(open_size, layers.Conv2D(2, 3)(open_size)).save(folder / "open_size.keras")
    two = keras.Input((SIDE, SIDE, 3), name="second")
    keras.Model([image, two], layers.Add()([image, two])).save(folder / "two_inputs.keras")
    # varies in float by a hundredth of what one int8 code stands for
    still = layers.Rescaling(1e-3, offset=100.0, name="still")(layers.GlobalAveragePooling2D()(image))
    keras.Model(image, {"still": still}).save(folder / "still.keras")

    x = FakeQuant(0.0, 1.0)(image)
    x = FakeQuant(0.0, 6.0)(FakeQuantConv(8, 3, padding="same", activation="relu6")(x))
    x = FakeQuant(-2.0, 2.0)(FakeQuantConv(2, 1)(x))
    keras.Model(image, {"out": layers.Identity(name="out")(x)}).save(folder / "fake_quantized.keras")

    white = soft(200, 40, 200, seed=1)
    white[150, 5, 7] = 255  # a single pixel of 204,800
    save_failing(folder, "spiked", spiked, white)
    save_failing(folder, "wide", uneven_channels, soft(24, 40, 200, seed=1))

    save_failing(folder, "detail", detail, soft(24, 40, 200, seed=1))
    save_failing(folder, "windows", windows, soft(24, 40, 200, seed=1))

    save(folder, "flex", lambda x: tf.linalg.inv(x[:, :3, :3, 0] + 3 * tf.eye(3)), (1, SIDE, SIDE, 3))
    save(folder, "open_saved_model", tf.nn.relu, (1, None, None, 3))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
