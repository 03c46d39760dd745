"""Axes: from a value to a pixel, and the round values worth a tick."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps [low, high] to pixels [start, stop], linearly or by logarithm; `start` may be the larger (a y axis)."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        low, high, at = (
            (math.log10(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return self.start + (at - low) / (high - low) * (self.stop - self.start)

    def ticks(self, wanted: int = 6) -> list[float]:
        """Round values inside the range, rising, about as many as wanted."""
        return log_ticks(self.low, self.high, wanted) if self.log else linear_ticks(self.low, self.high, wanted)


def fit(values: Sequence[float], start: float, stop: float, *, log: bool = False, margin: float = 0.06) -> Scale:
    """A scale that holds all values with a margin on both ends.

    Args:
        values: at least one; positive when `log`.
        start: pixel of the low end.
        stop: pixel of the high end.
        log: logarithmic.
        margin: of the range, on each end.
    """
    low, high = min(values), max(values)
    if log:
        spread = max(math.log10(high / low), math.log10(2.0))
        middle = math.sqrt(low * high)
        reach = 10 ** (spread * (0.5 + margin))
        return Scale(middle / reach, middle * reach, start, stop, log=True)
    spread = max(high - low, 1e-3 * max(abs(low), abs(high), 1.0))
    middle = (low + high) / 2
    return Scale(middle - spread * (0.5 + margin), middle + spread * (0.5 + margin), start, stop)


def linear_ticks(low: float, high: float, wanted: int) -> list[float]:
    """Multiples of 1, 2, 2.5 or 5 times a power of ten."""
    rough = (high - low) / max(wanted, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: float, high: float, wanted: int) -> list[float]:
    """The finest of 1 / 1-3 / 1-2-5 / 1-2-3-5-7 / 1-1.5-2-3-4-5-6-8 steps that stays near the wanted count."""
    best: list[float] = []
    for digits in (
        (1,),
        (1, 3),
        (1, 2, 5),
        (1, 2, 3, 5, 7),
        (1, 1.5, 2, 3, 4, 5, 6, 8),
        (1, 1.2, 1.4, 1.6, 1.8, *range(2, 10)),
    ):
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [digit * 10.0**power for power in powers for digit in digits]
        ticks = [tick for tick in ticks if low * 0.9999 <= tick <= high * 1.0001]
        if best and len(ticks) > wanted + 2:
            break
        best = ticks
    return best
