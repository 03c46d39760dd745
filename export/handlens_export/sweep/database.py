"""The truth of a sweep: one SQLite file, DIR/sweep.sqlite, in which a trial stands once.

Tables of schema 1 (PRAGMA user_version):

    facts     name TEXT PRIMARY KEY, value TEXT (JSON): "reference" (a trial's key), "metric", "allowed", "objective"
    trials    key TEXT PRIMARY KEY · number INTEGER, in the order of their start · state TEXT: "running", or `State`
              · trial TEXT (JSON) · recipe, format, source TEXT · begun, ended REAL (seconds since 1970)
              · starts INTEGER · reason, host TEXT · seconds, peak_memory_mb, limited REAL (the outcome's `limit`)
              · the fields of `Figures` · p50_ms, p90_ms REAL · timed REAL, one moment for all that were timed in turns

One process writes, and holds a lock on DIR/.lock. Anyone may read at the same time, such as the sqlite3 shell.
"""

import fcntl
import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any, Literal, cast

from handlens.errors import DataError, SchemaTooNew
from handlens_export.sweep.trial import Figures, Outcome, State, Trial

SCHEMA = 1
FILE = "sweep.sqlite"
ARTIFACTS = "artifacts"  # the folder beside it
OUTCOMES = "outcomes"  # KEY.npz of each trial that is done: what any two are paired by

_TYPES = {str: "TEXT", int: "INTEGER", float: "REAL"}
_FIGURES = {field.name: _TYPES[cast(type, field.type)] for field in fields(Figures)}
_COLUMNS = {
    "key": "TEXT PRIMARY KEY",
    "number": "INTEGER NOT NULL",
    "state": "TEXT NOT NULL",
    "trial": "TEXT NOT NULL",
    "recipe": "TEXT NOT NULL",
    "format": "TEXT NOT NULL",
    "source": "TEXT NOT NULL",
    "begun": "REAL NOT NULL",
    "ended": "REAL",
    "starts": "INTEGER NOT NULL",
    "reason": "TEXT",
    "host": "TEXT",
    "seconds": "REAL",
    "peak_memory_mb": "REAL",
    "limited": "REAL",
    **_FIGURES,
    "p50_ms": "REAL",
    "p90_ms": "REAL",
    "timed": "REAL",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A trial as the database has it.

    Attributes:
        number: in the order of the starts, from 0; 0 is the float32 that all others are compared with.
        trial: what was asked for.
        state: "running" while there is no outcome.
        outcome: None while it runs.
        starts: how often it was started; more than 1 only where a start was cut off, or ended at a limit since raised.
        begun: seconds since 1970.
        p50_ms: median of the model alone on the machine of the sweep, one thread; None where it was not timed.
        p90_ms: 90th percentile of it.
        timed: when, seconds since 1970; times of one moment were taken in turns, and may be compared.
    """

    number: int
    trial: Trial
    state: State | Literal["running"]
    outcome: Outcome | None
    starts: int
    begun: float
    p50_ms: float | None
    p90_ms: float | None
    timed: float | None


class Database:
    """The file of a sweep. A context manager."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        """Opens or makes FOLDER/sweep.sqlite.

        Raises:
            DataError: there is none to read, it is damaged or no such file, or another process writes.
            SchemaTooNew: a newer handlens wrote it.
        """
        self.path = folder / FILE
        if read_only and not self.path.is_file():
            raise DataError(f"{folder} holds no {FILE}; expected the folder of handlens sweep (its --out)")
        self._lock = None if read_only else _locked(folder)
        mode = "ro" if read_only else "rwc"
        self._open = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode={mode}", uri=True, timeout=30)
        self._open.row_factory = sqlite3.Row
        try:
            self._check(read_only)
        except sqlite3.DatabaseError as error:
            self.close()
            raise DataError(f"{self.path} is no database of a sweep ({error}); choose another --out") from error
        except SchemaTooNew:
            self.close()
            raise

    def close(self) -> None:
        """Closes the file, and lets others write."""
        self._open.close()
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> "Database":
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it."""
        self.close()

    def facts(self) -> dict[str, Any]:
        """What holds for the whole sweep, by name."""
        found = self._open.execute("SELECT name, value FROM facts")
        return {row["name"]: json.loads(row["value"]) for row in found}

    def note(self, facts: Mapping[str, Any]) -> None:
        """Keeps facts, in place of older ones of the same names."""
        rows = [(name, json.dumps(value)) for name, value in facts.items()]
        with self._open:
            self._open.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    def rows(self) -> tuple[Row, ...]:
        """All trials that were ever started, in the order of their first start."""
        return tuple(_row(found) for found in self._open.execute("SELECT * FROM trials ORDER BY number"))

    def begin(self, trial: Trial) -> int:
        """Notes that a trial starts now, and returns its number; a second start keeps the number."""
        with self._open:
            self._open.execute(
                "INSERT INTO trials (key, number, state, trial, recipe, format, source, begun, starts) VALUES "
                "(?, (SELECT COALESCE(MAX(number) + 1, 0) FROM trials), 'running', ?, ?, ?, ?, ?, 1) "
                "ON CONFLICT (key) DO UPDATE SET state = 'running', begun = excluded.begun, starts = starts + 1",
                (trial.key, trial.to_json(), trial.recipe, trial.format, trial.source, time.time()),
            )
        found = self._open.execute("SELECT number FROM trials WHERE key = ?", (trial.key,)).fetchone()
        return int(found["number"])

    def end(self, key: str, outcome: Outcome) -> None:
        """Keeps the outcome of a trial that was begun."""
        facts = asdict(outcome)
        figures = facts.pop("figures") or dict.fromkeys(_FIGURES)
        facts["limited"] = facts.pop("limit")
        self._set(key, facts | figures | {"ended": time.time()})

    def time(self, times: Mapping[str, tuple[float, float]]) -> None:
        """Keeps (p50, p90) in ms by key, all taken in turns; times of earlier turns go, they do not compare."""
        now = time.time()
        with self._open:
            self._open.execute("UPDATE trials SET p50_ms = NULL, p90_ms = NULL, timed = NULL")
            self._open.executemany(
                "UPDATE trials SET p50_ms = ?, p90_ms = ?, timed = ? WHERE key = ?",
                [(p50, p90, now, key) for key, (p50, p90) in times.items()],
            )

    def _check(self, read_only: bool) -> None:
        found = self._open.execute("PRAGMA user_version").fetchone()[0]
        if found > SCHEMA:
            raise SchemaTooNew(f"{self.path} has schema {found}, this handlens reads {SCHEMA}; update handlens")
        if not found and not read_only:
            self._make()
        self._open.execute("SELECT key, timed FROM trials LIMIT 1")

    def _make(self) -> None:
        columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
        with self._open:
            self._open.execute("CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
            self._open.execute(f"CREATE TABLE IF NOT EXISTS trials ({columns})")
            self._open.execute(f"PRAGMA user_version = {SCHEMA}")

    def _set(self, key: str, facts: Mapping[str, Any]) -> None:
        names = ", ".join(f"{name} = ?" for name in facts)
        with self._open:
            self._open.execute(f"UPDATE trials SET {names} WHERE key = ?", (*facts.values(), key))


def _locked(folder: Path) -> IO[str]:
    """A lock that the system opens when this process ends, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / ".lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise DataError(f"another handlens sweep writes to {folder}; wait for it, or choose another --out") from None
    return file


def _row(found: sqlite3.Row) -> Row:
    outcome = None
    if found["state"] != "running":
        figures = None
        if found["state"] == "done":
            figures = Figures(**{name: found[name] for name in _FIGURES})
        outcome = Outcome(
            state=found["state"],
            reason=found["reason"],
            seconds=found["seconds"],
            peak_memory_mb=found["peak_memory_mb"],
            limit=found["limited"],
            host=found["host"],
            figures=figures,
        )
    return Row(
        number=found["number"],
        trial=Trial.from_json(found["trial"]),
        state=found["state"],
        outcome=outcome,
        starts=found["starts"],
        begun=found["begun"],
        p50_ms=found["p50_ms"],
        p90_ms=found["p90_ms"],
        timed=found["timed"],
    )
