"""Make small networks of every kind that `vedette convert` takes or refuses. Run as a program: networks.py FOLDER."""

import sys
from pathlib import Path

import keras
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

    save(folder, "flex", lambda x: tf.linalg.inv(x[:, :3, :3, 0] + 3 * tf.eye(3)), (1, SIDE, SIDE, 3))
    save(folder, "open_saved_model", tf.nn.relu, (1, None, None, 3))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
