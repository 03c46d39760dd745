"""Losses of masks on any Keras 3 backend; pixels that nobody labelled, and pictures without a mask, do not count."""

import keras
from keras import ops

from handlens_train.mask_views import IGNORE


class MaskLoss(keras.losses.Loss):
    """Cross-entropy of a foreground logit, plus `dice` times the soft Dice loss (Milletari et al. 2016).

    y (N, H, W, 1) float: the share of foreground in each cell, 0..1, or `IGNORE`. logits (N, H, W, 1). Both are means
    over the known pixels of a picture, then over the pictures that have any; Dice is of each picture, so that a small
    object counts as much as a large one, and tends to the empty mask where there is no object.

    Args:
        dice: weight of the Dice part; 0 leaves it out.
        edge: further weight of cells on an outline, those with a share strictly between 0 and 1.
    """

    def __init__(self, dice: float = 1.0, edge: float = 0.0, name: str = "mask") -> None:
        super().__init__(name=name)
        self.dice, self.edge = dice, edge

    def call(self, y_true, y_pred):
        """Loss of each picture, (N,), scaled so that the batch's mean is that over pictures with a mask."""
        y, x = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        known = ops.cast(ops.less_equal(y, 1.0), "float32")
        y = y * known
        between = ops.cast(ops.logical_and(ops.greater(y, 0.0), ops.less(y, 1.0)), "float32")
        weight = known * (1.0 + self.edge * between)
        surprise = ops.maximum(x, 0.0) - x * y + ops.log1p(ops.exp(-ops.abs(x)))
        loss = _sum(surprise * weight) / ops.maximum(_sum(weight), 1.0)
        if self.dice:
            p = ops.sigmoid(x) * known
            # One pixel on either side keeps an empty picture's loss, and its gradient, finite.
            loss = loss + self.dice * (1.0 - (2.0 * _sum(p * y) + 1.0) / (_sum(p) + _sum(y) + 1.0))
        return _over_known(loss, known)


class LabelLoss(keras.losses.Loss):
    """Cross-entropy of class logits a pixel. y (N, H, W) integers or `IGNORE`, logits (N, H, W, K).

    Means over the known pixels of a picture, then over the pictures that have any.

    Args:
        weights: of each class, K of them; None weighs all alike.
    """

    def __init__(self, weights: tuple[float, ...] | None = None, name: str = "labels") -> None:
        super().__init__(name=name)
        self.weights = weights

    def call(self, y_true, y_pred):
        """Loss of each picture, (N,), scaled so that the batch's mean is that over pictures with labels."""
        y = ops.cast(y_true, "int32")
        known = ops.cast(ops.not_equal(y, IGNORE), "float32")
        log_p = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        hot = ops.one_hot(ops.where(ops.equal(y, IGNORE), 0, y), ops.shape(log_p)[-1], dtype="float32")
        weight = known
        if self.weights is not None:
            weight = known * ops.sum(hot * ops.convert_to_tensor(self.weights, dtype="float32"), axis=-1)
        surprise = -ops.sum(hot * log_p, axis=-1)
        return _over_known(_sum(surprise * weight) / ops.maximum(_sum(weight), 1e-6), known)


def _sum(x):
    """Sum of each picture, (N,)."""
    return ops.sum(ops.reshape(x, (ops.shape(x)[0], -1)), axis=1)


def _over_known(loss, known):
    """Zero for pictures of which nothing is known; the others scaled so that the mean over the batch is theirs."""
    has = ops.cast(ops.greater(_sum(known), 0.0), "float32")
    return loss * has * ops.cast(ops.shape(has)[0], "float32") / ops.maximum(ops.sum(has), 1.0)
