"""What an evaluation returns, whatever the task: metrics with intervals, and the primary one item by item."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from handlens.manifest import Metric
from handlens.metrics import Interval


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """One artifact on one split, through the runtime.

    Attributes:
        dataset: such as "market1501".
        split: "val" or "test".
        protocol: in words, for a person.
        n: items (probes, images).
        primary: the metric a gate compares, a key of `metrics`.
        metrics: value and 95% bootstrap interval each, fractions 0..1.
        outcomes: (N,) float64, the primary metric of each item; its mean is the primary value.
        groups: (N,) identity of each item, resampled together.
        curve: CMC up to rank 50 where the task has one.
        engine: name and version of what ran.
    """

    dataset: str
    split: str
    protocol: str
    n: int
    primary: str
    metrics: dict[str, Interval]
    outcomes: np.ndarray
    groups: np.ndarray
    curve: tuple[float, ...] = ()
    engine: str = ""

    def records(self) -> tuple[Metric, ...]:
        """The figures as a manifest records them."""
        return tuple(
            Metric(dataset=self.dataset, split=self.split, name=name, n=self.n, value=m.value, low=m.low, high=m.high)
            for name, m in self.metrics.items()
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON for `handlens evaluate --json`."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "protocol": self.protocol,
            "n": self.n,
            "engine": self.engine,
            "primary": self.primary,
            "metrics": {k: {"value": m.value, "low": m.low, "high": m.high} for k, m in self.metrics.items()},
            "curve": list(self.curve),
        }
