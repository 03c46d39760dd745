"""What a sweep found, as a table and a few lines for a person."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from handlens_export.sweep.database import Row
from handlens_export.sweep.selection import Done, best, cost, done, front
from handlens_export.sweep.space import Objective

_SHOWN = 40  # rows of a table; the page has all


def line(row: Row) -> str:
    """One trial that has ended."""
    name = label(row)
    outcome = row.outcome
    if outcome is None:
        return f"{row.number}: {name}: still runs"
    if outcome.figures is None:
        return f"{row.number}: {name}: {_WORDS[outcome.state]}: {outcome.reason}"
    found = outcome.figures
    return (
        f"{row.number}: {name}: {found.metric} {found.value:.4f}, loss {loss(row)} points, {found.size:,} bytes, "
        f"gzip {found.gzip_size:,}; {outcome.seconds:.0f} s"
    )


def label(row: Row) -> str:
    """Recipe and format, and the count of calibration images where it is not the usual one."""
    trial = row.trial
    images = f", {trial.calibration_images} images" if trial.calibration_images not in (None, 200) else ""
    return f"{trial.recipe} .{trial.format}{images}"


def loss(row: Row) -> str:
    """Points lost, with the 95% interval of the paired difference."""
    figures = row.outcome.figures if row.outcome else None
    return "" if figures is None else f"{figures.loss:+.2f} ({figures.loss_low:+.2f} to {figures.loss_high:+.2f})"


def show(rows: Sequence[Row], allowed: float, objective: Objective) -> None:
    """Prints the trials that are done, the cheapest within the budget first, and why the others are not."""
    trials = done(rows)
    if not trials:
        return
    parent, chosen = trials[0].figures, best(trials, allowed, objective)
    several = len({trial.row.trial.source for trial in trials}) > 1
    table = Table(title=f"budget: {parent.metric} - {allowed:g} points, n={parent.n}", title_justify="left")
    table.add_column("trial", overflow="fold")
    if several:
        table.add_column("run", overflow="fold")
    for header in ("bytes", "ratio", "gzip", "ratio", parent.metric, "loss, points (95%)", "ms"):
        table.add_column(header, justify="right")
    ahead = front(trials, objective)
    ranked = sorted(trials, key=lambda trial: (trial.figures.loss > allowed, cost(trial, objective)))
    for trial in ranked[:_SHOWN]:
        style = "bold green" if trial is chosen else "dim" if trial.figures.loss > allowed else None
        table.add_row(*_cells(trial, trials[0], several, trial.row.number in ahead), style=style)
    console = Console()
    if not console.is_terminal:
        console.width = 160  # a file or a pipe has no width of its own, and 80 columns would fold every name
    console.print(table)
    if len(ranked) > _SHOWN:
        console.print(f"{len(ranked) - _SHOWN} more are in the database and on the page")
    console.print("* nobody is both cheaper and better", highlight=False)
    for row in rows:
        if row.outcome is not None and row.outcome.figures is None:
            console.print(line(row), highlight=False, markup=False, soft_wrap=True)


def _cells(trial: Done, parent: Done, several: bool, ahead: bool) -> list[str]:
    figures = trial.figures
    name = label(trial.row) + (" *" if ahead else "")
    run = [trial.row.trial.source.rstrip("/").rpartition("/")[2]] if several else []
    return [
        name,
        *run,
        f"{figures.size:,}",
        f"{figures.size / parent.figures.size:.3f}",
        f"{figures.gzip_size:,}",
        f"{figures.gzip_size / parent.figures.size:.3f}",
        f"{figures.value:.4f}",
        "float32" if trial is parent else loss(trial.row),
        "" if trial.row.p50_ms is None else f"{trial.row.p50_ms:.3f}",
    ]


_WORDS = {"refused": "refused", "memory": "out of memory", "time": "out of time", "failed": "failed", "done": "done"}
