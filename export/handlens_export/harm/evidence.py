"""What a sensitivity page shows, as data: a network's layers, what int8 does to each, and what repairs it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from handlens.metrics import Interval
from handlens_export.harm.lane import Histogram, Unit
from handlens_export.harm.pages import SCHEMA
from handlens_export.harm.study import Tried

STEPS = 256


@dataclass(frozen=True, slots=True)
class Layer:
    """One unit of a network.

    Attributes:
        unit: its name, kind and weights.
        error: of the outputs when it alone is int8, as a share of their spread.
        alone: the file in which it alone is int8, measured by the task's metric; None where it was not.
        range: that int8 gives its output, (low, high); None where there is none.
        histogram: of its output in float; None where it could not be seen.
        back: whether the repair leaves it in float.
        left: whether it is in float anyway: it has no int8 form, or only makes probabilities of the end.
    """

    unit: Unit
    error: float
    alone: Tried | None = None
    range: tuple[float, float] | None = None
    histogram: Histogram | None = None
    back: bool = False
    left: bool = False

    @property
    def steps(self) -> float | None:
        """How many of the 256 steps hold the middle 99% of what it gives; None where that is not known."""
        if self.range is None or self.histogram is None or self.range[1] <= self.range[0]:
            return None
        low, high = middle(self.histogram)
        inside = max(0.0, min(high, self.range[1]) - max(low, self.range[0]))
        return inside / (self.range[1] - self.range[0]) * (STEPS - 1) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """A whole page.

    Attributes:
        name: of the model.
        task: of it.
        kind: of the files.
        recipe: what came before int8, such as "pruned50-int8".
        dataset: that the metric was measured on.
        split: of it.
        protocol: in words.
        n: items.
        primary: the metric.
        unit: "fraction", or what the metric is counted in.
        reference: the metric of float32.
        float_bytes: of the float32 model.
        images: that output errors were measured on.
        max_drop: points that may be lost.
        whole: everything in int8.
        repaired: the fewest layers found in float that hold the budget; None where int8 holds it.
        layers: in order of execution.
    """

    name: str
    task: str
    kind: str
    recipe: str
    dataset: str
    split: str
    protocol: str
    n: int
    primary: str
    unit: str
    reference: Interval
    float_bytes: int
    images: int
    max_drop: float
    whole: Tried
    repaired: Tried | None
    layers: tuple[Layer, ...]

    @property
    def given_back(self) -> tuple[str, ...]:
        """The layers that the repair leaves in float, those that always are aside."""
        return tuple(layer.unit.name for layer in self.layers if layer.back)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        facts = {key: getattr(self, key) for key in ("name", "task", "kind", "recipe", "dataset", "split", "protocol")}
        return {
            "schema": SCHEMA,
            **facts,
            "n": self.n,
            "metric": self.primary,
            "unit": self.unit,
            "float32": {**_ends(self.reference, 6), "bytes": self.float_bytes},
            "images": self.images,
            "max_drop": self.max_drop,
            "int8": _tried(self.whole),
            "mixed": None if self.repaired is None else _tried(self.repaired),
            "layers": [_layer(layer) for layer in self.layers],
        }


def middle(histogram: Histogram, share: float = 0.99) -> tuple[float, float]:
    """The ends of the middle share of the values, to within a bin."""
    total, tail = sum(histogram.counts), (1 - share) / 2
    width = (histogram.high - histogram.low) / max(1, len(histogram.counts))
    return (
        histogram.low + width * _bins_below(histogram.counts, tail * total),
        histogram.high - width * _bins_below(histogram.counts[::-1], tail * total),
    )


def _bins_below(counts: Sequence[int], wanted: float) -> float:
    """How many bins, the last in part, hold so many values."""
    seen = 0.0
    for index, count in enumerate(counts):
        if seen + count > wanted:
            return index + (wanted - seen) / count
        seen += count
    return float(len(counts))


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.unit.name,
        "kind": layer.unit.kind,
        "parameters": layer.unit.parameters,
        "output_error": round(layer.error, 6),
        "alone": None if layer.alone is None else _tried(layer.alone),
        "range": None if layer.range is None else [round(end, 6) for end in layer.range],
        "steps_used": None if layer.steps is None else round(layer.steps, 1),
        "histogram": None
        if layer.histogram is None
        else {
            "low": round(layer.histogram.low, 6),
            "high": round(layer.histogram.high, 6),
            "counts": list(layer.histogram.counts),
        },
        "float": layer.back,
        "always_float": layer.left,
    }


def _tried(tried: Tried) -> dict[str, Any]:
    drop = None if tried.drop is None else _ends(tried.drop, 4)
    return {"points_lost": drop, "refused": tried.refused, "bytes": tried.bytes}


def _ends(interval: Interval, places: int) -> dict[str, float]:
    return {key: round(getattr(interval, key), places) for key in ("value", "low", "high")}
