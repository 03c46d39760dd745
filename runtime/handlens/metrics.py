"""How good the answers are: ranking, retrieval and classification metrics with bootstrap intervals. NumPy only.

This is the one place metrics live; training, the export gate, `handlens evaluate` and the report all call it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens.errors import InputError, ProbeWithoutMatch

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Identity of a gallery image that Market-1501 neither rewards nor punishes (a bad detection of somebody).
JUNK = -1
_CHUNK_ELEMENTS = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Where each probe's matches landed in the gallery sorted by similarity.

    Attributes:
        first_match: (P,) int64, 0-based rank of the first correct gallery item.
        average_precision: (P,) float64, 0..1.
        probe_ids: (P,) int64, the identity of each probe (the groups to resample in a bootstrap).
    """

    first_match: Integers
    average_precision: Floats
    probe_ids: Integers

    def hits(self, rank: int) -> Floats:
        """Returns (P,) float64: 1.0 where a correct item is among the first `rank` (1-based), else 0.0."""
        return (self.first_match < rank).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the bounds of its bootstrap interval, all in the unit of the values."""

    value: float
    low: float
    high: float


def rank(
    similarity: ArrayLike,
    probe_ids: ArrayLike,
    gallery_ids: ArrayLike,
    probe_cameras: ArrayLike | None = None,
    gallery_cameras: ArrayLike | None = None,
) -> Ranking:
    """Ranks the gallery for each probe, by the protocol of Market-1501 (Zheng et al., ICCV 2015).

    Gallery items of the probe's identity seen by the probe's own camera are left out, as are those of identity -1
    (junk). Distractors (identity 0 there) stay in; they match nobody, as no probe has their identity. Without cameras
    nothing but junk is left out. Among equal similarities the wrong items come first, so a model that answers the same
    for everybody scores nothing.

    Average precision is the mean, over the correct items, of the precision at each (as scikit-learn has it, without the
    trapezoids of the data set's first MATLAB code, which score slightly higher).

    Args:
        similarity: (P, G), higher is more alike; finite.
        probe_ids: (P,) integers.
        gallery_ids: (G,) integers.
        probe_cameras: (P,) integers; give both cameras or neither.
        gallery_cameras: (G,) integers.

    Raises:
        InputError: shapes disagree, or a similarity is not finite.
        ProbeWithoutMatch: a probe has no correct item left in the gallery; the message names the identities.
    """
    scores = np.asarray(similarity)
    probes, gallery = _integers(probe_ids, "probe_ids"), _integers(gallery_ids, "gallery_ids")
    if scores.shape != (len(probes), len(gallery)):
        raise InputError(
            f"similarity has shape {scores.shape}; expected (probes, gallery) = ({len(probes)}, {len(gallery)})"
        )
    if (probe_cameras is None) != (gallery_cameras is None):
        raise InputError("cameras are given for the probes or the gallery only; give both or neither")
    cameras: tuple[Integers, Integers] | None = None
    if probe_cameras is not None and gallery_cameras is not None:
        cameras = _integers(probe_cameras, "probe_cameras"), _integers(gallery_cameras, "gallery_cameras")
        got = len(cameras[0]), len(cameras[1])
        if got != scores.shape:
            raise InputError(f"cameras for {got} probes and gallery items; expected one each, {scores.shape}")
    first = np.zeros(len(probes), np.int64)
    precision = np.zeros(len(probes), np.float64)
    unmatched: list[int] = []
    for index, identity in enumerate(probes):
        row = np.asarray(scores[index], np.float64)
        if not np.isfinite(row).all():
            raise InputError(f"similarity of probe {index} is not finite; check the embeddings")
        match = gallery == identity
        keep = gallery != JUNK
        if cameras is not None:
            keep &= ~(match & (cameras[1] == cameras[0][index]))
        match, row = match[keep], row[keep]
        if not match.any():
            unmatched.append(int(identity))
            continue
        positions = np.flatnonzero(match[np.lexsort((match, -row))])
        first[index] = positions[0]
        precision[index] = np.mean(np.arange(1, len(positions) + 1) / (positions + 1))
    if unmatched:
        _refuse(unmatched, len(probes), cameras is not None)
    return Ranking(first, precision, probes)


def cmc(ranking: Ranking, max_rank: int) -> Floats:
    """Returns the cumulative match characteristic, (max_rank,) float64: element k - 1 is the share hit by rank k.

    Raises:
        InputError: `max_rank` is below 1, or there is no probe.
    """
    if max_rank < 1:
        raise InputError(f"max_rank is {max_rank}; valid: 1 or more")
    if not len(ranking.first_match):
        raise InputError("a CMC of no probes; the probe set is empty")
    hits: Floats = np.mean(ranking.first_match[:, None] < np.arange(1, max_rank + 1), axis=0, dtype=np.float64)
    return hits


def mean_average_precision(ranking: Ranking) -> float:
    """Returns the mean of the probes' average precisions, 0..1.

    Raises:
        InputError: there is no probe.
    """
    if not len(ranking.average_precision):
        raise InputError("a mean average precision of no probes; the probe set is empty")
    return float(np.mean(ranking.average_precision))


def bootstrap(
    values: ArrayLike, groups: ArrayLike | None = None, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Returns the mean of `values` and its percentile bootstrap interval (Efron).

    Values of one group rise and fall together (the images of one person), so whole groups are drawn with replacement;
    the statistic is the mean over every value drawn. When all values are equal the interval has no width: read it as
    "too few items to see a miss", not as certainty.

    Args:
        values: (N,) finite numbers, such as `Ranking.hits(1)`.
        groups: (N,) labels, such as identities; None draws single values.
        resamples: draws; 1 or more.
        seed: the same seed gives the same interval.
        level: coverage aimed at, between 0 and 1.

    Raises:
        InputError: nothing to resample, shapes disagree, a value is not finite, or an option is out of range.
    """
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers).all():
        raise InputError(f"bootstrap needs a non-empty list of finite numbers; got shape {numbers.shape}")
    if resamples < 1 or not 0 < level < 1:
        raise InputError(f"resamples is {resamples}, level is {level}; valid: 1 or more, and between 0 and 1")
    sums: Floats = numbers
    counts: Floats = np.ones(len(numbers))
    if groups is not None:
        labels = np.asarray(groups)
        if labels.shape != numbers.shape:
            raise InputError(f"groups has shape {labels.shape}; expected {numbers.shape}, one label a value")
        _, member = np.unique(labels, return_inverse=True)
        sums = np.asarray(np.bincount(member, weights=numbers), np.float64)
        counts = np.asarray(np.bincount(member), np.float64)
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(1, _CHUNK_ELEMENTS // len(sums))
    for start in range(0, resamples, step):
        drawn = generator.integers(0, len(sums), size=(min(step, resamples - start), len(sums)))
        means[start : start + len(drawn)] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(numbers.mean()), float(low), float(high))


def paired_bootstrap(
    a: ArrayLike,
    b: ArrayLike,
    groups: ArrayLike | None = None,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Returns the mean of `a - b` and its interval, both measured on the same items in the same order.

    Pairing removes what the items have in common, so the interval is far narrower than the two separate ones suggest.

    Args:
        a: (N,) such as the hits of a compressed model.
        b: (N,) such as the hits of its float parent.
        groups: as in `bootstrap`.
        resamples: as in `bootstrap`.
        seed: as in `bootstrap`.
        level: as in `bootstrap`.

    Raises:
        InputError: as `bootstrap`, or `a` and `b` differ in shape.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape:
        raise InputError(
            f"a has shape {first.shape}, b has {second.shape}; a pair needs the same items in the same order"
        )
    return bootstrap(first - second, groups, resamples, seed, level)


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


def _integers(values: ArrayLike, name: str) -> Integers:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(f"{name} has shape {array.shape} and type {array.dtype}; expected a list of integers")
    return array.astype(np.int64)


def _refuse(unmatched: list[int], probes: int, cameras: bool) -> None:
    names = ", ".join(map(str, sorted(set(unmatched))[:5])) + (" ..." if len(set(unmatched)) > 5 else "")
    where = "from another camera " if cameras else ""
    raise ProbeWithoutMatch(
        f"{len(unmatched)} of {probes} probes have no image of their identity {where}in the gallery "
        f"(identity {names}); every probe needs one: add it to the gallery or remove the probe"
    )
