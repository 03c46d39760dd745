"""Which trials of a sweep a person wants to see: the best within the budget, the nearest to it, the front."""

from collections.abc import Sequence
from typing import NamedTuple

from handlens_export.report.pareto import pareto_front
from handlens_export.sweep.database import Row
from handlens_export.sweep.space import Objective
from handlens_export.sweep.trial import Figures


class Done(NamedTuple):
    """A trial with an artifact."""

    row: Row
    figures: Figures


def done(rows: Sequence[Row]) -> list[Done]:
    """Those with an artifact; float32, which all are compared with, is the first."""
    return [Done(row, row.outcome.figures) for row in rows if row.outcome is not None and row.outcome.figures]


def cost(trial: Done, objective: Objective) -> float:
    """What the objective makes small: bytes after gzip -9, or median milliseconds (infinite where none were taken)."""
    if objective == "bytes":
        return float(trial.figures.gzip_size)
    return float("inf") if trial.row.p50_ms is None else trial.row.p50_ms


def best(trials: Sequence[Done], allowed: float, objective: Objective) -> Done | None:
    """The cheapest within the budget, the smaller file and then the smaller loss where two cost the same.

    The first, float32 itself, is no candidate.
    """
    held = [trial for trial in trials[1:] if trial.figures.loss <= allowed]
    return min(held, key=lambda trial: (cost(trial, objective), trial.figures.size, trial.figures.loss), default=None)


def nearest(trials: Sequence[Done]) -> Done | None:
    """The one that loses least, but for float32."""
    return min(trials[1:], key=lambda trial: (trial.figures.loss, trial.figures.gzip_size), default=None)


def front(trials: Sequence[Done], objective: Objective) -> set[int]:
    """Numbers of the trials that no other beats in both cost and metric."""
    costs, gains = [cost(trial, objective) for trial in trials], [-trial.figures.loss for trial in trials]
    return {trials[index].row.number for index in pareto_front(costs, gains)}
