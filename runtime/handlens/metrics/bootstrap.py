"""Bootstrap intervals: of a mean, of a paired difference, and of any statistic of resampled groups."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from handlens.errors import InputError
from handlens.metrics._arrays import Floats, Integers

_CHUNK_ELEMENTS = 2_000_000

Statistic = Callable[[Floats], float]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the bounds of its bootstrap interval, all in the unit of the values."""

    value: float
    low: float
    high: float


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


def bootstrap_statistic(
    statistic: Statistic, groups: int, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Returns a statistic of all groups and its percentile bootstrap interval, for figures that are no mean of items.

    Args:
        statistic: from (groups,) float64, how often each group counts, to the figure; all ones give the value itself.
            Where a resample leaves it undefined (no positive drawn) it returns NaN, and that resample is left out.
        groups: how many there are (images, people); 1 or more.
        resamples: draws; 1 or more.
        seed: the same seed draws the same groups.
        level: coverage aimed at, between 0 and 1.

    Raises:
        InputError: an option is out of range, or the statistic is undefined on all groups.
    """
    return _of_statistic(statistic, groups, resamples, seed, level)


def paired_bootstrap_statistic(
    a: Statistic, b: Statistic, groups: int, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Returns `a - b` and its interval: both statistics see the same draw of the same groups.

    Args:
        a: such as the average precision of the float parent, as `bootstrap_statistic` takes it.
        b: such as that of a compressed model, on the same groups in the same order.
        groups: as in `bootstrap_statistic`.
        resamples: as in `bootstrap_statistic`.
        seed: as in `bootstrap_statistic`.
        level: as in `bootstrap_statistic`.

    Raises:
        InputError: as `bootstrap_statistic`.
    """
    return _of_statistic(lambda counts: a(counts) - b(counts), groups, resamples, seed, level)


def percentile_interval(value: float, drawn: ArrayLike, level: float = 0.95) -> Interval:
    """Returns `value` with the percentiles of resampled figures as its interval; NaN among these are left out.

    Raises:
        InputError: `value` is not finite, or no resampled figure is.
    """
    figures = np.asarray(drawn, np.float64)
    figures = figures[np.isfinite(figures)]
    if not np.isfinite(value) or not len(figures):
        raise InputError(f"a statistic of {value} has no interval; it needs items of every kind (positives, pairs)")
    low, high = np.quantile(figures, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high))


def group_counts(groups: int, resamples: int, seed: int = 0) -> Integers:
    """Returns (resamples, groups) int64: how often each group is drawn in each resample; rows sum to `groups`.

    Raises:
        InputError: nothing to draw from, or no resample.
    """
    if groups < 1 or resamples < 1:
        raise InputError(f"{groups} groups, {resamples} resamples; valid: 1 or more of each")
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, groups, size=(resamples, groups))
    flat = drawn + groups * np.arange(resamples)[:, None]
    return np.bincount(flat.ravel(), minlength=resamples * groups).reshape(resamples, groups).astype(np.int64)


def _of_statistic(statistic: Statistic, groups: int, resamples: int, seed: int, level: float) -> Interval:
    if not 0 < level < 1:
        raise InputError(f"level is {level}; valid: between 0 and 1")
    counts = group_counts(groups, resamples, seed).astype(np.float64)
    value = float(statistic(np.ones(groups)))
    return percentile_interval(value, [statistic(row) for row in counts], level)
