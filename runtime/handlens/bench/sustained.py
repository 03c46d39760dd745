"""Minutes of runs without a pause: what is left of the speed when the machine is warm."""

import time
from collections.abc import Callable, Iterator

import numpy as np

from handlens.bench import sensors
from handlens.bench.figures import Figure, Moment

EVERY_S = 10.0
_SLOWER = 1.1


def run(call: Callable[[], object], seconds: float, every: float = EVERY_S) -> Iterator[Moment]:
    """Calls without a pause for so long, and says how it went every `every` seconds, and at the end."""
    start = now = time.perf_counter()
    end, due, times = start + seconds, start + every, list[float]()
    while now < end:
        call()
        done = time.perf_counter()
        times.append((done - now) * 1e3)
        now = done
        if now >= due or now >= end:
            state = sensors.read()
            p50, p90 = (float(value) for value in np.percentile(times, [50, 90]))
            yield Moment(
                seconds=now - start,
                p50_ms=p50,
                p90_ms=p90,
                clock_mhz=state.clock_mhz,
                temperature_c=state.temperature_c,
            )
            times.clear()
            now = time.perf_counter()
            due = max(due + every, now)


def slowdown(figure: Figure) -> float | None:
    """Median of the last moment over that of the first; None where there are not two."""
    if len(figure.sustained) < 2 or figure.sustained[0].p50_ms <= 0:
        return None
    return figure.sustained[-1].p50_ms / figure.sustained[0].p50_ms


def note(figure: Figure, others: str = "") -> str:
    """A sentence when the machine became slower by a tenth or more, with what others did then; else empty."""
    factor = slowdown(figure)
    if factor is None or factor < _SLOWER:
        return ""
    last = figure.sustained[-1]
    text = f"after {last.seconds:.0f} s without a pause a run took {factor:.2f} times as long as in the first moments"
    return f"{text}; meanwhile {others}" if others else text
