"""A whole sweep: plan it, run it on lanes, time what came of it, and say what is best."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from handlens.errors import OptionError
from handlens_export.recipes import RECIPES
from handlens_export.sweep import selection, sources, table, times
from handlens_export.sweep.budget import Budget
from handlens_export.sweep.database import ARTIFACTS, Database, Row
from handlens_export.sweep.local import Local
from handlens_export.sweep.search import Driver, Limits
from handlens_export.sweep.space import Objective, Search, Settings, Space
from handlens_export.sweep.trial import Lanes, Trial

PAGE, KEPT = "sweep.html", "kept"
_SHARE = 0.8  # of the machine's memory, for all trials at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to look for, and where; `data` is the absolute data folder, None for a task that reads none."""

    space: Space
    settings: Settings
    budget: Budget
    objective: Objective
    search: str
    data: str | None

    def reference(self) -> Trial:
        """The float32 that all trials are compared with: of the first run, in the first format."""
        space = self.space
        return self.settings.trial(space.sources[0], RECIPES["float32"], space.formats[0], space.images[0])

    def searches(self) -> Iterator[Search]:
        """What asks for the other trials."""
        if self.search == "grid":
            return self.space.grid(self.settings)
        return self.space.ladders(self.settings, self.objective)


@dataclass(frozen=True, slots=True)
class Found:
    """What a sweep came to: the best artifact within the budget, None where nothing meets it, and that in words."""

    best: Path | None
    sentence: str
    page: Path


def plan(
    space: Space,
    *,
    budget: str,
    objective: Objective,
    search: str,
    data: Path | None,
    options: Mapping[str, Path | str | None],
    calibration: Path | None,
    seed: int,
    max_minutes: float,
    steps: int | None,
) -> Plan:
    """Checks what the user wants against the runs, before anything is started.

    Raises:
        RunError: a source is neither a whole run nor a model.
        OptionError: the runs are of several tasks, the budget is of another metric, or an option is not the task's.
        DataNotFound: the data are not there.
    """
    folders = [Path(source).absolute() for source in space.sources]
    kinds = [sources.look(folder, options, data) for folder in folders]
    names = list(dict.fromkeys(kind.task for kind in kinds))
    if len(names) > 1:
        raise OptionError(f"the runs are of several tasks: {', '.join(names)}; sweep one task at a time")
    first = kinds[0]
    allowed = Budget.parse(budget, first.primary)
    picked = None if calibration is None else str(calibration.absolute())
    read = [*first.options.values(), *([] if picked is None else [picked])]
    return Plan(
        space=replace(space, sources=tuple(str(folder) for folder in folders)),
        settings=Settings(
            contents={str(folder): sources.contents(folder, read) for folder in folders},
            seed=seed,
            max_minutes=max_minutes,
            steps=steps,
            calibration=picked,
            allowed=allowed.points,
            options=tuple(sorted(first.options.items())),
        ),
        budget=allowed,
        objective=objective,
        search=search,
        data=first.data,
    )


def limits(jobs: int | None, minutes: float, memory_mb: int | None, trials: int | None) -> Limits:
    """What a trial may use: the machine's processors and memory are shared by those that run at once.

    Without `jobs` (on a cluster) a trial has one processor, and of the memory the share of one, as this machine has it.
    """
    import psutil

    processors = os.cpu_count() or 1
    at_once = jobs or processors
    share, threads = _SHARE * psutil.virtual_memory().total / 2**20 / at_once, max(1, processors // at_once)
    return Limits(minutes=minutes, memory_mb=memory_mb or share, threads=threads, trials=trials)


@contextmanager
def lanes(jobs: int, ray: str | None, say: Any) -> Iterator[Lanes]:
    """Where trials run; whatever happens, nothing of it runs on."""
    made: Lanes
    if ray is None:
        made = Local(jobs)
    else:
        from handlens_export.sweep.ray import Cluster

        made = Cluster(ray, say=say)
    try:
        yield made
    finally:
        made.stop()


def run(plan: Plan, out: Path, lanes: Lanes, limits: Limits, console: Console) -> Found:
    """Runs all trials, times the artifacts, and writes the page.

    Raises:
        InputError: float32 cannot be measured, or `out` holds a sweep of something else.
        KeyboardInterrupt: Ctrl-C; what has ended is kept.
    """
    with Database(out) as database, console.status("begins") as status:

        def running(trials: tuple[Trial, ...]) -> None:
            ended = sum(row.outcome is not None for row in database.rows())
            status.update(
                f"{ended} trials have ended; running: {', '.join(trial.recipe for trial in trials) or 'none'}"
            )

        def ended(row: Row) -> None:
            console.print(table.line(row), highlight=False, markup=False, soft_wrap=True)

        driver = Driver(
            database=database,
            lanes=lanes,
            limits=limits,
            data=plan.data,
            kept=str((out / KEPT).absolute()),
            allowed=plan.budget.points,
            ended=ended,
            running=running,
        )
        driver.reference(plan.reference())
        database.note({"objective": plan.objective})
        driver.all(plan.searches())
        times.take(database, status.update)
        page(out)
        return _found(database.rows(), plan, out)


def show(out: Path, plan: Plan) -> None:
    """Prints the table of a sweep's folder, as far as it came."""
    with Database(out, read_only=True) as database:
        table.show(database.rows(), plan.budget.points, plan.objective)


def page(out: Path) -> None:
    """Writes the page of a sweep's folder into it."""
    from handlens_export.pareto.build import write_page

    write_page([out], out / PAGE, title=f"sweep {out.absolute().name}")


def _found(rows: Sequence[Row], plan: Plan, out: Path) -> Found:
    trials, allowed = selection.done(rows), plan.budget.points
    parent, best = trials[0].figures, selection.best(trials, allowed, plan.objective)
    html = out / PAGE
    limit = f"{allowed:g} points of {parent.metric} (n={parent.n})"
    if best is not None:
        found = best.figures
        plain, packed = found.size / parent.size, found.gzip_size / parent.size
        size = f"{found.size:,} bytes ({plain:.3f} of float32, {packed:.3f} gzipped)"
        sentence = f"within {limit}: {out / ARTIFACTS / found.artifact}, {size}, loses {table.loss(best.row)} points"
        return Found(out / ARTIFACTS / found.artifact, sentence, html)
    nearest = selection.nearest(trials)
    if nearest is None:
        return Found(None, f"no trial came to an artifact; the lines above say why for each. {out} keeps them", html)
    name = out / ARTIFACTS / nearest.figures.artifact
    sentence = f"nothing is within {limit}; the nearest is {name}, which loses {table.loss(nearest.row)} points"
    return Found(None, f"{sentence}. Widen --budget, or let it search further: --arithmetic, --recipes", html)
