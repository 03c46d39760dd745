"""Verification, 1:1: two items match when their score is at or above a threshold.

FMR is the share of impostor comparisons (two people) that match, FNMR the share of genuine ones (one person) that do
not, TAR = 1 - FNMR (ISO/IEC 19795-1). Intervals over people are in `handlens.metrics.people`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from handlens.errors import InputError
from handlens.metrics._arrays import Floats

# With no error in n independent comparisons the rate is below 3 / n, with 95% confidence.
RULE_OF_THREE = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Det:
    """Every operating point of a verifier, by falling threshold: FMR rises, FNMR falls.

    Attributes:
        thresholds: (K,) float64, each a score that occurs; the first is +inf, where nothing matches.
        fmr: (K,) float64, 0..1.
        fnmr: (K,) float64, 0..1.
    """

    thresholds: Floats
    fmr: Floats
    fnmr: Floats

    @property
    def tar(self) -> Floats:
        """(K,) float64, 1 - FNMR: with `fmr` the ROC curve."""
        return 1.0 - self.fnmr


def det(genuine: ArrayLike, impostor: ArrayLike) -> Det:
    """Returns all operating points of two lists of scores, equal scores taken together.

    Args:
        genuine: (G,) finite scores of one person's pairs; higher is more alike.
        impostor: (I,) of two people's.

    Raises:
        InputError: a list is empty or holds a value that is not finite.
    """
    same, other = sorted_scores(genuine, "genuine"), sorted_scores(impostor, "impostor")
    thresholds = np.unique(np.concatenate([same, other]))[::-1]
    matched = len(same) - np.searchsorted(same[::-1], thresholds, "left")
    wrong = len(other) - np.searchsorted(other[::-1], thresholds, "left")
    return Det(
        np.concatenate([[np.inf], thresholds]),
        np.concatenate([[0.0], wrong / len(other)]),
        np.concatenate([[1.0], 1.0 - matched / len(same)]),
    )


def false_match_rate(impostor: ArrayLike, threshold: float) -> float:
    """Returns the share of impostor scores at or above a threshold, 0..1.

    Raises:
        InputError: no score, or one that is not finite.
    """
    return float(np.mean(sorted_scores(impostor, "impostor") >= threshold))


def false_non_match_rate(genuine: ArrayLike, threshold: float) -> float:
    """Returns the share of genuine scores below a threshold, 0..1.

    Raises:
        InputError: no score, or one that is not finite.
    """
    return float(np.mean(sorted_scores(genuine, "genuine") < threshold))


def threshold_at_fmr(impostor: ArrayLike, target: float) -> float:
    """Returns the lowest threshold whose FMR on these comparisons is at most `target`.

    It lies just above an impostor score, so it may be used with scores that equal one. Ask `supports` first: a handful
    of comparisons gives a threshold for any target, and it means nothing.

    Args:
        impostor: (I,) finite scores.
        target: 0..1.

    Raises:
        InputError: no score, one that is not finite, or a target outside 0..1.
    """
    falling = sorted_scores(impostor, "impostor")
    _check_rate(target)
    allowed = int(np.floor(target * len(falling) + 1e-9))
    return float(np.nextafter(falling[allowed], np.inf)) if allowed < len(falling) else float(falling[-1])


def fnmr_at_fmr(genuine: ArrayLike, impostor: ArrayLike, target: float) -> float:
    """Returns the FNMR at `threshold_at_fmr(impostor, target)`, 0..1.

    Raises:
        InputError: as `det` and `threshold_at_fmr`.
    """
    return false_non_match_rate(genuine, threshold_at_fmr(impostor, target))


def tar_at_fmr(genuine: ArrayLike, impostor: ArrayLike, target: float) -> float:
    """Returns 1 - `fnmr_at_fmr`, the share of genuine comparisons that match.

    Raises:
        InputError: as `fnmr_at_fmr`.
    """
    return 1.0 - fnmr_at_fmr(genuine, impostor, target)


def eer(genuine: ArrayLike, impostor: ArrayLike) -> float:
    """Returns the equal error rate: the mean of FMR and FNMR at the operating point where they differ least.

    Raises:
        InputError: as `det`.
    """
    curve = det(genuine, impostor)
    best = np.argmin(np.abs(curve.fmr - curve.fnmr))
    return float((curve.fmr[best] + curve.fnmr[best]) / 2)


def verification_accuracy(genuine: ArrayLike, impostor: ArrayLike, threshold: float) -> float:
    """Returns the share of all pairs that a threshold decides rightly, 0..1 (LFW's figure).

    Raises:
        InputError: as `det`.
    """
    same, other = sorted_scores(genuine, "genuine"), sorted_scores(impostor, "impostor")
    return float((np.sum(same >= threshold) + np.sum(other < threshold)) / (len(same) + len(other)))


def best_threshold(genuine: ArrayLike, impostor: ArrayLike) -> float:
    """Returns the threshold that decides most pairs rightly, midway between the two scores it falls between.

    Choose it on other people than those it is judged on. Among equally good ones it takes the middle one.

    Raises:
        InputError: as `det`.
    """
    same, other = sorted_scores(genuine, "genuine"), sorted_scores(impostor, "impostor")
    curve = det(same, other)
    right = (1.0 - curve.fnmr) * len(same) + (1.0 - curve.fmr) * len(other)
    best = np.flatnonzero(right >= right.max() - 1e-9)
    chosen = int(best[len(best) // 2])
    if chosen == 0:
        return float(np.nextafter(curve.thresholds[1], np.inf))
    if chosen == len(curve.thresholds) - 1:
        return float(curve.thresholds[-1])
    return float((curve.thresholds[chosen] + curve.thresholds[chosen + 1]) / 2)


def supports(comparisons: int, rate: float) -> bool:
    """Whether so many comparisons can carry a rate, by the rule of three.

    With N comparisons and not one error, the 95% upper bound of the rate is 3 / N: a lower rate cannot be told from it.
    """
    return rate > 0 and comparisons * rate >= RULE_OF_THREE - 1e-9


def supported_rates(comparisons: int, rates: Iterable[float]) -> tuple[float, ...]:
    """Returns those of the rates that so many comparisons can carry, in their order."""
    return tuple(rate for rate in rates if supports(comparisons, rate))


def sorted_scores(scores: ArrayLike, what: str) -> Floats:
    """Returns finite scores, falling, (N,) float64.

    Raises:
        InputError: no score, or one that is not finite.
    """
    numbers = np.asarray(scores, np.float64)
    if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers).all():
        raise InputError(f"{what} scores have shape {numbers.shape}; expected a non-empty list of finite numbers")
    falling: Floats = np.sort(numbers)[::-1]
    return falling


def _check_rate(target: float) -> None:
    if not 0 <= target <= 1:
        raise InputError(f"the target rate is {target}; valid: 0 to 1, such as 0.01")
