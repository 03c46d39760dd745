"""The fresh process behind `handlens.latency.measure`: an order comes in as JSON, one line of JSON goes out."""

import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from handlens import _backends, _vector, golden, image
from handlens.artifact import Artifact
from handlens.engine import default_engine, open_engine
from handlens.errors import HandlensError
from handlens.manifest import InputSpec


def main() -> None:
    """Measures what standard input asks for, and prints the result or the error."""
    order = json.load(sys.stdin)
    try:
        answer = _measure(**order)
    except HandlensError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(answer), flush=True)


def _measure(path: str, engine: str | None, threads: int, runs: int, warmup: int) -> dict[str, Any]:
    # The artifact says which engine's package belongs to the base; it is opened again, with a cold start's cost, below.
    kind = Artifact.open(path).kind
    _preload(engine or default_engine(kind))
    base = _peak_memory_mb()
    start = time.perf_counter_ns()
    artifact = Artifact.open(path)
    cold = open_engine(artifact, engine, threads, check=False)
    spec = artifact.manifest.input
    pixels = _person(spec)
    tensor = image.to_tensor(pixels, spec)
    cold.run({spec.name: tensor})
    cold_ms = (time.perf_counter_ns() - start) / 1e6
    cold.close()
    jpeg = cv2.imencode(".jpg", pixels if spec.channels == 1 else pixels[:, :, ::-1])[1].tobytes()
    opened = open_engine(artifact, engine, threads)
    try:
        alone = _time(lambda: opened.run({spec.name: tensor}), runs, warmup)
        # A face whose points lie where the input wants them: aligning costs the same wherever they are.
        points = np.reshape(spec.template, (5, 2)) if spec.geometry == "align" else None
        numbers = _vector.numbers(pixels, spec)

        def prepared() -> np.ndarray[Any, Any]:
            return (
                _vector.to_tensor(numbers, spec) if spec.geometry == "vector" else image.preprocess(jpeg, spec, points)
            )

        whole = _time(lambda: opened.run({spec.name: prepared()}), runs, warmup)
        name, version = opened.name, opened.version
    finally:
        opened.close()
    return {
        "engine": name,
        "engine_version": version,
        "threads": threads,
        "runs": runs,
        **dict(zip(("p50_ms", "p90_ms", "p99_ms"), alone, strict=True)),
        **dict(zip(("pipeline_p50_ms", "pipeline_p90_ms", "pipeline_p99_ms"), whole, strict=True)),
        "cold_ms": cold_ms,
        "peak_memory_mb": _peak_memory_mb(),
        "base_memory_mb": base,
    }


def _preload(engine: str) -> None:
    package = _backends.PACKAGES.get(engine)
    if package is not None:
        try:
            __import__(package if engine == "onnxruntime" else f"{package}.interpreter")
        except ImportError:
            pass  # open_engine says so in its own words


def _person(spec: InputSpec) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return golden.generate(golden.GENERATORS[0], 1, spec.height, spec.width, spec.channels)


def _time(call: Callable[[], object], runs: int, warmup: int) -> list[float]:
    """Returns the 50th, 90th and 99th percentile of a call, in milliseconds; the garbage collector rests meanwhile."""
    for _ in range(warmup):
        call()
    times = np.empty(runs)
    gc.collect()
    gc.disable()
    try:
        for index in range(runs):
            start = time.perf_counter_ns()
            call()
            times[index] = time.perf_counter_ns() - start
    finally:
        gc.enable()
    return [float(value) for value in np.percentile(times / 1e6, [50, 90, 99])]


def _peak_memory_mb() -> float | None:
    """Returns the largest resident memory so far, in 2**20 bytes.

    Linux counts `ru_maxrss` across the fork, so a child of a large parent would report the parent: VmHWM does not.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return None
