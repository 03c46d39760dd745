"""The database: a trial stands once, and files that are none are refused."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from handlens.errors import DataError, SchemaTooNew
from handlens_export.sweep.database import FILE, SCHEMA, Database
from handlens_export.sweep.trial import Outcome, Trial


def test_a_second_start_keeps_number_and_place(tmp_path: Path, make_trial: Callable[..., Trial]) -> None:
    first, second = make_trial("float32"), make_trial("int8")
    with Database(tmp_path) as database:
        assert (database.begin(first), database.begin(second), database.begin(first)) == (0, 1, 0)
        database.end(first.key, Outcome(state="refused", reason="no", seconds=2.0, host="here"))
        rows = database.rows()
    assert [(row.number, row.trial, row.state, row.starts) for row in rows] == [
        (0, first, "refused", 2),
        (1, second, "running", 1),
    ]
    assert rows[0].outcome == Outcome(state="refused", reason="no", seconds=2.0, host="here")
    assert rows[1].outcome is None


def test_times_are_of_one_moment(tmp_path: Path, make_trial: Callable[..., Trial]) -> None:
    first, second = make_trial("float32"), make_trial("int8")
    with Database(tmp_path) as database:
        for trial in (first, second):
            database.begin(trial)
        database.time({first.key: (1.0, 2.0)})
        database.time({second.key: (3.0, 4.0)})
        rows = database.rows()
    assert [(row.p50_ms, row.p90_ms) for row in rows] == [(None, None), (3.0, 4.0)]
    assert rows[0].timed is None and rows[1].timed is not None


def test_facts_and_reading_beside_a_writer(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        database.note({"metric": "rank1", "allowed": 0.5})
        database.note({"allowed": 1.0})
        with Database(tmp_path, read_only=True) as reader:
            assert reader.facts() == {"metric": "rank1", "allowed": 1.0}


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"holds no {FILE}"), Database(tmp_path, read_only=True):
        pass
    (tmp_path / FILE).write_bytes(b"not a database, but long enough to be looked at" * 100)
    for read_only in (True, False):
        with pytest.raises(DataError, match="no database of a sweep"), Database(tmp_path, read_only=read_only):
            pass


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    with Database(tmp_path):
        pass
    with sqlite3.connect(tmp_path / FILE) as opened:
        opened.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    opened.close()
    with pytest.raises(SchemaTooNew, match="update handlens"), Database(tmp_path):
        pass
