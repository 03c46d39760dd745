"""From a run to its sensitivity: every layer ranked, the worst measured, and int8 repaired where it loses too much."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from handlens.artifact import Artifact
from handlens.errors import OptionError
from handlens_export import door, mixed
from handlens_export.candidate import Budget
from handlens_export.harm.evidence import Layer, Sensitivity
from handlens_export.harm.study import IMAGES
from handlens_export.prepare import Options, Workshop
from handlens_export.recipes import RECIPES, Format, Recipe, recipe_named
from handlens_export.store import Store
from handlens_train.exportable import Exportable

TOP = 8  # layers measured by the metric: each is an evaluation


def sensitivity(
    source: Exportable,
    recipe: Recipe,
    kind: Format,
    *,
    keep: Path,
    max_drop: float = 1.0,
    top: int = TOP,
    options: Options | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Sensitivity:
    """Studies what int8 does to each layer of a network.

    Args:
        source: the run.
        recipe: that ends in int8.
        kind: the format.
        keep: folder for what was measured, so that a killed study goes on where it was.
        max_drop: points of the primary metric that may be lost; where int8 loses more, layers are given back.
        top: so many of the layers with the largest output error are measured by the metric.
        options: of calibration and fine-tuning.
        say: takes one line of progress at a time.

    Raises:
        OptionError: the recipe has no int8 in it, or is not written in the format.
        EngineWrong: a conversion went wrong.
    """
    if source.formats and kind not in source.formats:
        raise OptionError(f"{source.name} is not written as {kind}; valid: {', '.join(source.formats)}")
    recipe = _mixed(recipe, kind)
    door.taken(source, [recipe], say)
    shop = Workshop(source, Store(keep), options or Options(), say)
    keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".harm-", dir=keep) as scratch:
        folder = Path(scratch)
        path, reference = door.measured(shop, RECIPES["float32"], kind, folder)
        budget = Budget(max_drop, reference, lambda tried: door.evaluated(source, tried, folder / f"tried.{kind}"))
        opened = mixed.opened(shop, recipe, kind)
        study = mixed.studied(shop, opened, budget)
        say(f"ranking {len(opened.lane.units)} layers")
        whole = study.tried(())
        worst = study.ranking[:top]
        alone = {}
        for index, name in enumerate(worst, 1):
            say(f"measuring layer {index} of {len(worst)}: {name} alone in int8")
            alone[name] = study.alone(name)
        repaired = None if whole.holds(max_drop) else study.repaired(max_drop, shop.options.max_minutes)
        float_bytes = len(Artifact.open(path).model)
    seen = opened.lane.histograms(study.images)
    back = () if repaired is None else repaired.floats
    return Sensitivity(
        name=source.name,
        task=source.task,
        kind=kind,
        recipe=recipe.name.replace("mixed", "int8"),
        dataset=reference.dataset,
        split=reference.split,
        protocol=reference.protocol,
        n=reference.n,
        primary=reference.primary,
        unit=reference.units.get(reference.primary, "fraction"),
        reference=reference.metrics[reference.primary],
        float_bytes=float_bytes,
        images=min(IMAGES, len(study.images)),
        max_drop=max_drop,
        whole=whole,
        repaired=repaired,
        layers=tuple(
            Layer(
                unit,
                study.errors[unit.name],
                alone.get(unit.name),
                opened.lane.ranges.get(unit.name),
                seen.get(unit.name),
                unit.name in back and unit.name not in {*opened.lane.left, *opened.lane.ends},
                unit.name in {*opened.lane.left, *opened.lane.ends},
            )
            for unit in opened.lane.units
        ),
    )


def _mixed(recipe: Recipe, kind: Format) -> Recipe:
    """The mixed recipe of one that ends in int8: the same network."""
    found = recipe_named(recipe.name.removesuffix("int8") + "mixed") if recipe.arithmetic == "int8" else recipe
    if found is None or found.arithmetic != "mixed" or found.engine != "handlens":
        raise OptionError(
            f"--recipe {recipe.name} has no layers in int8; valid: int8, pruned50-int8, qat-int8 and such"
        )
    if kind not in found.formats:
        raise OptionError(f"{recipe.name} is not written as {kind}; valid: {', '.join(found.formats)}")
    return found
