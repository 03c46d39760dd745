"""The fresh process that measures: an order comes in as one line of JSON, lines of JSON go out.

It also runs on the other side of ssh, from a zip of the runtime: so it needs NumPy, OpenCV and an engine, no more. It
ends when its standard input is closed: nobody is left to listen.
"""

import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlens import _backends, _codec
from handlens.artifact import Artifact
from handlens.bench import sensors, sustained
from handlens.bench.figures import Figure, Times
from handlens.bench.machine import Host, host
from handlens.bench.noise import Watch
from handlens.bench.pipeline import STAGES, Pipeline, tensor
from handlens.engine import default_engine, open_engine
from handlens.errors import HandlensError

# Others on half of the cores, on a tenth of one, or a clock that fell by a tenth shows in the figures.
_BUSY, _DISTURBING, _SLOWED = 0.5, 0.1, 0.9

Feeds = Mapping[str, NDArray[Any]]


def main() -> None:
    """Measures what the first line of standard input asks for, and says what was found or went wrong."""
    # What an engine's native code prints must not get between the lines.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_until_nobody_listens, daemon=True).start()
    try:
        for event in _measure(**order):
            out.write(json.dumps(event) + "\n")
    except HandlensError as error:
        out.write(json.dumps({"event": "error", "kind": type(error).__name__, "message": str(error)}) + "\n")


def _until_nobody_listens() -> None:
    # Not sys.stdin: the interpreter would wait at its end for the lock that a blocked reader holds.
    while os.read(0, 4096):
        pass
    os._exit(1)


def _measure(
    file: str, engine: str | None, threads: int, runs: int, warmup: int, sustained_s: float | None
) -> Iterator[dict[str, Any]]:
    # The artifact says which engine's package belongs to the base; it is opened again, with a cold start's cost, below.
    first = Artifact.open(file)
    _preload(engine or default_engine(first.kind))
    around, base = host(), _peak_memory_mb()
    yield {"event": "progress", "text": "cold start"}
    feeds = {first.manifest.input.name: tensor(first.manifest.input)}
    cold_ms, warmup_ms = _cold(file, engine, threads, feeds)
    opened = open_engine(first, engine, threads)
    try:
        whole = Pipeline(first, opened)
        before = sensors.read()
        yield {"event": "progress", "text": f"{runs} runs of the model"}
        watch = Watch()
        model = Times.of(_time(lambda: opened.run(feeds), runs, warmup))
        yield {"event": "progress", "text": f"{runs} runs of the whole pipeline"}
        parts = _parts(whole, runs, warmup)
        pipeline = Times.of(parts.sum(axis=1).tolist())
        after = sensors.read()
        figure = Figure(
            artifact=Path(file).name,
            model_id=first.manifest.model_id,
            target="",
            device=f"{around.cpu}, {around.cores} core{'' if around.cores == 1 else 's'}",
            engine=opened.name,
            engine_version=opened.version,
            threads=threads,
            cold_ms=cold_ms,
            warmup_ms=warmup_ms,
            model=model,
            pipeline=pipeline,
            stages_ms=dict(zip(STAGES, np.median(parts, axis=0).tolist(), strict=True)),
            peak_memory_mb=_peak_memory_mb(),
            base_memory_mb=base,
            temperature_c=sensors.pair(before.temperature_c, after.temperature_c),
            clock_mhz=sensors.pair(before.clock_mhz, after.clock_mhz),
            notes=tuple(_notes(around, threads, {"model": model, "pipeline": pipeline}, before, watch)),
        )
        yield {"event": "figure", "figure": _codec.to_plain(figure), "host": _codec.to_plain(around)}
        others = None
        if sustained_s is not None:
            watch = Watch()
            for moment in sustained.run(lambda: opened.run(feeds), sustained_s):
                yield {"event": "moment", "moment": _codec.to_plain(moment)}
            others = watch.others()
        yield {"event": "end", "others": str(others) if others and others.cores >= _DISTURBING else ""}
    finally:
        opened.close()


def _preload(engine: str) -> None:
    package = _backends.PACKAGES.get(engine)
    if package is not None:
        try:
            __import__(package if engine == "onnxruntime" else f"{package}.interpreter")
        except ImportError:
            pass  # open_engine says so in its own words


def _cold(file: str, engine: str | None, threads: int, feeds: Feeds) -> tuple[float, float]:
    """Milliseconds from opening the file to the first answer, and of the first run within that."""
    start = time.perf_counter_ns()
    opened = open_engine(Artifact.open(file), engine, threads, check=False)
    loaded = time.perf_counter_ns()
    opened.run(feeds)
    end = time.perf_counter_ns()
    opened.close()
    return (end - start) / 1e6, (end - loaded) / 1e6


def _time(call: Callable[[], object], runs: int, warmup: int) -> list[float]:
    """Milliseconds of each call; the garbage collector rests meanwhile."""
    times = np.empty(runs)
    with _steady(call, warmup):
        for index in range(runs):
            start = time.perf_counter_ns()
            call()
            times[index] = time.perf_counter_ns() - start
    return list((times / 1e6).tolist())


def _parts(whole: Pipeline, runs: int, warmup: int) -> NDArray[np.float64]:
    """Milliseconds (runs, stages) of the whole pipeline."""
    parts = np.empty((runs, len(STAGES)))
    with _steady(whole, warmup):
        for index in range(runs):
            parts[index] = whole()
    return parts / 1e6


@contextmanager
def _steady(call: Callable[[], object], warmup: int) -> Iterator[None]:
    for _ in range(warmup):
        call()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _notes(around: Host, threads: int, times: dict[str, Times], before: sensors.State, watch: Watch) -> Iterator[str]:
    """What a reader of the figures must know of the machine."""
    if threads > around.cores:
        yield f"{threads} threads on {around.cores} core{'' if around.cores == 1 else 's'}"
    after, others, load = sensors.read(), watch.others(), around.load_average
    wide = {what: (each.p99_ms or 0) / each.p50_ms for what, each in times.items() if each.wide}
    if wide:
        spread = ", ".join(f"{what} p99 is {factor:.1f} times p50" for what, factor in wide.items())
        yield f"wide spread ({spread}): {f'meanwhile {others}' if others else 'what else ran is not known here'}"
    elif others and others.cores > _BUSY * around.cores:
        yield f"{others}, on {around.cores} in all: times may be too long"
    elif others is None and load is not None and load > _BUSY * around.cores:
        yield f"the load was {load:.1f} on {around.cores} cores when this began: times may be too long"
    if before.clock_mhz and after.clock_mhz and after.clock_mhz < _SLOWED * before.clock_mhz:
        yield f"the clock fell from {before.clock_mhz:.0f} to {after.clock_mhz:.0f} MHz meanwhile"


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
