"""Clock and temperature of a Linux machine, from sysfs; None where the system does not tell (most virtual machines)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROCESSOR = re.compile(r"cpu|x86_pkg|soc|package|core|tctl|k10temp|zenpower", re.IGNORECASE)
# What a sensor reads that is not connected, or a zone that is switched off.
_PLAUSIBLE_C = (-40.0, 150.0)


@dataclass(frozen=True, slots=True)
class State:
    """Of the processor, now.

    Attributes:
        clock_mhz: mean over the cores.
        temperature_c: of the processor's hottest sensor; of the hottest zone where none bears its name.
    """

    clock_mhz: float | None
    temperature_c: float | None


def read(root: Path = Path("/")) -> State:
    """Reads both; `root` is where /sys and /proc lie."""
    return State(_clock(root), _temperature(root))


def pair(before: float | None, after: float | None) -> tuple[float, float] | None:
    """Both values, or None where one is missing."""
    return None if before is None or after is None else (before, after)


def _clock(root: Path) -> float | None:
    kilohertz = _numbers(sorted(root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")))
    megahertz = [value / 1e3 for value in kilohertz if value > 0]
    if not megahertz:
        # A virtual machine has no cpufreq, but its processor often says what it was sold as; that is no reading.
        return None
    return sum(megahertz) / len(megahertz)


def _temperature(root: Path) -> float | None:
    named: list[float] = []
    others: list[float] = []
    for zone in sorted(root.glob("sys/class/thermal/thermal_zone*")):
        (named if _PROCESSOR.search(_text(zone / "type")) else others).extend(_celsius([zone / "temp"]))
    if not named:
        for monitor in sorted(root.glob("sys/class/hwmon/hwmon*")):
            if _PROCESSOR.search(_text(monitor / "name")):
                named.extend(_celsius(sorted(monitor.glob("temp*_input"))))
    return max(named or others, default=None)


def _celsius(files: Iterable[Path]) -> list[float]:
    low, high = _PLAUSIBLE_C
    return [value / 1e3 for value in _numbers(files) if low < value / 1e3 < high]


def _numbers(files: Iterable[Path]) -> list[float]:
    found = []
    for file in files:
        try:
            found.append(float(_text(file)))
        except ValueError:
            continue
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:  # a sensor that is asleep answers with an error
        return ""
