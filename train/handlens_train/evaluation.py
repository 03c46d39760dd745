"""What an evaluation returns, whatever the task: metrics with intervals, and what a gate needs to compare two."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens import metrics
from handlens.errors import InputError
from handlens.manifest import Metric
from handlens.metrics import Interval

# Fewer items than this get "too few" instead of a figure: at 30 the 95% interval of a share is still 0.36 wide.
LEAST = 30
Points = tuple[tuple[float, float], ...]


class Row(NamedTuple):
    """One line of a breakdown; `value`, `low` and `high` are None where there are too few items to say."""

    label: str
    n: int
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A figure taken apart: gender accuracy by age band, average precision by face height.

    Attributes:
        name: of what tells the rows apart, such as "age".
        rows: in the order to show; plain (label, n, value, low, high) tuples are taken too.
        metric: the figure, such as "accuracy"; the evaluation's primary one when empty.
    """

    name: str
    rows: tuple[Row, ...]
    metric: str = ""

    def __post_init__(self) -> None:
        """Makes every row a `Row`."""
        object.__setattr__(self, "rows", tuple(Row(*row) for row in self.rows))


@dataclass(frozen=True, slots=True)
class Matrix:
    """Which class was answered for which: a confusion matrix.

    Attributes:
        name: of what is classified, such as "luggage".
        labels: of the K classes.
        counts: K rows of K items; a row is a true class, a column an answer.
    """

    name: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        """Refuses counts that do not fit the labels."""
        if len(self.counts) != len(self.labels) or any(len(row) != len(self.labels) for row in self.counts):
            raise InputError(
                f"the matrix {self.name!r} has {len(self.labels)} labels; expected as many rows and columns"
            )


class Item(NamedTuple):
    """One thing that was judged, so that two artifacts' answers can be held against each other.

    Attributes:
        name: for a person, such as the image's file name.
        answer: what the artifact said, in words.
        right: how right that was, 0 to 1.
        pictures: what there is to see: files, or uint8 RGB (H, W, 3) or grey (H, W, 1).
    """

    name: str
    answer: str
    right: float
    pictures: tuple[Path | NDArray[np.uint8], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """One artifact on one split, through the runtime.

    Attributes:
        dataset: such as "market1501".
        split: "val" or "test".
        protocol: in words, for a person.
        n: items (probes, images, pairs).
        primary: the metric a gate compares, a key of `metrics`; higher is better.
        metrics: value and 95% bootstrap interval each, fractions 0..1.
        outcomes: (N,) float64, the primary metric of each item; its mean is the primary value. Empty when `statistic`
            is given.
        groups: (N,) identity (or image) of each item, resampled together; with `statistic`, (G,) one label a group.
        curve: CMC up to rank 50 where the task has one.
        engine: name and version of what ran.
        statistic: for a primary metric that is no mean of outcomes (average precision): from (G,) float64, how often
            each of `groups` counts, to the metric.
        breakdowns: the primary metric taken apart, or another one.
        curves: by name, (x, y) points; "det" is FNMR against FMR, with "det-low" and "det-high" about it.
        counts: what the figures rest on, by name; "impostors" and "genuine" comparisons for a DET curve.
        others: further data sets measured in the same call.
        units: of metrics that are no fraction, by name, such as {"false_positives": "per image"}.
        matrices: confusion matrices, one a head or a task.
        items: what was judged, one by one, in an order that another artifact's evaluation repeats; never recorded.
    """

    dataset: str
    split: str
    protocol: str
    n: int
    primary: str
    metrics: dict[str, Interval]
    outcomes: NDArray[np.float64]
    groups: NDArray[Any]
    curve: tuple[float, ...] = ()
    engine: str = ""
    statistic: Callable[[NDArray[np.float64]], float] | None = None
    breakdowns: tuple[Breakdown, ...] = ()
    curves: dict[str, Points] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    others: tuple["Evaluation", ...] = ()
    units: dict[str, str] = field(default_factory=dict)
    matrices: tuple[Matrix, ...] = ()
    items: tuple[Item, ...] = ()

    def records(self) -> tuple[Metric, ...]:
        """The figures as a manifest records them, those of `others` behind this one's."""
        own = tuple(
            Metric(
                dataset=self.dataset,
                split=self.split,
                name=name,
                n=self.n,
                value=m.value,
                low=m.low,
                high=m.high,
                unit=self.units.get(name, "fraction"),
            )
            for name, m in self.metrics.items()
        )
        return own + tuple(record for other in self.others for record in other.records())

    def detail(self) -> dict[str, Any]:
        """What rides along in the artifact beside the metrics: protocol, primary, curves, breakdowns, matrices."""
        return {
            "protocol": self.protocol,
            "primary": self.primary,
            "engine": self.engine,
            "curve": [round(value, 6) for value in self.curve],
            "curves": {name: [[_short(x), _short(y)] for x, y in points] for name, points in self.curves.items()},
            "counts": dict(self.counts),
            "breakdowns": [
                {
                    "name": item.name,
                    "metric": item.metric or self.primary,
                    "rows": [
                        [row.label, row.n, *(_short(v) for v in (row.value, row.low, row.high))] for row in item.rows
                    ],
                }
                for item in self.breakdowns
            ],
            "matrices": [
                {"name": item.name, "labels": list(item.labels), "counts": [list(row) for row in item.counts]}
                for item in self.matrices
            ],
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON for `handlens evaluate --json`."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "n": self.n,
            **self.detail(),
            "metrics": {k: {"value": m.value, "low": m.low, "high": m.high} for k, m in self.metrics.items()},
            "units": dict(self.units),
            "others": [other.to_dict() for other in self.others],
        }


def right_or_wrong(
    dataset: str,
    split: str,
    right: ArrayLike,
    engine: str,
    *,
    protocol: str = "",
    primary: str = "accuracy",
    items: tuple[Item, ...] = (),
) -> Evaluation:
    """The evaluation of a classifier whose answers are each right or wrong, and independent.

    Args:
        dataset: its name.
        split: of the data set.
        right: (N,) whether each answer was.
        engine: that ran the artifact.
        protocol: what was asked.
        primary: what the share of right answers is called.
        items: what was judged, where it can be named.
    """
    outcomes = np.asarray(right, np.float64)
    return Evaluation(
        dataset=dataset,
        split=split,
        protocol=protocol or f"{len(outcomes)} items",
        n=len(outcomes),
        primary=primary,
        metrics={primary: metrics.bootstrap(outcomes)},
        outcomes=outcomes,
        groups=np.arange(len(outcomes)),
        engine=engine,
        items=items,
    )


def breakdown(
    name: str,
    labels: Sequence[str] | ArrayLike,
    outcomes: ArrayLike,
    order: Iterable[str] | None = None,
    *,
    groups: ArrayLike | None = None,
    metric: str = "",
    least: int = LEAST,
) -> Breakdown:
    """The mean of outcomes by label, each with its bootstrap interval; "too few" below `least` items.

    Args:
        name: of what tells the labels apart, such as "age".
        labels: (N,) of each item.
        outcomes: (N,) such as 1.0 where the model was right.
        order: of the rows; by default the labels that occur, sorted.
        groups: (N,) items resampled together.
        metric: the figure's name.
        least: items that a figure needs.
    """
    marks, values = np.asarray(labels).astype(str), np.asarray(outcomes, np.float64)
    members = None if groups is None else np.asarray(groups)
    rows = []
    for label in np.unique(marks).tolist() if order is None else order:
        chosen = marks == str(label)
        if chosen.sum() < least:
            rows.append(Row(str(label), int(chosen.sum()), None))
            continue
        found = metrics.bootstrap(values[chosen], None if members is None else members[chosen])
        rows.append(Row(str(label), int(chosen.sum()), found.value, found.low, found.high))
    return Breakdown(name, tuple(rows), metric)


def by_height(
    found: Sequence[metrics.Found],
    truths: Sequence[ArrayLike],
    edges: Sequence[int] = (20, 32, 64, 128),
    *,
    name: str = "face height",
    least: int = LEAST,
) -> Breakdown:
    """Average precision at IoU 0.5 by the height of the truths, with intervals over images.

    Args:
        found: (boxes (n, 4), scores (n,)) of each image.
        truths: boxes (m, 4) of each image.
        edges: heights in pixels, rising, at which one row ends and the next begins; the last row has no end.
        name: of what the rows tell apart.
        least: truths that a figure needs.
    """
    rows = []
    for low, high in zip(edges, [*edges[1:], math.inf], strict=True):
        label = f"{low} px and more" if high == math.inf else f"{low} to {high} px"
        matches = metrics.match_detections(found, truths, min_height=low, max_height=high)
        count = int(matches.truths.sum())
        if count < least:
            rows.append(Row(label, count, None))
            continue
        ap = metrics.average_precision_interval(matches)
        rows.append(Row(label, count, ap.value, ap.low, ap.high))
    return Breakdown(name, tuple(rows), "ap")


def _short(value: float | None) -> float | None:
    """Six significant digits; None for what JSON cannot hold."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")
