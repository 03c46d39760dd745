"""From a trained network to those the recipes ask for: narrowed, pruned, calibrated, fine-tuned. Made once and kept."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from handlens.errors import DataError
from handlens.manifest import Calibration, DataSource
from handlens_data.calibration import CalibrationSet
from handlens_data.calibration.lint import FEW
from handlens_data.calibration.table import RangeTable
from handlens_export import (
    channels,
    compressed,
    fold,
    graph,
    int4,
    matching,
    narrow,
    prune,
    qat,
    ranges,
    rounding,
    store,
)
from handlens_export.distill import Plan
from handlens_export.graph import Graph
from handlens_export.ranges import Ranges
from handlens_export.recipes import Recipe
from handlens_train.exportable import Exportable
from handlens_train.images import scaled

POOL = 4096  # images at most to fine-tune on
HELD_OUT = 256  # images at most, not fine-tuned on, to choose the best moment by
POOL_BYTES = 384 * 2**20  # at most for both; a large input leaves room for fewer images


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user decides beside the recipe.

    Attributes:
        calibration_images: to measure ranges on.
        seed: of the draw of images and of fine-tuning.
        max_minutes: for one fine-tuning.
        steps: instead of the recipe's, where it fine-tunes at all.
        calibration: picked images to measure ranges on, instead of a draw from the training split.
        ranges: measured before, on the same network; nothing is measured then.
    """

    calibration_images: int = 200
    seed: int = 0
    max_minutes: float = 10.0
    steps: int | None = None
    calibration: CalibrationSet | None = None
    ranges: RangeTable | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A network ready for conversion; `ranges` is empty unless it becomes int8, `note` says what was done to it."""

    graph: Graph
    ranges: Ranges
    calibration: Calibration | None
    note: str


class Workshop:
    """Makes networks from one run; what two recipes share is made once."""

    def __init__(self, source: Exportable, kept: store.Store, options: Options, say: Callable[[str], None]) -> None:
        """Takes the run, where to keep finished work, and where to report to.

        Raises:
            DataError: picked images are of another size than the network takes.
        """
        spec, picked = source.input, options.calibration
        if picked is not None and picked.images.shape[1:] != (spec.height, spec.width, spec.channels):
            raise DataError(
                f"the picked images are {picked.images.shape[1:]} each; {source.name} takes "
                f"{(spec.height, spec.width, spec.channels)}. Pick some for it: handlens calib pick FILE"
            )
        self.source, self.kept, self.options, self.say = source, kept, options, say
        self.matching = matching.matches(source.outputs, source.matching)

    @cached_property
    def parent(self) -> Graph:
        """The float network as inference layers, batch normalisation folded."""
        return fold.for_inference(graph.trace(self.source.model, [output.name for output in self.source.outputs]))

    @cached_property
    def calibration(self) -> tuple[np.ndarray, DataSource]:
        """uint8 (N, H, W, C) images from the training split, and their source.

        Raises:
            DataError: there is none.
        """
        picked = self.options.calibration
        if picked is not None:
            images = picked.images
            source = DataSource(
                name=picked.dataset, licence=picked.licence, split=picked.split, sha256=picked.split_sha256
            )
        else:
            images, source = self.source.training_images(self.options.calibration_images, self.options.seed)
        if not len(images):
            raise DataError(f"there is no image of {source.name}/{source.split} to measure ranges on; pick some")
        if len(images) < FEW:
            self.say(f"only {len(images)} images to measure ranges on: below {FEW} a range is luck")
        return images, source

    @cached_property
    def calibration_batch(self) -> np.ndarray:
        """The calibration images as the network takes them, (N, H, W, C) float32."""
        return scaled(self.calibration[0], self.source.input)

    @cached_property
    def tuning(self) -> tuple[np.ndarray, np.ndarray]:
        """uint8 images to fine-tune on, and others held out."""
        spec = self.source.input
        count = min(POOL + HELD_OUT, POOL_BYTES // (spec.height * spec.width * spec.channels))
        images, _ = self.source.training_images(count, self.options.seed + 1)
        held = min(HELD_OUT, len(images) // 4)
        return images[held:], images[:held]

    def prepare(self, recipe: Recipe) -> Prepared:
        """The network of a recipe."""
        if not recipe.remade and not recipe.quantized:
            return Prepared(self.parent, {}, None, "")
        network, notes = self.parent, []
        if recipe.channels:
            network, note = self._narrowed(recipe)
            notes.append(note)
        if recipe.sparsity:
            network, note = self._pruned(recipe, network)
            notes.append(note)
        if not recipe.quantized:
            return Prepared(network, {}, None, "; ".join(notes))
        if recipe.arithmetic == "int16":  # the converter measures ranges itself, and 65536 steps need no fine-tuning
            if self.options.ranges is not None:
                raise DataError("int16 takes no table of ranges: leave --ranges out, or give --calibration")
            return Prepared(network, {}, self.calibration_record({}), "; ".join(notes))
        masks = compressed.masks(network)
        if recipe.four_bits:
            network, note = self._rounded(network)
            notes.append(note)
        found = self._ranges(network, recipe)
        if recipe.qat_steps:
            network, found, note = self._quantization_aware(recipe, network, found, masks)
            notes.append(note)
        notes += self.output_note(network, found)
        record = self.calibration_record(found)
        # The file holds them as scales and the manifest as a hash; this is the table to look at, and to use again.
        name = f"{self.source.name}-{recipe.name}"
        facts = {key: getattr(record, key) for key in ("dataset", "split", "count", "seed", "images_sha256")}
        RangeTable(model=name, ranges=found, **facts).save(self.kept.folder / f"{name}.ranges.json")
        return Prepared(network, found, record, "; ".join(notes))

    def _ranges(self, network: Graph, recipe: Recipe) -> Ranges:
        """The ranges of a network: of the table that was given, or measured on the calibration images.

        Raises:
            DataError: the table is of another network, or holds ranges that cannot be its.
        """
        table, name = self.options.ranges, f"{self.source.name}-{recipe.name}"
        if table is None:
            return ranges.calibrate(network, self.calibration_batch, self.source.input, matching=self.matching)
        if table.model != name or set(table.ranges) != set(ranges.places(network)):
            raise DataError(
                f"the table of ranges is of {table.model}, another network than {name}. "
                "Export that recipe alone with its own table, or calibrate anew without --ranges"
            )
        if wrong := ranges.misfit(network, self.source.input, table.ranges):
            raise DataError(f"the table of ranges of {table.model} is wrong: {wrong}. Calibrate anew without --ranges")
        return dict(table.ranges)

    def _narrowed(self, recipe: Recipe) -> tuple[Graph, str]:
        plan = self.plan(recipe.channel_steps, recipe.channel_rate)
        facts = self.facts(self.parent, plan) | {"channels": recipe.channels, "parts": recipe.channel_rounds}
        path = self.kept.path("channels", facts)

        def make() -> store.Kept:
            self.say(f"removing channels worth {recipe.channels:.0%}, then at most {plan.max_minutes:g} minutes")
            images, spec = self.tuning[0], self.source.input
            share, parts = recipe.channels, recipe.channel_rounds
            found = narrow.narrow(self.parent, images, spec, share, plan, self.matching, parts)
            return store.Kept(store.weights_of(found.graph), {}, found.note)

        kept = self.once(path, "narrower", make)
        return channels.resized(self.parent, kept.weights), kept.note

    def _pruned(self, recipe: Recipe, whole: Graph) -> tuple[Graph, str]:
        plan = self.plan(recipe.prune_steps, recipe.prune_rate)
        facts = self.facts(whole, plan) | {"sparsity": recipe.sparsity, "block": recipe.block}
        path = self.kept.path("pruned", facts)

        def make() -> store.Kept:
            self.say(f"pruning to {recipe.sparsity:.0%} of the weights zero, at most {plan.max_minutes:g} minutes")
            images, spec = self.tuning[0], self.source.input
            found = prune.prune(whole, images, spec, recipe.sparsity, plan, self.matching, recipe.block)
            note = f"in runs of {recipe.block}; depthwise kernels are not pruned"
            return store.Kept(store.weights_of(found), {}, note)

        kept = self.once(path, "pruned", make)
        network = whole.with_weights(kept.weights)
        return network, f"{compressed.zero_fraction(network):.4f} of the prunable weights are zero; {kept.note}"

    def _rounded(self, network: Graph) -> tuple[Graph, str]:
        seed = self.options.seed
        images, _ = self.source.training_images(rounding.enough(network), seed + 1)
        seen = ranges.images_sha256(images)
        path = self.kept.path("int4", {"network": store.graph_sha256(network), "images": seen, "seed": seed})

        def make() -> store.Kept:
            self.say(f"rounding kernels to int4, layer by layer, on {len(images)} training images")
            batch = scaled(images, self.source.input)
            found = rounding.rounded(network, int4.levels(network), batch, seed)
            note = f"int4 kernels rounded in turn on {len(images)} training images"
            return store.Kept(store.weights_of(found), {}, note)

        kept = self.once(path, "rounded", make)
        return network.with_weights(kept.weights), kept.note

    def _quantization_aware(
        self, recipe: Recipe, network: Graph, found: Ranges, masks: Mapping[str, np.ndarray]
    ) -> tuple[Graph, Ranges, str]:
        plan = self.plan(recipe.qat_steps, recipe.qat_rate)
        facts = self.facts(network, plan) | {"ranges": ranges.ranges_sha256(found)}
        if recipe.four_bits:
            facts["weights"] = "int4"
        path = self.kept.path("qat", facts)

        def make() -> store.Kept:
            self.say(f"quantization-aware training, at most {plan.max_minutes:g} minutes")
            images, held_out = self.tuning
            trained, trained_ranges, note = qat.quantization_aware(
                network,
                self.parent,
                found,
                images,
                held_out,
                self.source.input,
                plan,
                self.matching,
                compressed.kernel_levels(network, recipe.arithmetic),
                masks,
            )
            return store.Kept(store.weights_of(trained), trained_ranges, f"QAT: {note}")

        kept = self.once(path, "quantization-aware", make)
        return network.with_weights(kept.weights), kept.ranges, kept.note

    def once(self, path: Path, what: str, make: Callable[[], store.Kept]) -> store.Kept:
        """What is kept at a path, or is made now; a second process that wants the same waits for the first."""
        with self.kept.alone(path):
            kept = self.kept.load(path)
            if kept is not None:
                self.say(f"{what} network taken from {path.parent.name}/{path.name}")
                return kept
            kept = make()
            self.kept.save(path, kept)
            return kept

    def output_note(self, network: Graph, found: Ranges) -> list[str]:
        """What int8 spends the steps of the outputs on, where that is less than what calibration saw."""
        places = ranges.output_places(network)
        ends = []
        for name in matching.bounded(self.matching):
            if name in places:
                low, high = found[places[name]]
                limit = f" (logit, +-{matching.LOGIT_LIMIT:g} at most)" if self.matching[name].kind == "logit" else ""
                ends.append(f"{name} {low:.2f} to {high:.2f}{limit}")
        return [f"int8 range of outputs: {', '.join(ends)}"] if ends else []

    def plan(self, steps: int, rate: float) -> Plan:
        """A fine-tuning of so many batches, or of as many as the options allow."""
        given = self.options.steps
        return Plan(
            steps=steps if given is None else min(steps, given),
            rate=rate,
            max_minutes=self.options.max_minutes,
            seed=self.options.seed,
        )

    def facts(self, network: Graph, plan: Plan) -> dict[str, object]:
        """What decides the outcome of a fine-tuning, for the store's key."""
        images = ranges.images_sha256(self.tuning[0])
        matched = {name: asdict(match) for name, match in self.matching.items()}
        return {"network": store.graph_sha256(network), "images": images, "matching": matched, **asdict(plan)}

    def calibration_record(self, found: Ranges) -> Calibration:
        """Where ranges come from, as the manifest has it."""
        table = self.options.ranges
        if table is not None:
            facts = {key: getattr(table, key) for key in ("dataset", "split", "count", "seed", "images_sha256")}
            return Calibration(ranges_sha256=ranges.ranges_sha256(found), **facts)
        (images, source), picked = self.calibration, self.options.calibration
        return Calibration(
            dataset=source.name,
            split=source.split,
            count=len(images),
            seed=self.options.seed if picked is None else picked.seed,
            images_sha256=ranges.images_sha256(images),
            ranges_sha256=ranges.ranges_sha256(found),
        )
