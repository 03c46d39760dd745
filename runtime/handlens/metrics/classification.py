"""Classification: accuracy, F1, confusion, mean recall, area under the ROC curve."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens.errors import InputError
from handlens.metrics._arrays import Floats, Integers


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


def confusion(predicted: ArrayLike, actual: ArrayLike, classes: int) -> Integers:
    """Returns how often each class was answered for each true one, (classes, classes) int64; rows are the truth.

    Args:
        predicted: (N,) integers, 0 to classes - 1.
        actual: (N,) integers, 0 to classes - 1, or below 0 where the truth is missing: those rows count nowhere.
        classes: how many there are; 1 or more.

    Raises:
        InputError: the lists differ in length, or a label is not one of the classes.
    """
    answer, truth = np.asarray(predicted), np.asarray(actual)
    if answer.ndim != 1 or answer.shape != truth.shape:
        raise InputError(f"predicted has shape {answer.shape}, actual {truth.shape}; expected two equal lists")
    there = truth >= 0
    answer, truth = answer[there].astype(np.int64), truth[there].astype(np.int64)
    if len(truth) and (min(answer.min(), truth.min()) < 0 or max(answer.max(), truth.max()) >= classes):
        raise InputError(f"a label is outside of 0 to {classes - 1}; the truth alone may be missing (below 0)")
    flat = np.bincount(truth * classes + answer, minlength=classes * classes)
    return np.asarray(flat.reshape(classes, classes), np.int64)


def macro_f1(matrix: ArrayLike) -> float:
    """Returns the mean F1 over the classes that occur in the truth; NaN where none does.

    A class that nobody bears has no recall to speak of, so it is left out; being answered for one of the others still
    costs that one. scikit-learn's macro F1 is the same with `labels` set to the classes of the truth.

    Args:
        matrix: (K, K) as `confusion` gives it.

    Raises:
        InputError: it is not square.
    """
    square = _square(matrix)
    total = square.sum(axis=0) + square.sum(axis=1)
    return _mean_of_present(2 * np.diagonal(square) / np.maximum(total, 1e-12), square)


def mean_recall(matrix: ArrayLike) -> float:
    """Returns the mean recall over the classes that occur in the truth; NaN where none does.

    With two classes it is the mean of the true positive and the true negative rate, which pedestrian attributes call
    mA (Deng et al. 2014); with more, what scikit-learn calls balanced accuracy.

    Args:
        matrix: (K, K) as `confusion` gives it.

    Raises:
        InputError: it is not square.
    """
    square = _square(matrix)
    return _mean_of_present(np.diagonal(square) / np.maximum(square.sum(axis=1), 1e-12), square)


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


def _square(matrix: ArrayLike) -> Floats:
    square = np.asarray(matrix, np.float64)
    if square.ndim != 2 or square.shape[0] != square.shape[1]:
        raise InputError(f"a confusion matrix has shape {square.shape}; expected as many columns as rows")
    return square


def _mean_of_present(values: Floats, square: Floats) -> float:
    present = square.sum(axis=1) > 0
    return float(values[present].mean()) if present.any() else float("nan")


def _labels(predicted: ArrayLike, actual: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    first, second = np.asarray(predicted), np.asarray(actual)
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise InputError(
            f"predicted has shape {first.shape}, actual {second.shape}; expected two equal non-empty lists"
        )
    return first, second
