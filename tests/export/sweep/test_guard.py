"""A trial's process: its limits hold for all that it starts, and nothing of it is left."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from handlens_export.sweep import guard
from handlens_export.sweep.trial import Order, Trial

Trials, Orders, Command = Callable[..., Trial], Callable[..., Order], tuple[str, ...]


def gone(pid: int) -> bool:
    """Whether a process ends within a few seconds."""
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_what_a_trial_leaves_comes_back(
    make_trial: Trials, make_order: Orders, stub: Command, never: threading.Event
) -> None:
    found = guard.carry_out(make_order(make_trial(loss=0.5)), never, stub)
    assert found.outcome.state == "done" and found.outcome.figures is not None
    assert found.outcome.figures.loss == 0.5
    assert (found.artifact, found.outcomes) == (b"artifact of int8", b"outcomes")
    assert found.outcome.seconds > 0 and found.outcome.host


@pytest.mark.parametrize("where", ["allocate", "child"])
def test_memory_is_counted_over_all_its_processes(
    where: str, make_trial: Trials, make_order: Orders, stub: Command, never: threading.Event, tmp_path: Path
) -> None:
    found = guard.carry_out(make_order(make_trial(**{where: 300}), memory_mb=150.0), never, stub)
    assert (found.outcome.state, found.outcome.limit) == ("memory", 150.0)
    assert "allowed: 150 MiB" in found.outcome.reason and "--trial-memory" in found.outcome.reason
    assert found.outcome.peak_memory_mb > 150
    assert gone(int((tmp_path / "log").read_text().split()[1]))


def test_a_trial_that_takes_too_long_is_ended(
    make_trial: Trials, make_order: Orders, stub: Command, never: threading.Event
) -> None:
    found = guard.carry_out(make_order(make_trial(seconds=60), minutes=0.01), never, stub)
    assert (found.outcome.state, found.outcome.limit) == ("time", 0.01)
    assert "--trial-minutes" in found.outcome.reason


def test_a_process_that_dies_says_how(
    make_trial: Trials, make_order: Orders, stub: Command, never: threading.Event
) -> None:
    killed = guard.carry_out(make_order(make_trial(signal="SIGKILL")), never, stub).outcome
    assert killed.state == "failed" and "SIGKILL" in killed.reason and "memory is full" in killed.reason
    silent = guard.carry_out(make_order(make_trial(silent=True)), never, stub).outcome
    assert silent.state == "failed" and "exit code 1" in silent.reason and "a last word" in silent.reason


def test_what_a_trial_started_ends_with_it(
    make_trial: Trials, make_order: Orders, stub: Command, never: threading.Event, tmp_path: Path
) -> None:
    assert guard.carry_out(make_order(make_trial(lingers=True)), never, stub).outcome.state == "done"
    assert gone(int((tmp_path / "child").read_text()))


def test_the_end_of_the_sweep_is_no_outcome(
    make_trial: Trials, make_order: Orders, stub: Command, tmp_path: Path
) -> None:
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    with pytest.raises(guard.Stopped):
        guard.carry_out(make_order(make_trial(seconds=60)), stop, stub)
    assert gone(int((tmp_path / "log").read_text().split()[1]))
