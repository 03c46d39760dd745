"""Whether a confidence can be believed: expected calibration error and the reliability diagram behind it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens.errors import InputError
from handlens.metrics._arrays import Floats

BINS = 10


def calibration_error(confidence: ArrayLike, right: ArrayLike, counts: ArrayLike | None = None) -> float:
    """Returns the expected calibration error (Guo et al., ICML 2017), 0..1: mean of |accuracy - confidence| over bins.

    The bins are `BINS` equal widths of confidence from 0.5 to 1, each weighing as many items as it holds. Few items
    make it larger than it is: noise within a bin counts as error.

    Args:
        confidence: (N,) in the answer given, 0.5..1 (two classes, the likelier one answered).
        right: (N,) whether the answer was right.
        counts: (N,) how often each item counts, for a bootstrap; 1 each by default.

    Raises:
        InputError: nothing to average, shapes disagree, or a confidence is outside of 0.5..1.
    """
    gaps, weights = _bins(confidence, right, counts)[2:]
    total = weights.sum()
    return float((np.abs(gaps) * weights).sum() / total) if total else float("nan")


def reliability(confidence: ArrayLike, right: ArrayLike) -> tuple[tuple[float, float, int], ...]:
    """Returns (mean confidence, accuracy, items) of each bin of `calibration_error` that holds any, rising.

    Raises:
        InputError: as `calibration_error`.
    """
    means, accuracies, _, weights = _bins(confidence, right, None)
    rows = zip(means.tolist(), accuracies.tolist(), weights.tolist(), strict=True)
    return tuple((mean, accuracy, int(items)) for mean, accuracy, items in rows if items)


def _bins(confidence: ArrayLike, right: ArrayLike, counts: ArrayLike | None) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean confidence, accuracy, their difference and weight of each bin; zeros where a bin is empty."""
    sure, hits = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    weights: NDArray[np.float64] = np.ones(len(sure)) if counts is None else np.asarray(counts, np.float64)
    if sure.ndim != 1 or not len(sure) or not sure.shape == hits.shape == weights.shape:
        raise InputError(f"confidence has shape {sure.shape}, right {hits.shape}; expected two equal non-empty lists")
    if not ((sure >= 0.5) & (sure <= 1)).all():
        raise InputError("a confidence lies outside of 0.5 to 1; give that of the likelier of two classes")
    member = np.minimum(((sure - 0.5) * 2 * BINS).astype(np.int64), BINS - 1)
    held = np.asarray(np.bincount(member, weights, BINS), np.float64)
    sums = [np.bincount(member, weights * values, BINS) for values in (sure, hits)]
    means, accuracies = (np.divide(total, held, out=np.zeros(BINS), where=held > 0) for total in sums)
    return means, accuracies, accuracies - means, held
