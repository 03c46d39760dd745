"""How long a model takes and how much memory, on this machine; cold and warm, alone and with its pre-processing.

Each measurement runs in a fresh process, so that what else the caller has loaded (TensorFlow, say) changes neither.
"""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from handlens import errors
from handlens.errors import ArtifactError, EngineError, InputError, OptionError

_PACKAGES = ("ai-edge-litert", "tflite-runtime", "onnxruntime", "numpy", "opencv-python-headless")
_TIMEOUT_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Times of one artifact on one engine, in milliseconds of wall clock.

    Attributes:
        engine: its name.
        engine_version: of its package.
        threads: the engine was given.
        runs: timed, after the warm-up.
        p50_ms: median of the model alone, prepared tensor in, outputs out.
        p90_ms: 90th percentile of the same.
        p99_ms: 99th percentile of the same.
        pipeline_p50_ms: median of the whole way: decode a JPEG of the input's size, prepare, run (a model that takes
            numbers: the tensor of them, run).
        pipeline_p90_ms: 90th percentile of the same.
        pipeline_p99_ms: 99th percentile of the same.
        cold_ms: from an open file to the first answer in a fresh process, without Python's own imports.
        peak_memory_mb: largest resident memory of that process, in 2**20 bytes; None where the system does not tell.
        base_memory_mb: of it, what the process had before the model: Python, NumPy, OpenCV and the engine's package.
    """

    engine: str
    engine_version: str
    threads: int
    runs: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    pipeline_p50_ms: float
    pipeline_p90_ms: float
    pipeline_p99_ms: float
    cold_ms: float
    peak_memory_mb: float | None
    base_memory_mb: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The machine a figure was measured on; holds no name that identifies it.

    Attributes:
        cpu: model of the processor.
        architecture: such as x86_64.
        cores: this process may use.
        memory_mb: of the machine, in 2**20 bytes; None where the system does not tell.
        os: name and release.
        python: version.
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


def measure(
    path: str | Path, engine: str | None = None, threads: int = 1, runs: int = 200, warmup: int = 20
) -> Latency:
    """Measures an artifact in a fresh process.

    Args:
        path: of the artifact; its engine must answer the goldens rightly, or there is nothing to time.
        engine: as `handlens.engine.open_engine` takes it.
        threads: for the engine to use.
        runs: to time, 1 or more; of the model alone, and again of the whole pipeline.
        warmup: runs before the timed ones, not counted.

    Raises:
        OptionError: `runs` or `warmup` out of range, or an unknown engine.
        ArtifactError: the file is refused.
        EngineError: the engine is missing, answers wrongly, or its process died.
    """
    if runs < 1 or warmup < 0:
        raise OptionError(f"runs is {runs}, warmup is {warmup}; valid: 1 or more, and 0 or more")
    order = {"path": str(path), "engine": engine, "threads": threads, "runs": runs, "warmup": warmup}
    # The child must find the very package that asked, wherever that was imported from.
    root = str(Path(__file__).resolve().parents[1])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    try:
        done = subprocess.run(
            [sys.executable, "-c", "from handlens._latency_worker import main; main()"],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            env={**os.environ, "PYTHONPATH": paths},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"measuring {path} took more than {_TIMEOUT_S} s; try fewer runs") from None
    lines = done.stdout.splitlines()
    try:
        answer: Any = json.loads(lines[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["it wrote nothing"])[-1]
        raise EngineError(f"measuring {path}: its process ended with code {done.returncode}: {last[:300]}") from None
    if "error" in answer:
        kind = getattr(errors, answer["error"])
        raise (kind if issubclass(kind, (ArtifactError, EngineError, InputError)) else EngineError)(answer["message"])
    return Latency(**answer)


def host() -> Host:
    """Describes this machine for a report."""
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


def to_dict(record: Latency | Host) -> dict[str, Any]:
    """Returns a record as what `json.dumps` takes."""
    return asdict(record)


def _cpu() -> str:
    """The processor's name, where the system has it; else its architecture."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
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
