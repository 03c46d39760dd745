"""Losses on any Keras 3 backend: identity softmax, batch-hard and random triplets, distillation of an embedding."""

import keras
from keras import ops


class SmoothIdentity(keras.losses.Loss):
    """Cross-entropy over identities with label smoothing (Szegedy et al. 2016). y (N,) integers, logits (N, K)."""

    def __init__(self, smoothing: float = 0.1, name: str = "identity") -> None:
        super().__init__(name=name)
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        """Loss of each row, (N,)."""
        log_p = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        hit = ops.sum(log_p * ops.one_hot(labels, ops.shape(log_p)[-1]), axis=-1)
        return -((1.0 - self.smoothing) * hit + self.smoothing * ops.mean(log_p, axis=-1))


class BatchHardTriplet(keras.losses.Loss):
    """Hardest positive against hardest negative of each anchor in the batch, Euclidean (Hermans et al. 2017).

    y (N,) integer labels, features (N, D). `margin` None means the soft margin log(1 + exp(d+ - d-)).
    """

    def __init__(self, margin: float | None = None, name: str = "batch_hard") -> None:
        super().__init__(name=name)
        self.margin = margin

    def call(self, y_true, y_pred):
        """Loss of each row, (N,)."""
        distance = pairwise_distance(y_pred)
        labels = ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
        same = ops.cast(ops.equal(labels, ops.transpose(labels)), distance.dtype)
        hardest_positive = ops.max(distance * same, axis=1)
        hardest_negative = ops.min(distance + same * 1e6, axis=1)
        gap = hardest_positive - hardest_negative
        return ops.softplus(gap) if self.margin is None else ops.relu(gap + self.margin)


class SiameseTriplet(keras.losses.Loss):
    """Margin loss of (anchor, positive, negative) rows on unit embeddings, squared distance (Schroff et al. 2015).

    The batch holds whole triplets, 3 rows each: anchor, positive, negative, anchor, ... y is not read.
    """

    def __init__(self, margin: float = 0.2, name: str = "siamese") -> None:
        super().__init__(name=name)
        self.margin = margin

    def call(self, y_true, y_pred):
        """Loss of each row, (N,)."""
        unit = normalise(y_pred)
        anchor, positive, negative = unit[0::3], unit[1::3], unit[2::3]
        near = ops.sum(ops.square(anchor - positive), axis=-1)
        far = ops.sum(ops.square(anchor - negative), axis=-1)
        return ops.repeat(ops.relu(near - far + self.margin), 3)


class EmbeddingDistillation(keras.losses.Loss):
    """1 - cosine between the student's and the teacher's embedding of the same image. y (N, D), embeddings (N, D)."""

    def __init__(self, name: str = "distil") -> None:
        super().__init__(name=name)

    def call(self, y_true, y_pred):
        """Loss of each row, (N,)."""
        return 1.0 - ops.sum(normalise(y_true) * normalise(y_pred), axis=-1)


def normalise(x):
    """Rows scaled to unit length; a zero row stays zero."""
    x = ops.cast(x, "float32")
    return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis=-1, keepdims=True), 1e-12))


def pairwise_distance(x):
    """Euclidean distances of all rows, (N, N); the floor keeps the gradient of the root finite."""
    x = ops.cast(x, "float32")
    squares = ops.sum(ops.square(x), axis=1, keepdims=True)
    squared = squares + ops.transpose(squares) - 2.0 * ops.matmul(x, ops.transpose(x))
    return ops.sqrt(ops.maximum(squared, 1e-8))
