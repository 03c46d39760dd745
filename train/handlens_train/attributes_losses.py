"""The attributes' loss: cross-entropy over the labels that are there. Any Keras 3 backend."""

import keras
from keras import ops


class MaskedCrossEntropy(keras.losses.Loss):
    """Sparse softmax cross-entropy with label smoothing; a label below 0 is missing, and its row's loss is 0.

    y (N,) or (N, 1) integers, logits (N, K). The mean is over all rows, the missing ones included, so that a head
    counts as much as it has labels, and a batch without any gives 0, with a gradient of 0.
    """

    def __init__(self, smoothing: float = 0.0, name: str = "masked_cross_entropy") -> None:
        super().__init__(name=name)
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        """Loss of each row, (N,)."""
        log_p = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        there = ops.cast(labels >= 0, "float32")
        hit = ops.sum(log_p * ops.one_hot(ops.maximum(labels, 0), log_p.shape[-1]), axis=-1)
        return -there * ((1.0 - self.smoothing) * hit + self.smoothing * ops.mean(log_p, axis=-1))
