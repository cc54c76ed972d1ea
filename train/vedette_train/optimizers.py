"""Optimizers of training: AdamW, or Muon for the convolutions, with a rate that may differ from layer to layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from vedette_train.job import Job
from vedette_train.settings import FitSettings

__all__ = ["Muon", "optimizer"]

# of what Muon leaves to AdamW, over that of kernels: biases that run ahead shut ReLUs for good
PLAIN_RATE = 0.1


class _Rates(keras.optimizers.Optimizer):
    """A learning rate that differs for some weights: `factors` by the variables' paths."""

    factors: Mapping[str, float] = {}

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        # TensorFlow hands over its own variable, which knows no path
        path = self._trainable_variables[self._get_variable_index(variable)].path
        super().update_step(gradient, variable, learning_rate * self.factors.get(path, 1.0))


class _AdamW(_Rates, keras.optimizers.AdamW):
    pass


class Muon(_Rates, keras.optimizers.Muon):
    """Keras' Muon, which takes matrices alone, for kernels of convolutions too: as matrices of inputs by channels.

    Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024. Depthwise kernels, biases and scales
    are AdamW's.
    """

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) not in (2, 4) or min(_matrix(variable)) == 1

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        self.assign_add(m, ops.add(gradient, m * (self.momentum - 1)))
        wanted = ops.add(gradient, self.momentum * m) if self.nesterov else m
        turned = self.zeropower_via_newtonschulz5(ops.reshape(wanted, _matrix(variable)), self.ns_steps)
        self.assign_sub(variable, ops.reshape(self.lr_adjust(lr * turned), variable.shape))


def _matrix(variable: Any) -> tuple[int, int]:
    """Return the shape of a kernel as a matrix."""
    *inputs, channels = variable.shape
    return math.prod(inputs), channels


def optimizer(settings: FitSettings, job: Job, total: int) -> keras.optimizers.Optimizer:
    """Return what the settings ask for, for `total` steps: warmed up for an epoch, then a cosine to a hundredth."""
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.rate / 20,
        max(1, total - settings.steps),
        alpha=0.01,
        warmup_target=settings.rate,
        warmup_steps=settings.steps,
    )
    options = {
        "weight_decay": settings.weight_decay,
        "clipnorm": 10.0,
        "use_ema": True,
        "ema_momentum": min(settings.ema, max(0.0, 1 - 10 / total)),
        "gradient_accumulation_steps": settings.accumulate if settings.accumulate > 1 else None,
    }
    made: _Rates
    if settings.optimizer == "muon":
        made = Muon(schedule, adam_lr_ratio=PLAIN_RATE, adam_weight_decay=0.0, **options)
    else:
        made = _AdamW(schedule, name="adamw", **options)
    made.factors = {
        variable.path: settings.body_rate * settings.layer_decay**depth
        for depth, layer in enumerate(reversed(job.body))
        for variable in layer.trainable_variables
    }
    return made
