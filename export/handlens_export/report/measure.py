"""Latency of many artifacts in one run, taking turns, so that ratios are fair on a machine that is not idle."""

import gc
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from handlens import golden, image
from handlens.artifact import Artifact
from handlens.bench import measure
from handlens.engine import Engine, open_engine
from handlens.errors import HandlensError
from handlens_export.report.rows import Fresh, Timing

ROUNDS = 12
WARMUP = 3
VISIT_SECONDS = 0.06
VISIT_RUNS = (3, 40)
FRESH_RUNS = 20


@dataclass(slots=True)
class _Runner:
    """An open engine with its input, and the seconds its runs took, one list a round."""

    name: str
    engine: Engine
    feeds: dict[str, np.ndarray]
    rounds: list[list[float]]
    runs: int = VISIT_RUNS[0]

    def run(self) -> float:
        """Seconds of one run."""
        start = time.perf_counter()
        self.engine.run(self.feeds)
        return time.perf_counter() - start


def measure_all(
    artifacts: Sequence[tuple[str, Artifact]],
    *,
    threads: int = 1,
    rounds: int = ROUNDS,
    seed: int = 0,
    fresh: bool = True,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, Timing | str]:
    """Times every artifact on its default engine, after its golden check.

    All engines are opened first. A round visits each artifact once, in an order drawn anew; a visit is a few untimed
    runs and then as many timed ones as fill about 60 ms, at least 3 and at most 40.

    Args:
        artifacts: (name, artifact) pairs, names unique.
        threads: of each engine.
        rounds: visits to each artifact.
        seed: of the orders.
        fresh: start a fresh process for each as well, for its cold start and memory.
        progress: told what happens now.

    Returns:
        For each name its timing, or the sentence why there is none (engine not installed, or refused by the goldens).
    """
    timed: dict[str, Timing | str] = {}
    runners = []
    for name, artifact in artifacts:
        progress(f"checking {name}")
        try:
            runners.append(_open(name, artifact, threads))
        except HandlensError as error:
            timed[name] = f"{type(error).__name__}: {error}".replace(str(artifact.path), name)
    try:
        _take_turns(runners, rounds, random.Random(seed), progress)
    finally:
        for runner in runners:
            runner.engine.close()
    opened = dict(artifacts)
    for runner in runners:
        seen = None
        if fresh:
            progress(f"a fresh process for {runner.name}")
            seen = _fresh(opened[runner.name], threads)
        timed[runner.name] = _timing(runner, threads, seen)
    return timed


def _fresh(artifact: Artifact, threads: int) -> Fresh | None:
    try:
        seen = measure(artifact.path, threads=threads, runs=FRESH_RUNS, warmup=WARMUP)
    except HandlensError:
        return None  # the model ran above; a process that could not be started takes only its own columns away
    if seen.cold_ms is None or seen.pipeline is None:
        return None
    return Fresh(seen.cold_ms, seen.pipeline.p50_ms, seen.peak_memory_mb, seen.base_memory_mb)


def _open(name: str, artifact: Artifact, threads: int) -> _Runner:
    engine = open_engine(artifact, threads=threads)
    spec = artifact.manifest.input
    first = artifact.goldens[0]
    pixels = golden.generate(first.generator, first.seed, spec.height, spec.width, spec.channels)
    runner = _Runner(name, engine, {spec.name: image.to_tensor(pixels, spec)}, [])
    times = sorted(runner.run() for _ in range(WARMUP * 2))
    low, high = VISIT_RUNS
    runner.runs = min(high, max(low, round(VISIT_SECONDS / max(times[len(times) // 2], 1e-6))))
    return runner


def _take_turns(runners: list[_Runner], rounds: int, order: random.Random, progress: Callable[[str], None]) -> None:
    collecting = gc.isenabled()
    gc.disable()
    try:
        for index in range(rounds):
            progress(f"timing, round {index + 1} of {rounds}")
            for runner in order.sample(runners, len(runners)):
                for _ in range(WARMUP):
                    runner.run()
                runner.rounds.append([runner.run() for _ in range(runner.runs)])
    finally:
        if collecting:
            gc.enable()


def _timing(runner: _Runner, threads: int, fresh: Fresh | None) -> Timing:
    seconds = np.concatenate([np.asarray(times) for times in runner.rounds])
    p50, p90 = (float(v) * 1e3 for v in np.percentile(seconds, (50, 90)))
    return Timing(
        engine=f"{runner.engine.name} {runner.engine.version}",
        threads=threads,
        p50_ms=p50,
        p90_ms=p90,
        rounds_ms=tuple(float(np.median(times)) * 1e3 for times in runner.rounds),
        runs=len(seconds),
        fresh=fresh,
    )
