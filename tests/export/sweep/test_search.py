"""A sweep runs a trial once, whatever happens to it: Ctrl-C, kill -9, a trial that dies, a limit that was too low."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from handlens.errors import DataError, InputError
from handlens_export.sweep.database import Database, Row
from handlens_export.sweep.local import Local
from handlens_export.sweep.search import Driver, Limits
from handlens_export.sweep.space import Search
from handlens_export.sweep.trial import Trial

Trials = Callable[..., Trial]
DRIVE = Path(__file__).parent / "drive.py"


@pytest.fixture
def sweep(tmp_path: Path, stub: tuple[str, ...], make_trial: Trials) -> Callable[..., dict[str, Row]]:
    """Runs trials into tmp_path/out as one command does; the rows by recipe."""

    def run(wanted: Iterable[Trial], memory_mb: float = 400.0, jobs: int = 2, **limits: Any) -> dict[str, Row]:
        lanes = Local(jobs, stub)
        try:
            with Database(tmp_path / "out") as database:
                given = Limits(minutes=1.0, memory_mb=memory_mb, **limits)
                driver = Driver(database=database, lanes=lanes, limits=given, data=None, allowed=1.0)
                driver.reference(make_trial("float32"))
                driver.all(only(trial) for trial in wanted)
                return {row.trial.recipe: row for row in database.rows()}
        finally:
            lanes.stop()

    return run


def only(trial: Trial) -> Search:
    yield trial


def started(tmp_path: Path) -> Counter[str]:
    """How often each recipe was started, as the trials themselves noted it."""
    return Counter(line.split()[0] for line in (tmp_path / "log").read_text().splitlines())


def test_a_trial_that_two_want_is_run_once_and_never_again(sweep: Any, make_trial: Trials, tmp_path: Path) -> None:
    trials = [make_trial("a"), make_trial("b", loss=2.0), make_trial("a")]
    rows = sweep(trials)
    assert [row.number for row in rows.values()] == [0, 1, 2]
    assert (tmp_path / "out" / "artifacts" / "a.tflite").read_bytes() == b"artifact of a"
    assert sweep(trials) == rows
    assert started(tmp_path) == {"float32": 1, "a": 1, "b": 1}


def test_one_that_runs_out_of_memory_harms_no_other(sweep: Any, make_trial: Trials, tmp_path: Path) -> None:
    trials = [make_trial("a"), make_trial("big", allocate=300), make_trial("dies", signal="SIGSEGV"), make_trial("b")]
    rows = sweep(trials, memory_mb=150.0)
    assert {name: row.state for name, row in rows.items()} == {
        "float32": "done", "a": "done", "big": "memory", "dies": "failed", "b": "done",
    }  # fmt: skip
    # What died by chance is tried again; what was too big only with more memory, and what is refused never.
    sweep([*trials, make_trial("no", refuse="not for this network")], memory_mb=150.0)
    sweep([*trials, make_trial("no", refuse="not for this network")], memory_mb=200.0)
    assert started(tmp_path) == {"float32": 1, "a": 1, "b": 1, "big": 2, "dies": 3, "no": 1}


def test_an_artifact_that_was_removed_is_made_again(sweep: Any, make_trial: Trials, tmp_path: Path) -> None:
    sweep([make_trial("a")])
    (tmp_path / "out" / "artifacts" / "a.tflite").unlink()
    sweep([make_trial("a")])
    assert started(tmp_path) == {"float32": 1, "a": 2}


def test_at_most_so_many_trials(sweep: Any, make_trial: Trials) -> None:
    trials = [make_trial(name) for name in "abcd"]
    assert list(sweep(trials, jobs=1, trials=3)) == ["float32", "a", "b"]
    assert list(sweep(trials, jobs=1, trials=4)) == ["float32", "a", "b", "c"]


def test_a_search_is_sent_what_its_trial_came_to(sweep: Any, make_trial: Trials, tmp_path: Path) -> None:
    seen: list[float] = []

    def search() -> Iterator[Any]:
        for loss in (0.5, 1.5):
            outcome = yield make_trial(f"loss{loss}", loss=loss)
            seen.append(outcome.figures.loss)

    lanes = Local(1, (sys.executable, str(DRIVE.parent / "stub_worker.py")))
    for _ in range(2):  # the second time from the database alone
        with Database(tmp_path / "out") as database:
            limits = Limits(minutes=1.0, memory_mb=400.0)
            driver = Driver(database=database, lanes=lanes, limits=limits, data=None, allowed=1.0)
            driver.reference(make_trial("float32"))
            driver.all([search()])
    lanes.stop()
    assert seen == [0.5, 1.5, 0.5, 1.5]
    assert max(started(tmp_path).values()) == 1


def test_a_folder_of_another_sweep_is_refused(sweep: Any, tmp_path: Path, stub: Any, make_trial: Trials) -> None:
    sweep([])
    lanes = Local(1, stub)
    with Database(tmp_path / "out") as database:
        limits = Limits(minutes=1.0, memory_mb=400.0)
        driver = Driver(database=database, lanes=lanes, limits=limits, data=None, allowed=1.0)
        with pytest.raises(InputError, match="against another float32.*choose another --out"):
            driver.reference(make_trial("float32", loss=0.1))
        with pytest.raises(DataError, match="another handlens sweep writes to"), Database(tmp_path / "out"):
            pass
    lanes.stop()


def test_float32_that_cannot_be_measured_ends_it(tmp_path: Path, stub: Any, make_trial: Trials) -> None:
    lanes = Local(1, stub)
    with Database(tmp_path / "out") as database:
        limits = Limits(minutes=1.0, memory_mb=400.0)
        driver = Driver(database=database, lanes=lanes, limits=limits, data=None, allowed=1.0)
        with pytest.raises(InputError, match="float32, which all else is compared with.*no such data"):
            driver.reference(make_trial("float32", refuse="no such data"))
    lanes.stop()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_thirty_trials_cut_off_half_way_and_resumed(how: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, str(DRIVE), str(tmp_path / "out"), str(tmp_path), "30", "0.1", "3"]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while first.poll() is None and len(done(tmp_path)) < 12:
        time.sleep(0.1)
    first.send_signal(how)
    first.wait()
    before = done(tmp_path)
    assert 12 <= len(before) < 30
    pids = [int(line.split()[1]) for line in (tmp_path / "log").read_text().splitlines()]
    for _ in range(100):  # a trial notices within a second that its sweep is gone
        if not any(psutil.pid_exists(pid) for pid in pids):
            break
        time.sleep(0.05)
    assert not any(psutil.pid_exists(pid) for pid in pids)
    subprocess.run(command, check=True)
    after = done(tmp_path)
    assert len(after) == 30
    assert all(after[name] == row for name, row in before.items())  # not a byte of what was done has changed
    starts = started(tmp_path)
    assert all(starts[name] == 1 for name in before)
    assert sum(starts.values()) <= 30 + 3  # what ran when it was cut off ran again, and nothing else


def done(tmp_path: Path) -> dict[str, Row]:
    if not (tmp_path / "out" / "sweep.sqlite").exists():
        return {}
    try:
        with Database(tmp_path / "out", read_only=True) as database:
            return {row.trial.recipe: row for row in database.rows() if row.state == "done"}
    except DataError:  # the tables are not made yet
        return {}


def test_a_trial_whose_sweep_was_killed_ends_by_itself(tmp_path: Path) -> None:
    """The real worker's watch on its parent, without a network."""
    code = (
        "import os, subprocess, sys, time\n"
        "code = 'import sys, time; from handlens_export.sweep import worker; worker.end_with(int(sys.argv[1])); '\n"
        "child = subprocess.Popen([sys.executable, '-c', code + 'time.sleep(60)', str(os.getpid())])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    time.sleep(1.5)
    assert psutil.pid_exists(pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if not psutil.pid_exists(pid):
            break
        time.sleep(0.05)
    assert not psutil.pid_exists(pid)
