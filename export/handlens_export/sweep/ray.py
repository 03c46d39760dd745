"""Lanes on a Ray cluster: the same trials as Ray tasks. Ray places them, and repeats those whose machine was lost.

A task is `guard.carry_out` on the machine that Ray chose: there the trial is a process of its own, under its limits.
Run folder and data must be at the same paths on every machine; the artifact comes back as the result of the task.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import handlens
from handlens.errors import MissingExtra, OptionError
from handlens_export.sweep import guard
from handlens_export.sweep.trial import Order, Outcome, Result

RETRIES = 3  # of a trial whose machine was lost
_LOOK_SECONDS = 2.0  # between two looks at which machines there are
_KNOCK_SECONDS = 5.0
_STOP_SECONDS = 20.0  # for the trials to end when the sweep does; then their processes are killed


class Cluster:
    """A task a trial, as many at once as the cluster has processors for."""

    def __init__(
        self,
        address: str,
        threads: int = 1,
        say: Callable[[str], None] = lambda line: None,
        command: Sequence[str] | None = None,
    ) -> None:
        """Joins a cluster.

        Args:
            address: of its head, HOST:6379, or auto; this process runs on one of its machines.
            threads: processors that a trial takes.
            say: told when a machine is lost or joins.
            command: what runs a trial, see `guard.carry_out`; None for each machine's own handlens.

        Raises:
            MissingExtra: Ray is not installed.
            OptionError: no cluster answers at the address, or none of its machines has so many processors.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
            from ray._private import worker
        except ImportError as error:
            raise MissingExtra("ray", "sweep") from error
        # There is no public switch for what Ray's own processes say; of a lost machine that is a page, on stdout.
        worker._worker_logs_enabled = False
        self._ray, self._address, self._threads, self._say = ray, address, threads, say
        self._command = command
        self._running: dict[Any, str] = {}
        try:
            _knock(address)
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            why = " ".join(str(error).split())[:200]
            raise OptionError(
                f"--ray {address}: no cluster to be had there ({why}). Start one with ray start --head --port 6379, "
                "join other machines with ray start --address HOST:6379, and give --ray HOST:6379."
            ) from error
        self._machines, self._looked = self._look(), time.monotonic()
        if not self._places():
            there = ", ".join(f"{name}: {processors}" for name, processors in self._machines.values()) or "none at all"
            ray.shutdown()
            raise OptionError(f"--ray {address}: a trial takes {threads} processors; the machines there have {there}.")
        self._task = ray.remote(num_cpus=threads, max_retries=RETRIES, scheduling_strategy="SPREAD")(_carry_out)

    @property
    def count(self) -> int:
        """Trials that run at once on the machines that are there now; one where none is: it waits for one to join."""
        self._notice()
        return max(1, self._places())

    def start(self, order: Order) -> None:
        """Hands a trial to Ray and returns at once."""
        self._running[self._task.remote(order, handlens.__version__, self._command)] = order.trial.key

    def finished(self, seconds: float) -> list[tuple[str, Result]]:
        """Waits until a trial has ended, at most `seconds`; each that has, once.

        Raises:
            OptionError: the cluster is gone, or a machine cannot take trials: it has another handlens, or lacks the run
                folder or the data.
        """
        self._notice()
        if not self._running:
            time.sleep(seconds)
            return []
        ended, _ = self._ray.wait(list(self._running), num_returns=1, timeout=seconds)
        return [(self._running.pop(reference), self._result(reference)) for reference in ended]

    def stop(self) -> None:
        """Ends what runs, waits for it, and leaves the cluster as it is."""
        for reference in self._running:
            self._ray.cancel(reference)
        if self._running:
            waiting = list(self._running)
            _, left = self._ray.wait(waiting, num_returns=len(waiting), timeout=_STOP_SECONDS)
            for reference in left:
                self._ray.cancel(reference, force=True)
        self._running = {}
        self._ray.shutdown()

    def _result(self, reference: Any) -> Result:
        try:
            found = self._ray.get(reference)
        except self._ray.exceptions.LocalRayletDiedError as error:
            raise OptionError(
                f"--ray {self._address}: the cluster is gone, or this machine's part of it. Start it again and give "
                "the same command; what has ended is kept."
            ) from error
        except self._ray.exceptions.RayError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = f"{type(error).__name__} of Ray: {lines[-1] if lines else 'no word'}"
            return Result(outcome=Outcome(state="failed", reason=reason))
        if isinstance(found, str):
            raise OptionError(f"--ray {self._address}: {found}")
        return found

    def _places(self) -> int:
        return sum(processors // self._threads for _, processors in self._machines.values())

    def _notice(self) -> None:
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        before, self._machines, self._looked = self._machines, self._look(), time.monotonic()
        for key in before.keys() - self._machines.keys():
            self._say(f"the cluster lost {before[key][0]}: Ray repeats its trials, {self._places()} run at once now")
        for key in self._machines.keys() - before.keys():
            self._say(f"{self._machines[key][0]} joined the cluster: {self._places()} run at once now")

    def _look(self) -> dict[str, tuple[str, int]]:
        """(name, processors) of the machines that are alive, by Ray's number of each."""
        return {
            node["NodeID"]: (node["NodeManagerHostname"], int(node["Resources"].get("CPU", 0)))
            for node in self._ray.nodes()
            if node["Alive"]
        }


def _knock(address: str) -> None:
    """Raises an OSError unless somebody listens at HOST:PORT; Ray itself would try for minutes."""
    if address.startswith("ray://"):
        raise ValueError("it is for Ray's client; run the sweep on a machine of the cluster")
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_SECONDS).close()


def _carry_out(order: Order, version: str, command: Sequence[str] | None) -> Result | str:
    """One trial, on the machine that Ray chose; a line in its place when this machine cannot take any."""
    machine = socket.gethostname()
    if handlens.__version__ != version:
        return f"{machine} has handlens {handlens.__version__}, the sweep {version}; install the same on all machines."
    for what, path in (("run", order.trial.source), ("data", order.data)):
        if path is not None and not Path(path).exists():
            return f"{machine} has no {path}; the {what} must be at the same path on every machine. Put it there."
    # Ray ends a task by a KeyboardInterrupt: nobody sets the event here.
    return guard.carry_out(order, threading.Event(), command or guard.WORKER)
