"""The gate: a compressed artifact that loses more accuracy than allowed is not written."""

from dataclasses import dataclass

import numpy as np

from handlens.errors import InputError
from handlens.metrics import Interval, paired_bootstrap, paired_bootstrap_statistic
from handlens_train.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an artifact loses against float32, in points (hundredths) of the primary metric.

    Attributes:
        name: of the artifact.
        primary: the metric.
        split: it was measured on.
        drop: float32 less the artifact, with the 95% interval of the paired difference; negative is a gain.
        allowed: the largest drop that passes, in points.
    """

    name: str
    primary: str
    split: str
    drop: Interval
    allowed: float

    @property
    def passed(self) -> bool:
        """Whether the drop is within what is allowed."""
        return self.drop.value <= self.allowed

    def sentence(self) -> str:
        """Which artifact, how much, how sure, what was allowed."""
        drop = self.drop
        change = "loses" if drop.value >= 0 else "gains"
        return (
            f"{self.name} {change} {abs(drop.value):.2f} points of {self.primary} on {self.split} against float32 "
            f"(95% interval of the paired drop {drop.low:.2f} to {drop.high:.2f}); allowed: {self.allowed:.2f}"
        )

    def to_dict(self, dataset: str) -> dict[str, str | float]:
        """What rides along in an artifact as `gate.json`: its value less float32's, a fraction, with the interval."""
        value, low, high = (round(-end / 100, 6) + 0.0 for end in (self.drop.value, self.drop.high, self.drop.low))
        facts: dict[str, str | float] = {"dataset": dataset, "split": self.split, "metric": self.primary}
        return facts | {"value": value, "low": low, "high": high}


def judge(name: str, candidate: Evaluation, reference: Evaluation, max_drop: float) -> Verdict:
    """Compares with float32 on the same draws: item by item, or by a statistic of resampled groups.

    Groups (identities, images) are resampled together.

    Raises:
        InputError: the two were not measured on the same items.
    """
    drop = paired_drop(name, candidate, "its float32 reference", reference)
    points = Interval(*(100 * end for end in (drop.value, drop.low, drop.high)))
    return Verdict(name, candidate.primary, candidate.split, points, max_drop)


def paired_drop(name: str, candidate: Evaluation, other: str, reference: Evaluation) -> Interval:
    """The primary metric of `reference` less that of `candidate`, fractions, with the interval of the difference.

    Args:
        name: of the candidate's file.
        candidate: its evaluation.
        other: name of the reference.
        reference: its evaluation, on the same items.

    Raises:
        InputError: the two were not measured on the same items.
    """
    same = candidate.split == reference.split and candidate.primary == reference.primary
    alike = np.array_equal(candidate.groups, reference.groups)
    if not same or not alike or (candidate.statistic is None) != (reference.statistic is None):
        raise InputError(f"{name} and {other} were evaluated on different items; nothing to pair")
    if candidate.statistic is None or reference.statistic is None:
        return paired_bootstrap(reference.outcomes, candidate.outcomes, candidate.groups)
    return paired_bootstrap_statistic(reference.statistic, candidate.statistic, len(candidate.groups))
