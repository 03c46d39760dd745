"""The machine that a figure was measured on, in words that identify nobody."""

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from pathlib import Path

_PACKAGES = ("ai-edge-litert", "tflite-runtime", "onnxruntime", "numpy", "opencv-python-headless")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The machine a figure was measured on; holds no name that identifies it.

    Attributes:
        cpu: model of the processor.
        architecture: such as x86_64.
        cores: this process may use.
        memory_mb: of the machine, in 2**20 bytes; None where the system does not tell.
        os: name and release.
        python: version; empty where no Python ran the model.
        load_average: of the last minute; None where the system does not tell. When it is high, times are too long.
        versions: of the engines and libraries that are installed, by package.
    """

    cpu: str
    architecture: str
    cores: int
    memory_mb: int | None
    os: str
    python: str
    load_average: float | None
    versions: dict[str, str]


def host() -> Host:
    """Describes this machine."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return Host(
        cpu=_cpu(),
        architecture=platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_mb=_memory_mb(),
        os=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        versions=versions,
    )


def _cpu(root: Path = Path("/proc")) -> str:
    """The processor's name, where the system has it, or the board's; else its architecture."""
    try:
        # A board, such as "Raspberry Pi 4 Model B Rev 1.4": its processor's own name says less, or is missing.
        board = (root / "device-tree/model").read_text(encoding="utf-8", errors="replace").strip("\0\n ")
        if board:
            return "".join(character for character in board if character.isprintable())
    except OSError:
        pass
    try:
        text = (root / "cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    return named.get("model name") or named.get("Model") or named.get("Hardware") or platform.machine()


def _memory_mb() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    except (AttributeError, OSError, ValueError):
        return None
