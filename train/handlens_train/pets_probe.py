"""A linear probe: the head of a frozen network, fitted at once to the features of plain and mirrored images."""

from typing import Any

import numpy as np

from handlens.errors import MissingExtra
from handlens.manifest import InputSpec
from handlens_data.datasets.pets import BREEDS
from handlens_train.images import scaled

STRENGTH = 0.01  # scikit-learn's C: the smaller, the smoother
_CHUNK = 64
_ABSENT = -5.0  # added to the logit of a breed that no image shows


def fit_head(model: Any, images: np.ndarray, breeds: np.ndarray, spec: InputSpec) -> None:
    """Set the layer "class" of a network to the multinomial logistic regression of the layer "feature".

    The features are standardised for the fit, and the head reads them as they are: both are linear.

    Args:
        model: a network with these two layers.
        images: (N, S, S, 3) uint8, prepared.
        breeds: (N,) of them.
        spec: the network's input.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    import keras

    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtra("scikit-learn", "train") from error
    present = np.unique(breeds)
    if len(present) < 2:
        return  # nothing to tell apart
    trunk = keras.Model(model.input, model.get_layer("feature").output)
    rows = []
    for start in range(0, len(images), _CHUNK):
        for pixels in (images[start : start + _CHUNK], images[start : start + _CHUNK, :, ::-1]):
            rows.append(np.asarray(trunk.predict(scaled(pixels, spec), verbose=0), np.float64))
    features = np.concatenate(rows)
    labels = np.concatenate([np.tile(breeds[start : start + _CHUNK], 2) for start in range(0, len(images), _CHUNK)])
    middle, spread = features.mean(axis=0), features.std(axis=0) + 1e-3
    fitted = LogisticRegression(C=STRENGTH, max_iter=300).fit((features - middle) / spread, labels)
    coefficients, offsets = fitted.coef_, fitted.intercept_
    if len(present) == 2:  # scikit-learn keeps the difference of two alone
        coefficients, offsets = np.vstack([-coefficients, coefficients]) / 2, np.hstack([-offsets, offsets]) / 2
    kernel, bias = np.zeros((features.shape[1], len(BREEDS))), np.full(len(BREEDS), _ABSENT)
    kernel[:, present] = (coefficients / spread).T
    bias[present] = offsets
    bias -= (middle @ kernel) * np.isin(np.arange(len(BREEDS)), present)
    model.get_layer("class").set_weights([kernel.astype(np.float32), bias.astype(np.float32)])
