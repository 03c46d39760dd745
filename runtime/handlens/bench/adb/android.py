"""What an Android device says about itself: model, ABIs, cores, clocks, temperature. Scripts for it, and parsers.

The scripts keep to what toybox and mksh (Android 6 and newer) have in common with dash and coreutils.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Thermometer = Literal["zones", "thermalservice", "battery", "none"]

_PROPERTIES = (
    "ro.product.cpu.abilist",
    "ro.product.manufacturer",
    "ro.product.model",
    "ro.soc.model",
    "ro.build.version.release",
)
# What a kernel calls itself, where there is no Android above it.
_MACHINES = {
    "aarch64": "arm64-v8a",
    "armv8l": "armeabi-v7a",
    "armv7l": "armeabi-v7a",
    "x86_64": "x86_64",
    "i686": "x86",
    "riscv64": "riscv64",
}
# Of an ELF file: its class (1: 32 bits, 2: 64) and machine.
_ELF = {
    (1, 40): "armeabi-v7a",
    (2, 183): "arm64-v8a",
    (1, 3): "x86",
    (2, 62): "x86_64",
    (2, 243): "riscv64",
}
_PROCESSOR = re.compile(r"cpu|soc|tsens|apc|big|little|mid|cluster|core|^mtktscpu", re.IGNORECASE)
_PLAUSIBLE_C = (-40.0, 150.0)

LOOK = "\n".join(
    [
        *(f'echo "{name}=$(getprop {name} 2>/dev/null)"' for name in _PROPERTIES),
        'echo "machine=$(uname -m)"',
        'echo "kernel=$(uname -sr)"',
        'echo "online=$(cat /sys/devices/system/cpu/online 2>/dev/null)"',
        "for core in /sys/devices/system/cpu/cpu[0-9]*; do",
        '  echo "core ${core##*cpu} $(cat $core/cpufreq/cpuinfo_max_freq 2>/dev/null)"',
        "done",
        "taskset 1 true >/dev/null 2>&1 && echo taskset=yes",
        "command -v sha256sum >/dev/null 2>&1 && echo sha256sum=yes",
        "true",
    ]
)
CLOCKS = (
    "for core in /sys/devices/system/cpu/cpu[0-9]*; do "
    'echo "clock ${core##*cpu} $(cat $core/cpufreq/scaling_cur_freq 2>/dev/null)"; done'
)
THERMOMETERS: dict[Thermometer, str] = {
    "zones": (
        "for zone in /sys/class/thermal/thermal_zone*; do "
        'echo "zone $(cat $zone/temp 2>/dev/null) $(cat $zone/type 2>/dev/null)"; done'
    ),
    "thermalservice": "dumpsys thermalservice 2>/dev/null",
    "battery": "dumpsys battery 2>/dev/null",
    "none": ":",
}
# What each process used of the processor; toybox's ps, else procps's.
BUSIEST = "ps -A -o %CPU,NAME 2>/dev/null || ps -A -o %cpu,comm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What does not change while we measure.

    Attributes:
        device: for a person, such as "Google Pixel 6, Android 14, arm64-v8a".
        abis: of the programs it runs, preferred ones first.
        cores: (number, highest clock in kHz or 0 where it is not told), the quickest first.
        taskset: whether a program can be pinned.
        sha256sum: whether files can be checked.
    """

    device: str
    abis: tuple[str, ...]
    cores: tuple[tuple[int, int], ...]
    taskset: bool
    sha256sum: bool

    def pinned(self, threads: int) -> tuple[int, ...]:
        """The cores for so many threads, the quickest, ascending; all where there are fewer, none where none can be."""
        return tuple(sorted(number for number, _ in self.cores[:threads])) if self.taskset else ()


def facts(text: str) -> Facts:
    """Reads what `LOOK` printed."""
    told = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    told = {key: value.strip() for key, value in told.items()}
    abis = tuple(filter(None, told.get("ro.product.cpu.abilist", "").split(",")))
    if not abis:
        machine = told.get("machine", "")
        abis = (_MACHINES.get(machine, machine or "unknown"),)
    clocks = dict(_numbered(text, "core"))
    online = _ranges(told.get("online", "")) or sorted(clocks) or [0]
    quickest = sorted(online, key=lambda number: (-clocks.get(number, 0), number))
    model = told.get("ro.product.model", "")
    if model:
        maker = told.get("ro.product.manufacturer", "")
        parts = [model if model.lower().startswith(maker.lower()) else f"{maker} {model}"]
        parts += [told.get("ro.soc.model", ""), f"Android {told.get('ro.build.version.release', '')}".strip()]
    else:
        parts = [told.get("kernel", "") or "unknown device"]
    return Facts(
        device=", ".join(_printable(part) for part in [*parts, abis[0]] if part),
        abis=abis,
        cores=tuple((number, clocks.get(number, 0)) for number in quickest),
        taskset=told.get("taskset") == "yes",
        sha256sum=told.get("sha256sum") == "yes",
    )


def abi_of(head: bytes) -> str | None:
    """The ABI that a program was built for, by the first 20 bytes of its file; None for what is no ELF program.

    ELF: byte 4 is the class, byte 5 the byte order (1: little endian), bytes 18 and 19 the machine.
    """
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None
    machine = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
    return _ELF.get((head[4], machine), f"ELF machine {machine}")


def clock_mhz(text: str, cores: Iterable[int] = ()) -> float | None:
    """Mean over the cores that `CLOCKS` printed (those of `cores`, where any is given); None where none was told."""
    wanted = set(cores)
    found = [
        value / 1e3 for number, value in _numbered(text, "clock") if value > 0 and (not wanted or number in wanted)
    ]
    return sum(found) / len(found) if found else None


def temperature_c(text: str, thermometer: Thermometer) -> float | None:
    """What a thermometer's script printed: of the processor's hottest sensor, else the hottest; None for no reading."""
    if thermometer == "battery":
        tenths = re.search(r"^\s*temperature: (-?\d+)\s*$", text, re.MULTILINE)
        return float(tenths[1]) / 10 if tenths else None
    if thermometer == "thermalservice":
        _, _, current = text.partition("Current temperatures from HAL:")
        readings = re.findall(r"Temperature\{mValue=([-\d.]+), mType=(\d+), mName=([^,]*),", current or text)
        named = [float(value) for value, kind, _ in readings if kind == "0"]
        others = [float(value) for value, _, _ in readings]
    else:
        zones = re.findall(r"^zone (-?\d+) (.*)$", text, re.MULTILINE)
        named = [_celsius(int(value)) for value, kind in zones if _PROCESSOR.search(kind)]
        others = [_celsius(int(value)) for value, _ in zones]
    low, high = _PLAUSIBLE_C
    named, others = ([value for value in values if low < value < high and value != 0] for values in (named, others))
    return max(named or others, default=None)


def busiest(text: str, ours: str) -> str:
    """The three busiest processes that `BUSIEST` printed, such as "surfaceflinger 12 %"; empty where none is told."""
    shares: dict[str, float] = {}
    for line in text.splitlines():
        share, _, name = line.strip().partition(" ")
        name = _printable(next(iter(name.split()), ""))  # some put their arguments into their name
        if re.fullmatch(r"\d+(\.\d+)?", share) and name not in (ours, "ps", "sh"):
            shares[name] = shares.get(name, 0.0) + float(share)
    found = sorted(shares.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} {share:.0f} %" for name, share in found if share >= 1)


def _celsius(value: int) -> float:
    """A kernel's zone gives thousandths of a degree; older ones tenths, or degrees."""
    if abs(value) > 1000:
        return value / 1000
    return value / 10 if abs(value) > 150 else float(value)


def _numbered(text: str, word: str) -> list[tuple[int, int]]:
    return [(int(n), int(value or 0)) for n, value in re.findall(rf"^{word} (\d+) ?(\d*)$", text, re.MULTILINE)]


def _ranges(text: str) -> list[int]:
    """The numbers of a list such as "0-3,6"."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (last or first).isdigit():
            found += range(int(first), min(int(last or first), int(first) + 1023) + 1)
    return found


def _printable(text: str) -> str:
    """A device's words go to a terminal and into a report: no control characters, and not many."""
    return "".join(character for character in text if character.isprintable())[:80]
