"""Pairs of people's scores, and bootstrap intervals over the people behind them.

Comparisons of one person rise and fall together, so people are drawn, not pairs: in a resample a pair of two people
counts as often as the product of how often each was drawn, a pair of one person as often as that person was (the
two-way bootstrap of pairwise data; Owen 2007, "The pigeonhole bootstrap", for the products).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens.errors import InputError
from handlens.manifest import Threshold
from handlens.metrics._arrays import Floats, Integers
from handlens.metrics.bootstrap import Interval, Statistic, group_counts, percentile_interval
from handlens.metrics.verification import RULE_OF_THREE, supported_rates, threshold_at_fmr

TARGETS = (1e-1, 1e-2, 1e-3, 1e-4)
_CHUNK_ELEMENTS = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Scores of pairs with the people behind them. Make it with `score_pairs` or `all_pairs`.

    Attributes:
        genuine: (G,) float64, falling.
        impostor: (I,) float64, falling.
        genuine_people: (G,) int64, index of the person of each genuine pair, 0..people - 1.
        impostor_people: (I, 2) int64, those of each impostor pair.
        people: how many there are.
    """

    genuine: Floats
    impostor: Floats
    genuine_people: Integers
    impostor_people: Integers
    people: int


@dataclass(frozen=True, slots=True)
class VerificationIntervals:
    """Figures of a verifier, each with its interval over people.

    Attributes:
        eer: the equal error rate.
        fnmr: by target FMR, of those that the comparisons carry; the threshold is chosen anew on each resample.
        accuracy: at the given threshold; None without one.
        fmr_at_threshold: likewise.
        fnmr_at_threshold: likewise.
    """

    eer: Interval
    fnmr: dict[float, Interval]
    accuracy: Interval | None = None
    fmr_at_threshold: Interval | None = None
    fnmr_at_threshold: Interval | None = None


def score_pairs(scores: ArrayLike, first: ArrayLike, second: ArrayLike) -> Pairs:
    """Returns pairs sorted by score.

    Args:
        scores: (N,) finite; higher is more alike.
        first: (N,) labels of the person on one side.
        second: (N,) on the other; the pair is genuine where the two are equal.

    Raises:
        InputError: shapes disagree, a score is not finite, or one of the two kinds is missing.
    """
    numbers, a, b = np.asarray(scores, np.float64), np.asarray(first), np.asarray(second)
    if numbers.ndim != 1 or a.shape != numbers.shape or b.shape != numbers.shape or not np.isfinite(numbers).all():
        raise InputError(
            f"scores have shape {numbers.shape}, people {a.shape} and {b.shape}; expected equal lists, finite scores"
        )
    labels, member = np.unique(np.concatenate([a, b]), return_inverse=True)
    people = member.reshape(2, -1).T
    order = np.argsort(-numbers, kind="stable")
    numbers, people = numbers[order], people[order].astype(np.int64)
    same = people[:, 0] == people[:, 1]
    if not same.any() or same.all():
        raise InputError(f"{same.sum()} genuine and {(~same).sum()} impostor pairs; both kinds are needed")
    return Pairs(numbers[same], numbers[~same], people[same, 0], people[~same], len(labels))


def all_pairs(embeddings: ArrayLike, identities: ArrayLike) -> Pairs:
    """Returns every pair of N embeddings, N (N - 1) / 2 of them, scored by cosine.

    Args:
        embeddings: (N, D) of unit length.
        identities: (N,) labels.

    Raises:
        InputError: as `score_pairs`, or shapes disagree.
    """
    vectors, who = np.asarray(embeddings, np.float64), np.asarray(identities)
    if vectors.ndim != 2 or who.shape != vectors.shape[:1]:
        raise InputError(f"embeddings have shape {vectors.shape}, identities {who.shape}; expected (N, D) and (N,)")
    i, j = np.triu_indices(len(vectors), 1)
    return score_pairs((vectors @ vectors.T)[i, j], who[i], who[j])


def choose_thresholds(
    pairs: Pairs, targets: Iterable[float] = TARGETS, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[Threshold, ...]:
    """Returns a manifest's threshold for each target FMR that the comparisons carry (`supports`).

    Its `low` and `high` are the interval, over people, of the FMR at that very threshold.

    Raises:
        InputError: a target is outside 0..1.
    """
    kept = supported_rates(len(pairs.impostor), targets)
    values = [threshold_at_fmr(pairs.impostor, target) for target in kept]
    # Impostors at or above a threshold are the first so many of a falling list.
    ends = [int(np.searchsorted(-pairs.impostor, -value, "right")) for value in values]
    drawn: list[Floats] = []
    for weights in _impostor_weights(pairs, resamples, seed):
        cumulative = _cumulative(weights)
        drawn.append(cumulative[:, ends] / np.where(cumulative[:, -1:] > 0, cumulative[:, -1:], np.nan))
    rates = np.concatenate(drawn) if kept else np.empty((0, 0))
    found = []
    for column, (target, value, end) in enumerate(zip(kept, values, ends, strict=True)):
        interval = percentile_interval(end / len(pairs.impostor), rates[:, column], level)
        found.append(
            Threshold(
                target_fmr=target,
                value=value,
                comparisons=len(pairs.impostor),
                low=interval.low,
                high=interval.high,
            )
        )
    return tuple(found)


def verification_intervals(
    pairs: Pairs,
    targets: Iterable[float] = TARGETS,
    threshold: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> VerificationIntervals:
    """Returns the customary figures with percentile intervals over people, all from the same resamples.

    A rate of which not one error was seen has the rule of three's 3 / N as its upper end.

    Args:
        pairs: the scores.
        targets: FMRs to give the FNMR at; those that the comparisons cannot carry are left out.
        threshold: also the accuracy and both rates at it.
        resamples: draws of people.
        seed: of the draws.
        level: coverage aimed at.

    Raises:
        InputError: an option is out of range.
    """
    kept = supported_rates(len(pairs.impostor), targets)
    table = _figures(pairs, kept, threshold, np.ones((1, pairs.people), np.int64))[0]
    rows = [
        _figures(pairs, kept, threshold, counts)
        for counts in _chunks(pairs, group_counts(pairs.people, resamples, seed))
    ]
    drawn = np.concatenate(rows)
    equal, *made = (percentile_interval(float(value), drawn[:, i], level) for i, value in enumerate(table))
    fnmr = {target: _without_error(found, len(pairs.genuine)) for target, found in zip(kept, made, strict=False)}
    if threshold is None:
        return VerificationIntervals(equal, fnmr)
    accuracy, fmr_there, fnmr_there = made[len(kept) :]
    return VerificationIntervals(
        equal,
        fnmr,
        accuracy,
        _without_error(fmr_there, len(pairs.impostor)),
        _without_error(fnmr_there, len(pairs.genuine)),
    )


def _without_error(found: Interval, comparisons: int) -> Interval:
    """Where not one error was seen resampling sees none either: the upper end is then the rule of three's."""
    if found.value > 0:
        return found
    return Interval(found.value, found.low, max(found.high, min(RULE_OF_THREE / comparisons, 1.0)))


def det_points(
    pairs: Pairs, points: int = 60, resamples: int = 300, seed: int = 0, level: float = 0.95
) -> dict[str, tuple[tuple[float, float], ...]]:
    """Returns curves for `Evaluation.curves`: (FMR, FNMR) at targets evenly spaced in log FMR, and the band about them.

    Keys "det", "det-low" and "det-high" (the interval over people), from one in I comparisons up to FMR 0.5.
    """
    rates = tuple(np.geomspace(1 / len(pairs.impostor), 0.5, points).tolist())
    value = _fnmr(pairs, rates, np.ones((1, pairs.people), np.int64))[0]
    drawn = np.concatenate(
        [_fnmr(pairs, rates, counts) for counts in _chunks(pairs, group_counts(pairs.people, resamples, seed))]
    )
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    curves = {"det": value, "det-low": low, "det-high": high}
    return {name: tuple(zip(rates, column.tolist(), strict=True)) for name, column in curves.items()}


def tar_statistic(pairs: Pairs, target: float) -> Statistic:
    """Returns TAR at a target FMR as a function of how often each person counts, for `paired_bootstrap_statistic`."""

    def statistic(counts: Floats) -> float:
        return 1.0 - float(_fnmr(pairs, (target,), counts[None].astype(np.int64))[0, 0])

    return statistic


def accuracy_statistic(pairs: Pairs, threshold: float) -> Statistic:
    """Returns accuracy at a threshold as a function of how often each person counts, likewise."""

    def statistic(counts: Floats) -> float:
        return float(_at_threshold(pairs, threshold, counts[None].astype(np.int64))[0, 0])

    return statistic


def _figures(pairs: Pairs, targets: Sequence[float], threshold: float | None, counts: Integers) -> Floats:
    """(R, 1 + len(targets) + 0 or 3): EER, FNMR at each target, then accuracy, FMR and FNMR at the threshold."""
    columns = [_fnmr(pairs, targets, counts, with_eer=True)]
    if threshold is not None:
        columns.append(_at_threshold(pairs, threshold, counts))
    return np.concatenate(columns, axis=1)


def _fnmr(pairs: Pairs, targets: Sequence[float], counts: Integers, *, with_eer: bool = False) -> Floats:
    """(R, T): FNMR at each target FMR of each resample; with the EER as a first column where asked for."""
    wrong = _cumulative(_impostors(pairs, counts))
    right = _cumulative(counts[:, pairs.genuine_people])
    # How many genuine scores are above each impostor score, and all of them where every impostor may match.
    above = np.searchsorted(-pairs.genuine, -pairs.impostor, "left")
    above = np.concatenate([above, [len(pairs.genuine)]])
    total, genuine = wrong[:, -1].astype(np.float64), right[:, -1].astype(np.float64)
    total[total == 0], genuine[genuine == 0] = np.nan, np.nan
    table = np.empty((len(counts), len(targets)))
    for row in range(len(counts)):
        allowed = np.floor(np.nan_to_num(total[row]) * np.asarray(targets) + 1e-9)
        first_over = np.searchsorted(wrong[row, 1:], allowed, "right")
        table[row] = 1.0 - right[row, above[first_over]] / genuine[row]
    if not with_eer:
        return table
    # Accepting what is above impostor k leaves those of a strictly higher score.
    higher = np.searchsorted(-pairs.impostor, -pairs.impostor, "left")
    higher = np.concatenate([higher, [len(pairs.impostor)]])
    fmr = wrong[:, higher] / total[:, None]
    fnmr = 1.0 - right[:, above] / genuine[:, None]
    best = np.argmin(np.abs(np.nan_to_num(fmr) - np.nan_to_num(fnmr)), axis=1)
    rows = np.arange(len(counts))
    equal = (fmr[rows, best] + fnmr[rows, best]) / 2
    return np.concatenate([equal[:, None], table], axis=1)


def _at_threshold(pairs: Pairs, threshold: float, counts: Integers) -> Floats:
    """(R, 3): accuracy, FMR and FNMR at a fixed threshold."""
    wrong, right = _impostors(pairs, counts), counts[:, pairs.genuine_people]
    matched = int(np.searchsorted(-pairs.impostor, -threshold, "right"))
    kept = int(np.searchsorted(-pairs.genuine, -threshold, "right"))
    false_matches, impostors = wrong[:, :matched].sum(axis=1), wrong.sum(axis=1).astype(np.float64)
    matches, genuine = right[:, :kept].sum(axis=1), right.sum(axis=1).astype(np.float64)
    impostors[impostors == 0], genuine[genuine == 0] = np.nan, np.nan
    accuracy = (matches + impostors - false_matches) / (impostors + genuine)
    return np.stack([accuracy, false_matches / impostors, 1.0 - matches / genuine], axis=1)


def _impostors(pairs: Pairs, counts: Integers) -> Integers:
    small = np.ascontiguousarray(counts.astype(np.int32))
    weights: NDArray[Any] = small[:, pairs.impostor_people[:, 0]]
    weights *= small[:, pairs.impostor_people[:, 1]]
    return weights


def _impostor_weights(pairs: Pairs, resamples: int, seed: int) -> Iterator[Integers]:
    for counts in _chunks(pairs, group_counts(pairs.people, resamples, seed)):
        yield _impostors(pairs, counts)


def _chunks(pairs: Pairs, counts: Integers) -> Iterator[Integers]:
    step = max(1, _CHUNK_ELEMENTS // (len(pairs.impostor) + len(pairs.genuine)))
    for start in range(0, len(counts), step):
        yield counts[start : start + step]


def _cumulative(weights: Integers) -> Integers:
    """(R, N + 1): sums of the first 0..N weights of each row."""
    sums = np.zeros((weights.shape[0], weights.shape[1] + 1), np.int64)
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums
