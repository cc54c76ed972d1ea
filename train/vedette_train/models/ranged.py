"""A layer by which a network lives with values of 8 bits while it learns (quantization-aware training).

Jacob et al., Quantization and Training of Neural Networks, CVPR 2018: values are rounded on the way forward, gradients
pass as if they were not. The converter finds the ranges in the network and keeps them. Whether it rounds or not, the
layer has the same weights, so that a network learns without rounding first, and with it from there. Kernels are not
rounded: learned so, they lost .2 dB of a denoiser's, and `vedette convert --rounding gptq` loses .05.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["OUTSIDE", "Ranged"]

MOMENTUM = 0.99  # of the ranges, a batch
OUTSIDE = 2e-5  # where few values are far out, a range without them has half the rounding
EVERY = 31  # of a batch's values is looked at, for their order: no multiple of any number of channels
LEAST = 1e-6  # a range of nothing has no step

_fake_quant = keras.quantizers.fake_quant_with_min_max_vars


@keras.saving.register_keras_serializable("vedette")
class Ranged(keras.layers.Layer):
    """Pass values on; with `rounded` as the nearest of 256 in a range, what is outside clipped.

    Args:
        rounded: learn with the rounding of int8.
        limits: the range, where it is known; else a moving average of what holds all but `outside` of each batch.
        outside: share of the values that the range leaves out at each end.
    """

    def __init__(
        self,
        *,
        rounded: bool = False,
        limits: tuple[float, float] | None = None,
        outside: float = OUTSIDE,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.rounded, self.limits, self.outside = rounded, limits, outside

    def build(self, input_shape: Any) -> None:
        """Add the range, where it is not known; it stands whether it is used or not."""
        if self.limits is None:
            self.low, self.high = (
                self.add_weight(name=name, shape=(), initializer="zeros", trainable=False)
                for name in ("low", "high")
            )

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Return `x`, rounded where that is asked for."""
        if not self.rounded:
            return x
        if self.limits is not None:
            low, high = (ops.convert_to_tensor(limit, "float32") for limit in self.limits)
        elif training:
            low, high = self._follow(x)
        else:
            low, high = (ops.convert_to_tensor(limit) for limit in (self.low, self.high))
        return _fake_quant(x, low, high)

    def compute_output_spec(self, x: Any, training: bool | None = None) -> Any:
        """Return what `call` gives: the symbolic form of fake quantization would forget its options."""
        return keras.KerasTensor(x.shape, x.dtype)

    def _follow(self, x: Any) -> tuple[Any, Any]:
        """Move the range towards that of a batch, which is all that is known at first; 0 is always in it."""
        x = ops.cast(ops.stop_gradient(x), "float32")
        ends = ops.quantile(ops.reshape(x, (-1,))[::EVERY], [self.outside, 1 - self.outside])
        least, most = ops.minimum(ends[0], 0.0), ops.maximum(ends[1], LEAST)
        known = self.high > self.low
        low = ops.where(known, MOMENTUM * self.low + (1 - MOMENTUM) * least, least)
        high = ops.where(known, MOMENTUM * self.high + (1 - MOMENTUM) * most, most)
        self.low.assign(low)
        self.high.assign(high)
        return low, high

    def get_config(self) -> dict[str, Any]:
        """Return what makes the layer anew."""
        known = {"rounded": self.rounded, "limits": self.limits, "outside": self.outside}
        return {**super().get_config(), **known}
