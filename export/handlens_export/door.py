"""The export door: every recipe and format of a run, each measured against float32 before it is let out.

A candidate is written to a temporary folder, recorded with goldens, evaluated through the runtime on the engine it is
meant for, paired with the float32 artifact of its format, gated, and only then renamed into place.
"""

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from handlens.artifact import Artifact, update_manifest, write_artifact
from handlens.errors import EngineWrong, GateFailed, GoldenInvalid, OptionError
from handlens_export import candidate
from handlens_export.candidate import Budget
from handlens_export.gate import Verdict, judge
from handlens_export.prepare import Options, Workshop
from handlens_export.recipes import RECIPES, Format, Recipe
from handlens_export.record import record
from handlens_export.store import Store
from handlens_train.evaluation import Evaluation
from handlens_train.exportable import Exportable

SPLIT = "val"


@dataclass(frozen=True, slots=True)
class Written:
    """An artifact that came through the door, its figures, and its verdict (None for float32 itself)."""

    artifact: Artifact
    evaluation: Evaluation
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an export did: artifacts written, verdicts of those held back, and why others could not be made."""

    written: tuple[Written, ...]
    refused: tuple[Verdict, ...]
    failed: tuple[str, ...] = ()

    def require(self) -> None:
        """Raises GateFailed, naming every artifact that was not written and why, if there is one."""
        lines = [verdict.sentence() for verdict in self.refused] + list(self.failed)
        if lines:
            advice = "Raise --max-drop, or choose a gentler recipe" if self.refused else "Choose another recipe"
            raise GateFailed(f"not written: {'; '.join(lines)}. {advice}")


def export(
    source: Exportable,
    recipes: Sequence[Recipe],
    formats: Sequence[Format],
    out: Path,
    *,
    keep: Path,
    max_drop: float = 1.0,
    options: Options | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Exports a run.

    Args:
        source: the run.
        recipes: to apply; see `handlens_export.recipes`. Those that the run is not written in are left out.
        formats: to write; a recipe that has no such format is left out.
        out: folder for the artifacts, NAME-RECIPE.FORMAT.
        keep: folder for prepared networks, so that a killed export goes on where it was.
        max_drop: points (hundredths) of the primary metric that an artifact may lose against float32.
        options: of calibration and fine-tuning.
        say: takes one line of progress at a time.

    Returns:
        What was written and what was held back; `Outcome.require` turns the latter into an error.

    Raises:
        OptionError: no recipe can be written in any of the formats, or the run in none of the recipes.
        EngineWrong: a conversion went wrong, of float32 or of the only recipe.
        GoldenInvalid: likewise, no drawn pattern tells a right engine from a wrong one.
    """
    recipes = taken(source, recipes, say)
    formats = kinds(source, formats)
    pairs = [(recipe, kind) for kind in formats for recipe in _float_first(recipes) if kind in recipe.formats]
    if not pairs:
        names = ", ".join(recipe.name for recipe in recipes)
        raise OptionError(f"{names} cannot be written as {', '.join(formats)}; valid: a format that the recipe has")
    for recipe in recipes:
        for kind in formats:
            if kind not in recipe.formats:
                say(f"{recipe.name} is not written as .{kind}: it has only {', '.join(recipe.formats)}")
    shop = Workshop(source, Store(keep), options or Options(), say)
    written: list[Written] = []
    refused: list[Verdict] = []
    failed: list[str] = []
    references: dict[Format, Evaluation] = {}
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out) as folder:
        for recipe, kind in pairs:
            if kind not in references and recipe.name != "float32":
                _, references[kind] = measured(shop, RECIPES["float32"], kind, Path(folder))
            try:
                path, evaluation = measured(shop, recipe, kind, Path(folder), references.get(kind), max_drop)
            except (EngineWrong, GoldenInvalid) as error:
                if recipe.name == "float32" or len(pairs) == 1:
                    raise
                failed.append(f"{source.name}-{recipe.name}.{kind}: {error}")  # the others may do
                say(failed[-1])
                continue
            if recipe.name == "float32":
                references[kind] = evaluation
            verdict = None
            if recipe.name != "float32":
                verdict = judge(path.name, evaluation, references[kind], max_drop)
                say(verdict.sentence())
                if not verdict.passed:
                    refused.append(verdict)
                    path.unlink()
                    if (out / path.name).exists():
                        say(f"{out / path.name} is from an earlier export and was left as it is")
                    continue
            artifact = place(path, out / path.name, evaluation, verdict)
            say(f"wrote {artifact.path} ({artifact.size:,} bytes)")
            written.append(Written(artifact, evaluation, verdict))
    return Outcome(tuple(written), tuple(refused), tuple(failed))


def taken(source: Exportable, recipes: Sequence[Recipe], say: Callable[[str], None]) -> Sequence[Recipe]:
    """Those of the recipes that the run is written in.

    Raises:
        OptionError: none is.
    """
    if not source.recipes:
        return recipes
    left_out = [recipe.name for recipe in recipes if recipe.name not in source.recipes]
    if len(left_out) == len(recipes):
        raise OptionError(
            f"{source.name} is not written as {', '.join(left_out)}; valid: {', '.join(source.recipes)}, because "
            + ("a file cannot be trained, its .keras could" if source.formats else "its task needs the precision")
        )
    for name in left_out:
        say(f"{source.name} is not written as {name}: it has only {', '.join(source.recipes)}")
    return [recipe for recipe in recipes if recipe.name in source.recipes]


def kinds(source: Exportable, formats: Sequence[Format]) -> Sequence[Format]:
    """Those of the formats that the run is written in.

    Raises:
        OptionError: none is.
    """
    left_out = [kind for kind in formats if source.formats and kind not in source.formats]
    if left_out and len(left_out) == len(formats):
        raise OptionError(f"{source.name} is a .{source.formats[0]} model; valid --format: {', '.join(source.formats)}")
    return [kind for kind in formats if kind not in left_out]


def _float_first(recipes: Sequence[Recipe]) -> list[Recipe]:
    return sorted(recipes, key=lambda recipe: recipe.name != "float32")


def measured(
    shop: Workshop,
    recipe: Recipe,
    kind: Format,
    folder: Path,
    reference: Evaluation | None = None,
    max_drop: float = 1.0,
) -> tuple[Path, Evaluation]:
    """Makes the artifact of a recipe in `folder`, and evaluates it through the runtime on the validation split.

    Args:
        shop: of the run.
        recipe: to apply.
        kind: the format.
        folder: for NAME-RECIPE.KIND.
        reference: the evaluation of float32, which a recipe that searches compares with.
        max_drop: points that such a recipe may lose.

    Raises:
        EngineWrong: a conversion went wrong.
    """
    path = folder / f"{shop.source.name}-{recipe.name}.{kind}"
    shop.say(f"{path.name}: {recipe.summary}")
    budget = None
    if reference is not None:
        budget = Budget(max_drop, reference, lambda tried: evaluated(shop.source, tried, folder / f"tried-{path.name}"))
    return path, evaluated(shop.source, candidate.make(shop, recipe, kind, budget), path)


def evaluated(source: Exportable, made: candidate.Candidate, path: Path) -> Evaluation:
    """Writes a candidate to a path, measures its thresholds where its task has some, and evaluates it there."""
    candidate.write(made, str(path))
    if source.thresholds is not None:  # before it is evaluated, which may want to read them
        found = source.thresholds(path, None)
        update_manifest(path, replace(Artifact.open(path).manifest, thresholds=found))
    return source.evaluate(path, SPLIT, None)


def place(path: Path, target: Path, evaluation: Evaluation, verdict: Verdict | None) -> Artifact:
    """Records the figures in the artifact and moves it into place."""
    if verdict is not None:
        old = Artifact.open(path)
        gate = json.dumps(verdict.to_dict(evaluation.dataset)).encode()
        write_artifact(path, old.model, old.kind, old.manifest, old.goldens, old.extras | {"gate.json": gate})
    record(path, evaluation)
    os.replace(path, target)
    return Artifact.open(target)
