"""Losses of face verification: a teacher's space met point by point and pair by pair, and CosFace."""

import keras
from keras import ops

from handlens_train.losses import pairwise_distance


class TeacherSpace(keras.losses.Loss):
    """Squared distance to the teacher's embedding, and squared error of the distances between a batch's rows.

    The second term is relational distillation (Park et al. 2019): what decides a verification is a distance. y and
    embeddings are (N, D). `power` is the teacher's mean squared distance from its mean, so that 1 is what a constant
    answer scores in the first term.
    """

    def __init__(self, power: float, relation: float = 1.0, name: str = "teacher_space") -> None:
        super().__init__(name=name)
        self.power, self.relation = power, relation

    def call(self, y_true, y_pred):
        """Loss of each row, (N,)."""
        point = ops.sum(ops.square(y_pred - y_true), axis=-1) / self.power
        gap = pairwise_distance(y_pred) - pairwise_distance(y_true)
        return point + self.relation * ops.mean(ops.square(gap), axis=-1) / self.power


class CosFace(keras.losses.Loss):
    """Large-margin cosine softmax (Wang et al. 2018). y (N,) integers, below 0 for rows without a person; (N, K)."""

    def __init__(self, scale: float = 24.0, margin: float = 0.2, name: str = "cosface") -> None:
        super().__init__(name=name)
        self.scale, self.margin = scale, margin

    def call(self, y_true, y_pred):
        """Loss of each row, (N,); zero where there is no person."""
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        known = ops.cast(labels >= 0, "float32")
        hot = ops.one_hot(ops.maximum(labels, 0), ops.shape(y_pred)[-1])
        log_p = ops.log_softmax(self.scale * (y_pred - self.margin * hot), axis=-1)
        return -known * ops.sum(log_p * hot, axis=-1)
