"""Runs the trials that a search asks for, each once, and keeps what comes of them."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from handlens.errors import InputError
from handlens.files import write_bytes
from handlens_export.sweep.database import ARTIFACTS, OUTCOMES, Database, Row
from handlens_export.sweep.space import Search
from handlens_export.sweep.trial import Lanes, Order, Outcome, Result, Trial

_WAIT_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a trial may use, and how many there may be.

    Attributes:
        minutes: of wall clock, one trial.
        memory_mb: of resident memory, all processes of one trial (MiB).
        threads: of the processor for one trial.
        trials: at most so many in the database, float32 included; None for all.
    """

    minutes: float
    memory_mb: float
    threads: int = 1
    trials: int | None = None


@dataclass(slots=True)
class Driver:
    """Feeds lanes with the trials of searches.

    Attributes:
        database: the truth; the folder of its file takes artifacts and outcomes.
        lanes: where trials run.
        limits: of each trial.
        data: data folder, None for a task that reads none.
        allowed: points of the budget.
        kept: folder for finished fine-tunings of models that are no runs.
        ended: told of each trial that has ended, with its row.
        running: told what runs now, whenever that changes.
    """

    database: Database
    lanes: Lanes
    limits: Limits
    data: str | None
    allowed: float
    kept: str | None = None
    ended: Callable[[Row], None] = lambda row: None
    running: Callable[[tuple[Trial, ...]], None] = lambda trials: None
    _known: dict[str, Outcome] = field(default_factory=dict)
    _waiting: dict[str, list[Search]] = field(default_factory=dict)
    _runs: dict[str, Trial] = field(default_factory=dict)
    _reference: bytes | None = None

    def reference(self, trial: Trial) -> None:
        """Runs the float32 that all others are compared with, or takes what the database has of it.

        Raises:
            InputError: it cannot be measured, or the folder holds a sweep against another one.
        """
        before = self.database.facts().get("reference")
        if before not in (None, trial.key):
            raise InputError(
                f"{self._folder} holds a sweep against another float32 (another run, weights or format); choose "
                "another --out, or the run that it began with"
            )
        self._read()
        self.all([_only(trial)])
        outcome = self._known.get(trial.key)
        if outcome is None or outcome.figures is None:
            raise InputError(
                f"float32, which all else is compared with, could not be measured: {outcome.reason if outcome else '?'}"
            )
        self.database.note({"reference": trial.key, "metric": outcome.figures.metric, "allowed": self.allowed})
        self._reference = (self._folder / OUTCOMES / f"{trial.key}.npz").read_bytes()

    def all(self, searches: Iterable[Search]) -> None:
        """Runs what the searches ask for until none asks for more, or the limit of trials is reached."""
        wanted: deque[Trial] = deque()
        for search in searches:
            self._ask(search, None, wanted)
        started = len(self.database.rows())
        while wanted or self._runs:
            while wanted and len(self._runs) < self.lanes.count:
                trial = wanted.popleft()
                new = self._number(trial) is None
                if new and self.limits.trials is not None and started >= self.limits.trials:
                    continue
                started += new
                self._start(trial)
            for key, result in self.lanes.finished(_WAIT_SECONDS) if self._runs else ():
                outcome = self._keep(key, result)
                for search in self._waiting.pop(key):
                    self._ask(search, outcome, wanted)

    @property
    def _folder(self) -> Path:
        return self.database.path.parent

    def _ask(self, search: Search, outcome: Outcome | None, wanted: deque[Trial]) -> None:
        """Answers a search from what is known until it asks for something new, or ends."""
        with contextlib.suppress(StopIteration):
            trial = next(search) if outcome is None else search.send(outcome)
            while trial.key in self._known:
                trial = search.send(self._known[trial.key])
            if trial.key not in self._waiting:
                wanted.append(trial)
            self._waiting.setdefault(trial.key, []).append(search)

    def _start(self, trial: Trial) -> None:
        order = Order(
            trial=trial,
            allowed=self.allowed,
            data=self.data,
            kept=self.kept,
            minutes=self.limits.minutes,
            memory_mb=self.limits.memory_mb,
            threads=self.limits.threads,
            reference=self._reference,
        )
        self.database.begin(trial)
        self._runs[trial.key] = trial
        self.lanes.start(order)
        self.running(tuple(self._runs.values()))

    def _keep(self, key: str, result: Result) -> Outcome:
        """Files first: what the database calls done is there."""
        outcome = result.outcome
        if outcome.figures is not None and result.artifact is not None and result.outcomes is not None:
            write_bytes(self._folder / OUTCOMES / f"{key}.npz", result.outcomes)
            write_bytes(self._folder / ARTIFACTS / outcome.figures.artifact, result.artifact)
        self.database.end(key, outcome)
        self._known[key] = outcome
        del self._runs[key]
        self.running(tuple(self._runs.values()))
        self.ended(next(row for row in self.database.rows() if row.trial.key == key))
        return outcome

    def _number(self, trial: Trial) -> int | None:
        return next((row.number for row in self.database.rows() if row.trial.key == trial.key), None)

    def _read(self) -> None:
        """What is known from before. What was cut off, or ended at a limit that has been raised, is tried again."""
        for row in self.database.rows():
            if row.outcome is not None and self._final(row.outcome, row.trial.key):
                self._known[row.trial.key] = row.outcome

    def _final(self, outcome: Outcome, key: str) -> bool:
        if outcome.figures is not None:
            files = (self._folder / OUTCOMES / f"{key}.npz", self._folder / ARTIFACTS / outcome.figures.artifact)
            return all(file.is_file() for file in files)
        if outcome.state in ("memory", "time"):
            now = self.limits.memory_mb if outcome.state == "memory" else self.limits.minutes
            return outcome.limit is not None and now <= outcome.limit
        return outcome.state == "refused"


def _only(trial: Trial) -> Search:
    yield trial
