"""Exponential moving average of all weights, batch statistics included, on any backend."""

import keras
import numpy as np


class Average(keras.callbacks.Callback):
    """Keeps the average in NumPy; updated every `every` steps with the momentum of as many single updates."""

    def __init__(self, momentum: float, every: int = 4) -> None:
        super().__init__()
        self.momentum, self.every = momentum, every
        self.values: list[np.ndarray] | None = None
        self.updates = 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Keras calls this after each step."""
        if (batch + 1) % self.every:
            return
        sync(self.model)
        current = self.model.get_weights()
        self.updates += 1
        if self.values is None:
            self.values = [np.array(value) for value in current]
            return
        # The ramp keeps the first, poor weights from lingering (TensorFlow's ExponentialMovingAverage has it, too).
        keep = min(self.momentum, (1 + self.updates) / (10 + self.updates)) ** self.every
        for mean, value in zip(self.values, current, strict=True):
            mean *= keep
            mean += (1 - keep) * value


def sync(model: keras.Model) -> None:
    """Under JAX the fit loop holds the weights outside the model; bring them back before reading them."""
    if keras.backend.backend() == "jax":
        model.jax_state_sync()
