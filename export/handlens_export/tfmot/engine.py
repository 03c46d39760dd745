"""From a run to an artifact made by tensorflow-model-optimization: the order, the worker, and the checks of its file.

What goes in is what handlens's own recipes have: the float network with batch normalisation folded, the same images,
batches and number of steps, the same distillation, and calibrated ranges to start from. What comes out passes the same
door: goldens, tolerances, gate.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handlens.errors import DataError, EngineWrong
from handlens_data.calibration.table import RangeTable
from handlens_export import graph, matching, ranges, store, tflite_file
from handlens_export.distill import Plan
from handlens_export.prepare import Prepared, Workshop
from handlens_export.qat import ROUNDS
from handlens_export.recipes import Format, Recipe
from handlens_export.tfmot import order as orders
from handlens_export.tfmot import process
from handlens_export.tfmot.order import Order, Stage

if TYPE_CHECKING:
    from handlens_export.candidate import Budget, Candidate

SCHEMA = 1  # of what is kept; raise it when the same order would lead to another file
CHECKED = 16  # images that the file is compared with its simulation on
_SPEC = ("name", "height", "width", "channels", "scale", "offset")


def make(shop: Workshop, recipe: Recipe, kind: Format, budget: "Budget | None" = None) -> "Candidate":
    """Has tfmot make a recipe's network, and checks the file.

    Args:
        shop: of the run.
        recipe: of the engine tfmot.
        kind: the format, "tflite".
        budget: not needed; here because every maker takes one.

    Raises:
        MissingExtra: tfmot is not installed.
        OptionError: tfmot refuses a layer.
        DataError: a table of ranges was given.
        EngineError: tfmot or the converter failed.
        EngineWrong: the file is not what the recipe says.
    """
    from handlens_export import candidate

    process.require()
    if shop.options.ranges is not None:
        raise DataError(f"{recipe.name} takes no table of ranges: leave --ranges out, or give --calibration")
    kept = _kept(shop, recipe)
    model = kept.weights["model"][0].tobytes()
    _check(recipe, model)
    simulation = _Simulation({name: arrays[0] for name, arrays in kept.weights.items() if name != "model"})
    record = shop.calibration_record(kept.ranges)
    name = f"{shop.source.name}-{recipe.name}"
    facts = {key: getattr(record, key) for key in ("dataset", "split", "count", "seed", "images_sha256")}
    RangeTable(model=name, ranges=kept.ranges, **facts).save(shop.kept.folder / f"{name}.ranges.json")
    prepared = Prepared(shop.parent, kept.ranges, record, kept.note)
    return candidate.finish(shop, recipe, kind, prepared, model, simulation)


class _Simulation:
    """The outputs that tfmot's own network gave for the calibration images; `candidate` asks it as a Keras model."""

    def __init__(self, outputs: dict[str, np.ndarray]) -> None:
        """Takes the outputs by name."""
        self.outputs = outputs

    def predict(self, images: np.ndarray, **options: Any) -> dict[str, np.ndarray]:
        """The outputs for the first calibration images, which `images` must be."""
        return {name: values[: len(images)] for name, values in self.outputs.items()}


def _saturated(operator: tflite_file.Operator) -> int:
    """How many biases of a convolution are at the ends of int32."""
    if "CONV" not in operator.kind or len(operator.inputs) < 3 or operator.inputs[2].data is None:
        return 0
    ends = np.iinfo(np.int32)
    return int(np.isin(operator.inputs[2].data, (ends.min, ends.max)).sum())


def _kept(shop: Workshop, recipe: Recipe) -> store.Kept:
    """The finished model, its simulation and ranges: kept from before, or made now."""
    source = shop.source
    found = ranges.calibrate(shop.parent, shop.calibration_batch, source.input, matching=shop.matching)
    plans = {
        "pruning": shop.plan(recipe.prune_steps, recipe.prune_rate),
        # As long and as gently as QAT: a centroid moves hundreds of weights at once.
        "clustering": shop.plan(recipe.qat_steps if recipe.clusters else 0, recipe.qat_rate),
        "quantizing": shop.plan(recipe.qat_steps, recipe.qat_rate),
    }
    facts = shop.facts(shop.parent, plans["quantizing"]) | {
        "schema": SCHEMA,
        "ranges": ranges.ranges_sha256(found),
        "sparsity": recipe.sparsity,
        "clusters": recipe.clusters,
        "stages": {name: (plan.steps, plan.rate) for name, plan in plans.items()},
    }

    def ordered() -> store.Kept:
        minutes = plans["quantizing"].max_minutes
        shop.say(f"tensorflow-model-optimization, at most {minutes:g} minutes a stage")
        written, weights = orders.written(shop.parent)
        bounded = matching.bounded(shop.matching)
        output_places = ranges.output_places(shop.parent)
        order = Order(
            name=recipe.name,
            spec={key: getattr(source.input, key) for key in _SPEC},
            matching={name: asdict(match) for name, match in shop.matching.items()},
            ranges=found,
            pinned=[
                *ranges.fixed_ranges(shop.parent, source.input),
                *(output_places[name] for name in bounded if name in output_places),
            ],
            sparsity=recipe.sparsity,
            clusters=recipe.clusters,
            pruning=_stage(plans["pruning"]),
            clustering=_stage(plans["clustering"]),
            quantizing=_stage(plans["quantizing"], ROUNDS),
            batch=plans["quantizing"].batch,
            seed=shop.options.seed,
            max_minutes=minutes,
            **written,
        )
        with tempfile.TemporaryDirectory(prefix="handlens-tfmot-") as name:
            folder = Path(name)
            training, held_out = shop.tuning
            images = {"calibration": shop.calibration[0], "training": training, "held_out": held_out}
            order.save(folder, weights, images)
            parent = graph.build(shop.parent, name="parent").predict(shop.calibration_batch[:CHECKED], verbose=0)
            np.savez(folder / orders.PARENT, **parent)
            process.run(folder, recipe.name)
            return _made(folder)

    return shop.once(shop.kept.path("tfmot", facts), "tfmot", ordered)


def _stage(plan: Plan, rounds: int = 1) -> Stage:
    return Stage(steps=plan.steps, rate=plan.rate, rounds=rounds)


def _made(folder: Path) -> store.Kept:
    result = json.loads((folder / orders.RESULT).read_text(encoding="utf-8"))
    model = np.frombuffer((folder / orders.MODEL).read_bytes(), np.uint8)
    with np.load(folder / orders.SIMULATED) as simulated:
        outputs = {name: (simulated[name],) for name in simulated}
    seconds = ", ".join(f"{name} {value:.0f} s" for name, value in result["seconds"].items())
    found = {name: (low, high) for name, (low, high) in result["ranges"].items()}
    return store.Kept({"model": (model,), **outputs}, found, f"tfmot: {result['note']} ({seconds})")


def _check(recipe: Recipe, model: bytes) -> None:
    """Whether the file is int8 throughout, has its biases, and no more values a kernel than asked for."""
    floats = tflite_file.float_operators(model)
    if floats:
        raise EngineWrong(
            f"recipe {recipe.name}: tfmot's network left float operators in the file: {', '.join(floats[:5])}; "
            "use handlens's own qat-int8 or int8 for this network"
        )
    lost = sum(_saturated(operator) for operator in tflite_file.operators(model))
    if lost:
        raise EngineWrong(
            f"recipe {recipe.name}: {lost} channels have no weights left, so their int8 scales are next to nothing and "
            "their biases do not fit; prune less, or use handlens's own pruning, which weighs all layers together"
        )
    if recipe.clusters:
        # A scale of its own for every output channel: what is one value in all channels is one integer in each.
        most = max((len(np.unique(row)) for kernel in tflite_file.prunable_weights(model) for row in kernel), default=0)
        if most > recipe.clusters:
            raise EngineWrong(
                f"recipe {recipe.name}: a channel in the file takes {most} values; asked for {recipe.clusters}"
            )
