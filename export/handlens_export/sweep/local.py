"""Lanes on this machine: as many trials at once as asked for, each under its guard."""

import queue
import threading
from collections.abc import Sequence

from handlens_export.sweep import guard
from handlens_export.sweep.trial import Order, Outcome, Result


class Local:
    """A thread a trial, which waits for the trial's process."""

    def __init__(self, jobs: int, command: Sequence[str] = guard.WORKER) -> None:
        """Takes how many trials run at once, and what runs one (see `guard.carry_out`)."""
        self._jobs, self._command = jobs, command
        self._stop = threading.Event()
        self._ended: queue.Queue[tuple[str, Result]] = queue.Queue()
        self._threads: list[threading.Thread] = []

    @property
    def count(self) -> int:
        """Trials that run at once."""
        return self._jobs

    def start(self, order: Order) -> None:
        """Starts a trial and returns at once."""
        thread = threading.Thread(target=self._run, args=(order,), name=f"trial {order.trial.key}")
        self._threads = [other for other in self._threads if other.is_alive()] + [thread]
        thread.start()

    def finished(self, seconds: float) -> list[tuple[str, Result]]:
        """Waits until a trial has ended, at most `seconds`; each that has, once."""
        found = []
        try:
            found.append(self._ended.get(timeout=seconds))
            while True:
                found.append(self._ended.get_nowait())
        except queue.Empty:
            return found

    def stop(self) -> None:
        """Ends what runs, and waits for it."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, order: Order) -> None:
        try:
            result = guard.carry_out(order, self._stop, self._command)
        except guard.Stopped:
            return
        except Exception as error:  # no disk left, no process to be had: the trial's outcome, not the sweep's end
            result = Result(outcome=Outcome(state="failed", reason=f"{type(error).__name__}: {error}"))
        self._ended.put((order.trial.key, result))
