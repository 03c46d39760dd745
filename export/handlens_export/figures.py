"""An evaluation as lines of text, and the options of a task's evaluation."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from handlens.errors import OptionError
from handlens_train.evaluation import Breakdown, Evaluation, Matrix, Row

TOO_FEW = "too few"


def options_for(task: str, accepted: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, for `task.evaluate`.

    Args:
        task: its name.
        accepted: names that its module declares in OPTIONS.
        given: by name; None was not given.

    Raises:
        OptionError: one that the task does not take.
    """
    kept = {name: value for name, value in given.items() if value is not None}
    for name in kept:
        if name not in accepted:
            takes = ", ".join(f"--{option}" for option in accepted) or "no further option"
            raise OptionError(f"--{name} is not for task {task!r}, which takes {takes}. Leave it out.")
    return kept


def text(file: Path, found: Evaluation) -> str:
    """Every figure with its interval, the breakdowns, and the further data sets, for a terminal."""
    lines = [f"{file.name} on {_where(found)}, {found.engine}", *_figures(found)]
    for other in found.others:
        lines += ["", f"also on {_where(other)}", *_figures(other)]
    return "\n".join(lines)


def _where(found: Evaluation) -> str:
    return f"{found.dataset}/{found.split} ({found.protocol})"


def _figures(found: Evaluation) -> list[str]:
    lines, width = [], max(16, *(len(name) for name in found.metrics))
    for name, figure in found.metrics.items():
        unit = found.units.get(name, "")
        lines.append(f"  {name:<{width}} {figure.value:.4f}  [{figure.low:.4f}, {figure.high:.4f}] {unit}".rstrip())
    for table in found.breakdowns:
        lines += ["", *_table(table, table.metric or found.primary)]
    for matrix in found.matrices:
        lines += ["", *_matrix(matrix)]
    return lines


def _table(table: Breakdown, metric: str) -> list[str]:
    width = max([len(table.name), *(len(row.label) for row in table.rows)])
    lines = [f"  {table.name:<{width}}  {'n':>6}  {metric}"]
    return lines + [f"  {row.label:<{width}}  {row.n:>6}  {_cell(row)}" for row in table.rows]


def _matrix(matrix: Matrix) -> list[str]:
    """A row a true class, a column an answer; the columns are numbered, because eleven names have no room."""
    width = max([len(matrix.name), *(len(label) + 3 for label in matrix.labels)])
    digits = max(4, *(len(str(count)) + 1 for row in matrix.counts for count in row))
    heads = "".join(f"{index:>{digits}}" for index in range(1, len(matrix.labels) + 1))
    lines = [f"  {matrix.name:<{width}}  answered"[: width + 12], f"  {'truth':<{width}}{heads}"]
    for index, (label, row) in enumerate(zip(matrix.labels, matrix.counts, strict=True), 1):
        lines.append(f"  {f'{index:>2} {label}':<{width}}" + "".join(f"{count:>{digits}}" for count in row))
    return lines


def _cell(row: Row) -> str:
    if row.value is None:
        return TOO_FEW
    interval = "" if row.low is None or row.high is None else f"  [{row.low:.4f}, {row.high:.4f}]"
    return f"{row.value:.4f}{interval}"
