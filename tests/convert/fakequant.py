"""Fake quantization as a Keras layer: what a model trained with it brings along."""

import keras

fake = keras.quantizers.fake_quant_with_min_max_vars


@keras.saving.register_keras_serializable("tests")
class FakeQuant(keras.layers.Layer):
    def __init__(self, low, high, **options):
        super().__init__(**options)
        self.low, self.high = low, high

    def call(self, x):
        low, high = (keras.ops.convert_to_tensor(v) for v in (self.low, self.high))
        return fake(x, low, high)

    def get_config(self):
        return {**super().get_config(), "low": self.low, "high": self.high}


@keras.saving.register_keras_serializable("tests")
class FakeQuantConv(keras.layers.Conv2D):
    def call(self, x):
        kernel = keras.ops.convert_to_tensor(self.kernel)
        most = keras.ops.max(keras.ops.abs(kernel), axis=(0, 1, 2))
        kernel = fake(kernel, -most, most, narrow_range=True, axis=-1)
        return self.activation(keras.ops.conv(x, kernel, padding=self.padding) + self.bias)
