"""The `mixed` recipes: int8 but for the fewest layers in float, so that the metric stays within its budget."""

import importlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np

from handlens.errors import OptionError
from handlens.metrics import Interval
from handlens_export import candidate, graph, onnx, ranges
from handlens_export.candidate import Budget, Candidate
from handlens_export.gate import judge
from handlens_export.harm.keras_lane import KerasLane
from handlens_export.harm.lane import Lane
from handlens_export.harm.study import Study, Tried
from handlens_export.prepare import Workshop
from handlens_export.recipes import Format, Recipe

EXTRA = "mixed.json"


def make(shop: Workshop, recipe: Recipe, kind: Format, budget: Budget | None = None) -> Candidate:
    """Finds the layers to leave in float, and makes the file.

    Args:
        shop: of the run.
        recipe: a mixed one.
        kind: the format.
        budget: how much may be lost, and how to measure it.

    Raises:
        OptionError: there is no budget to search by.
        EngineWrong: the conversion went wrong.
    """
    found, allowed = opened(shop, recipe, kind), _required(budget)
    study = studied(shop, found, allowed)
    chosen = study.repaired(allowed.max_drop, shop.options.max_minutes)
    model = found.lane.model(chosen.floats)
    return _described(found.finish(model) if found.last is None else found.last(model, chosen.floats), study, chosen)


@dataclass(frozen=True, slots=True)
class Opened:
    """A network as a lane, and what makes artifacts of its files.

    Attributes:
        lane: the network.
        images: (N, ...) float32 as it takes them, to see output errors on.
        finish: a candidate of a file's bytes.
        last: the same, given the units in float, with checks that a try can do without.
    """

    lane: Lane
    images: np.ndarray
    finish: Callable[[bytes], Candidate]
    last: Callable[[bytes, Collection[str]], Candidate] | None = None


def opened(shop: Workshop, recipe: Recipe, kind: Format) -> Opened:
    """The network of a mixed recipe, be it Keras's or a file of somebody's own.

    Raises:
        EngineWrong: the conversion went wrong.
    """
    maker = getattr(shop.source.model, "maker", None)
    if maker is not None:
        found: Opened = importlib.import_module(maker).opened(shop, recipe)
        return found
    prepared = shop.prepare(recipe)

    def finish(model: bytes) -> Candidate:
        return candidate.finish(shop, recipe, kind, prepared, model)

    if kind == "tflite":
        lane = KerasLane(prepared.graph, prepared.ranges)
        return Opened(
            lane,
            shop.calibration_batch,
            finish,
            lambda model, floats: candidate.finish(shop, recipe, kind, prepared, model, lane.simulation(floats)),
        )
    from handlens_export.bring.onnx_lane import OnnxLane

    ends = {output: prepared.ranges[name] for output, name in ranges.output_places(prepared.graph).items()}
    network = onnx.to_onnx(graph.build(prepared.graph))
    return Opened(OnnxLane(network, shop.calibration_batch, ends), shop.calibration_batch, finish)


def studied(shop: Workshop, found: Opened, budget: Budget) -> Study:
    """The study of a network's harm by the metric of its task."""

    def measure(model: bytes) -> Interval:
        return judge("a try", budget.evaluate(found.finish(model)), budget.reference, budget.max_drop).drop

    return Study(found.lane, found.images, shop.matching, measure, shop.kept.folder, shop.say)


def _required(budget: Budget | None) -> Budget:
    if budget is None:
        raise OptionError("a mixed recipe is searched by a metric; export it through handlens export or sweep")
    return budget


def _described(made: Candidate, study: Study, found: Tried) -> Candidate:
    """With a note of what is in float and why, and the ranking as a part of the artifact."""
    whole, lane = study.tried(()), study.lane
    floats = ", ".join(found.floats) or "none"
    note = f"layers in float: {floats} ({len(found.floats)} of {len(lane.units)})"
    if lane.left:
        note += f"; float, too, for want of an int8 form: {', '.join(lane.left)}"
    lost = whole.refused if whole.drop is None else f"{whole.drop.value:.2f} points lost"
    note += f"; with none in float: {lost}"
    drop = whole.drop
    record = {
        "floats": list(found.floats),
        "left": list(lane.left),
        "errors": {name: round(error, 6) for name, error in study.errors.items()},
        "none": whole.refused if drop is None else [round(end, 4) for end in (drop.value, drop.low, drop.high)],
    }
    compression = made.manifest.compression
    notes = "; ".join(part for part in (compression.notes, note) if part)
    return replace(
        made,
        manifest=replace(made.manifest, compression=replace(compression, notes=notes)),
        extras={**made.extras, EXTRA: json.dumps(record, separators=(",", ":")).encode()},
    )
