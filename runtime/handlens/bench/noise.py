"""What else ran while something was timed: processor time of other processes, from /proc."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

_NAMED = 3
_LEAST_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Others:
    """Processor time that this process did not use, in cores (1.0 is one core all the while).

    Attributes:
        cores: of all others together.
        stolen: that the hypervisor gave to other machines.
        names: the busiest processes, (name, cores), those above 0.03; processes of one name are added up.
    """

    cores: float
    stolen: float
    names: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        told = ", ".join(f"{name} {share:.2f}" for name, share in self.names)
        text = f"others used {self.cores:.2f} cores" + (f" ({told})" if told else "")
        return text + (f", the hypervisor kept back {self.stolen:.2f}" if self.stolen >= _LEAST_SHARE else "")


class Watch:
    """Looks at the machine when it is made, and again when asked what went on since."""

    def __init__(self, root: Path = Path("/proc")) -> None:
        """Takes the first look; `root` is where the processes' files lie."""
        self._root = root
        self._start = self._look()
        self._at = time.monotonic()

    def others(self) -> Others | None:
        """What went on since; None where the system does not tell."""
        now, seconds = self._look(), max(time.monotonic() - self._at, 1e-3)
        if not now.total or not self._start.total:
            return None
        second = os.sysconf("SC_CLK_TCK") * seconds
        mine = _used(now, self._start, os.getpid())
        shares: dict[str, float] = {}
        for process, (name, _) in now.processes.items():
            if process != os.getpid():
                shares[name] = shares.get(name, 0.0) + _used(now, self._start, process) / second
        busiest = sorted(shares.items(), key=lambda item: -item[1])[:_NAMED]
        return Others(
            cores=max(now.total - self._start.total - mine, 0) / second,
            stolen=max(now.stolen - self._start.stolen, 0) / second,
            names=tuple((name, share) for name, share in busiest if share >= _LEAST_SHARE),
        )

    def _look(self) -> "_Look":
        try:
            first = (self._root / "stat").read_text(encoding="ascii").split("\n", 1)[0].split()
            fields = [int(value) for value in first[1:9]]
        except (OSError, ValueError, IndexError):
            return _Look(0, 0, {})
        user, nice, system, _, _, interrupt, soft, *rest = [*fields, 0]
        processes = {}
        for entry in self._root.glob("[0-9]*/stat"):
            found = _process(entry)
            if found:
                processes[int(entry.parent.name)] = found
        return _Look(user + nice + system + interrupt + soft, rest[0], processes)


@dataclass(frozen=True, slots=True)
class _Look:
    """Ticks used by all, ticks stolen, and by process its name and ticks."""

    total: int
    stolen: int
    processes: dict[int, tuple[str, int]]


def _process(entry: Path) -> tuple[str, int] | None:
    """Name and ticks (user and system) of one process; proc(5): the name stands in brackets and may hold any."""
    try:
        text = entry.read_text(encoding="utf-8", errors="replace")
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        shown = "".join(character if character.isprintable() else "?" for character in name)
        return shown, int(rest[11]) + int(rest[12])
    except (OSError, ValueError, IndexError):  # it ended meanwhile
        return None


def _used(now: _Look, before: _Look, process: int) -> int:
    mine = now.processes.get(process, ("", 0))[1]
    return max(mine - before.processes.get(process, ("", 0))[1], 0)
