"""The `mixed` recipes: int8 but for the fewest layers in float, so that the metric stays within its budget."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from handlens.errors import OptionError
from handlens.metrics import Interval
from handlens_export import candidate, graph, onnx, ranges
from handlens_export.candidate import Budget, Candidate
from handlens_export.gate import judge
from handlens_export.harm.keras_lane import KerasLane
from handlens_export.harm.lane import Lane
from handlens_export.harm.study import Study, Tried
from handlens_export.prepare import Prepared, Workshop
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
    found = opened(shop, recipe, kind)
    study = studied(shop, found.lane, _required(budget), found.finish)
    chosen = study.repaired(_required(budget).max_drop, shop.options.max_minutes)
    return _described(found.last(chosen.floats), found.lane, study, chosen)


@dataclass(frozen=True, slots=True)
class Opened:
    """A network as a lane, and what makes artifacts of its files.

    Attributes:
        lane: the network.
        finish: a candidate of a file's bytes, for a try.
        last: the candidate with these units in float, and everything checked that can be.
    """

    lane: Lane
    finish: Callable[[bytes], Candidate]
    last: Callable[[Collection[str]], Candidate]


def opened(shop: Workshop, recipe: Recipe, kind: Format) -> Opened:
    """The network of a mixed recipe.

    Raises:
        EngineWrong: the conversion went wrong.
    """
    prepared = shop.prepare(recipe)
    lane = lane_of(shop, prepared, kind)

    def finish(model: bytes) -> Candidate:
        return candidate.finish(shop, recipe, kind, prepared, model)

    def last(floats: Collection[str]) -> Candidate:
        simulation = lane.simulation(floats) if isinstance(lane, KerasLane) else None
        return candidate.finish(shop, recipe, kind, prepared, lane.model(floats), simulation)

    return Opened(lane, finish, last)


def of_lane(shop: Workshop, lane: Lane, budget: Budget | None, finish: Callable[[bytes], Candidate]) -> Candidate:
    """The same for a network that is only a file; `finish` makes a candidate of a model's bytes."""
    study = studied(shop, lane, _required(budget), finish)
    found = study.repaired(_required(budget).max_drop, shop.options.max_minutes)
    return _described(finish(lane.model(found.floats)), lane, study, found)


def lane_of(shop: Workshop, prepared: Prepared, kind: Format) -> Lane:
    """A prepared network, with any of its layers in float."""
    if kind == "tflite":
        return KerasLane(prepared.graph, prepared.ranges)
    from handlens_export.bring.onnx_lane import OnnxLane

    ends = {output: prepared.ranges[name] for output, name in ranges.output_places(prepared.graph).items()}
    return OnnxLane(onnx.to_onnx(graph.build(prepared.graph)), shop.calibration_batch, ends)


def studied(shop: Workshop, lane: Lane, budget: Budget, finish: Callable[[bytes], Candidate]) -> Study:
    """The study of a lane's harm by the metric of its task."""

    def measure(model: bytes) -> Interval:
        return judge("a try", budget.evaluate(finish(model)), budget.reference, budget.max_drop).drop

    return Study(lane, shop.calibration_batch, shop.matching, measure, shop.kept.folder, shop.say)


def _required(budget: Budget | None) -> Budget:
    if budget is None:
        raise OptionError("a mixed recipe is searched by a metric; export it through handlens export or sweep")
    return budget


def _described(made: Candidate, lane: Lane, study: Study, found: Tried) -> Candidate:
    """With a note of what is in float and why, and the ranking as a part of the artifact."""
    whole = study.tried(())
    floats = ", ".join(found.floats) or "none"
    note = f"layers in float: {floats} ({len(found.floats)} of {len(lane.units)})"
    if lane.left:
        note += f"; without an int8 form, and float, too: {', '.join(lane.left)}"
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
