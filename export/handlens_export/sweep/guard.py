"""Runs one trial in a process of its own, with a limit of time and of memory on it and all that it starts."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import psutil

from handlens_export.sweep import worker
from handlens_export.sweep.trial import Order, Outcome, Result

WORKER = (sys.executable, "-m", "handlens_export.sweep.worker")
_POLL_SECONDS = 0.2
_MIB = 2**20
_SAID = 400  # characters of the last line of stderr


class Stopped(Exception):
    """The trial was ended because the whole sweep ends; it has no outcome."""


def carry_out(order: Order, stop: threading.Event, command: Sequence[str] = WORKER) -> Result:
    """Runs a trial to its end, or to a limit; never raises for what the trial does.

    Args:
        order: what to run.
        stop: once set, the trial is ended at once.
        command: what takes the folder of an order as its last argument and leaves an outcome there.

    Raises:
        Stopped: `stop` was set before the trial ended.
    """
    with tempfile.TemporaryDirectory(prefix="handlens-trial-") as place:
        folder = Path(place)
        facts = asdict(order) | {"trial": order.trial.to_json(), "reference": None, "parent": os.getpid()}
        (folder / worker.ORDER).write_text(json.dumps(facts))
        if order.reference is not None:
            (folder / worker.REFERENCE).write_bytes(order.reference)
        outcome = _watched(folder, order, stop, command)
        outcome = replace(outcome, host=socket.gethostname())
        if outcome.figures is None:
            return Result(outcome=outcome)
        return Result(
            outcome=outcome,
            artifact=(folder / outcome.figures.artifact).read_bytes(),
            outcomes=(folder / worker.OUTCOMES).read_bytes(),
        )


def _watched(folder: Path, order: Order, stop: threading.Event, command: Sequence[str]) -> Outcome:
    begun, peak = time.monotonic(), 0.0
    with (folder / "stderr").open("wb") as said:
        process = subprocess.Popen(
            [*command, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=_environment(order.threads),
            start_new_session=True,  # a group of its own, which Ctrl-C does not reach, and which is killed as a whole
        )
    ended: Outcome | None = None
    try:
        while not _ended(process.pid):
            stopped = stop.wait(_POLL_SECONDS)
            seconds, used = time.monotonic() - begun, _resident(process.pid) / _MIB
            peak = max(peak, used)
            if stopped:
                raise Stopped
            if used > order.memory_mb:
                ended = _over("memory", f"used {used:.0f} MiB of memory", f"{order.memory_mb:.0f} MiB", order.memory_mb)
                break
            if seconds > 60 * order.minutes:
                ended = _over(
                    "time", f"ran for {seconds / 60:.1f} minutes", f"{order.minutes:g} minutes", order.minutes
                )
                break
    finally:
        _kill(process)
    ended = ended or _outcome(folder, process.returncode)
    return replace(ended, seconds=time.monotonic() - begun, peak_memory_mb=peak)


def _ended(pid: int) -> bool:
    """Whether a process has ended. Not yet waited for, it keeps its number, and its group can still be killed."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _over(state: str, used: str, allowed: str, limit: float) -> Outcome:
    option = "--trial-memory" if state == "memory" else "--trial-minutes"
    reason = f"{used}, allowed: {allowed}; ended. Raise {option} and run the same command again"
    return Outcome(state="memory" if state == "memory" else "time", reason=reason, limit=limit)


def _outcome(folder: Path, status: int) -> Outcome:
    """What the worker left; a failure when it left nothing whole."""
    try:
        return Outcome.from_json((folder / worker.OUTCOME).read_text())
    except (OSError, ValueError, KeyError, TypeError):
        pass
    how = f"exit code {status}"
    if status < 0:
        how = f"killed by {signal.Signals(-status).name}"
        if status == -signal.SIGKILL:
            how += " (by the system when its memory is full, or by hand)"
    lines = (folder / "stderr").read_text(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")[:_SAID]
    return Outcome(
        state="failed", reason=f"its process ended without an outcome: {how}" + (f"; {last}" if last else "")
    )


def _resident(pid: int) -> int:
    """Bytes of resident memory of a process and all below it."""
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for process in tree:
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends the group of a process, what it started included, and waits for it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()


def _environment(threads: int) -> dict[str, str]:
    """The environment of a trial: as many threads as it may use, unless the user said otherwise."""
    given = {name: str(threads) for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")}
    return given | os.environ | {"PYTHONUNBUFFERED": "1"}
