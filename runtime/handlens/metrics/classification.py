"""Classification: accuracy, F1, area under the ROC curve."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens.errors import InputError
from handlens.metrics._arrays import Floats


def accuracy(predicted: ArrayLike, actual: ArrayLike) -> float:
    """Returns the share of equal labels, 0..1, of two (N,) lists.

    Raises:
        InputError: the lists are empty or differ in length.
    """
    first, second = _labels(predicted, actual)
    return float(np.mean(first == second))


def f1(predicted: ArrayLike, actual: ArrayLike, classes: Sequence[Any] | None = None) -> Floats:
    """Returns each class's F1, (len(classes),) float64; macro F1 is its mean.

    Args:
        predicted: (N,) labels.
        actual: (N,) labels.
        classes: the order of the result; by default the sorted labels that occur. One that never occurs scores 0.

    Raises:
        InputError: the lists are empty or differ in length.
    """
    first, second = _labels(predicted, actual)
    order = np.unique(np.concatenate([first, second])) if classes is None else np.asarray(classes)
    hits = np.array([np.sum((first == label) & (second == label)) for label in order], np.float64)
    total = np.array([np.sum(first == label) + np.sum(second == label) for label in order], np.float64)
    return np.asarray(2 * hits / np.maximum(total, 1), np.float64)


def roc_auc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Returns the area under the ROC curve: the chance that a positive outscores a negative (ties count half).

    Args:
        scores: (N,) finite numbers, higher means more positive.
        positive: (N,) booleans.

    Raises:
        InputError: shapes disagree, a score is not finite, or one of the two classes is missing.
    """
    numbers, truth = np.asarray(scores, np.float64), np.asarray(positive, bool)
    if numbers.ndim != 1 or numbers.shape != truth.shape or not np.isfinite(numbers).all():
        raise InputError(
            f"scores has shape {numbers.shape}, positive {truth.shape}; expected two equal lists of finite values"
        )
    good, bad = numbers[truth], np.sort(numbers[~truth])
    if not len(good) or not len(bad):
        raise InputError(f"a ROC curve needs both classes; got {len(good)} positive and {len(bad)} negative")
    below = np.searchsorted(bad, good, "left") + np.searchsorted(bad, good, "right")
    return float(below.sum() / (2 * len(good) * len(bad)))


def _labels(predicted: ArrayLike, actual: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    first, second = np.asarray(predicted), np.asarray(actual)
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise InputError(
            f"predicted has shape {first.shape}, actual {second.shape}; expected two equal non-empty lists"
        )
    return first, second
