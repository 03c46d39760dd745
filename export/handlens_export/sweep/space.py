"""What a sweep looks through: which trials there are, and in which order a search asks for them.

A search is a generator: it yields a trial and is sent its outcome. Asked again with the same outcomes, it asks for the
same trials, so a sweep that was cut off goes on by being asked again, with what the database knows.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Literal

from handlens.errors import OptionError
from handlens_export.recipes import Format, Recipe, recipe_named
from handlens_export.sweep.trial import Outcome, Trial

Search = Generator[Trial, Outcome, None]
Objective = Literal["bytes", "latency"]
STEP = 5  # percent between two rungs of a ladder


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What all trials of a sweep share.

    Attributes:
        contents: hash of what a trial reads, by source.
        seed: of calibration draws and fine-tuning.
        max_minutes: for one fine-tuning.
        steps: of fine-tuning instead of the recipe's.
        calibration: path of picked images, instead of a draw.
        allowed: points that the budget allows.
        options: what else opens a source, (name, value) sorted by name.
    """

    contents: Mapping[str, str]
    seed: int = 0
    max_minutes: float = 10.0
    steps: int | None = None
    calibration: str | None = None
    allowed: float = 1.0
    options: tuple[tuple[str, str], ...] = ()

    def trial(self, source: str, recipe: Recipe, kind: Format, images: int) -> Trial:
        """The trial of a recipe; what does not matter for it is left out."""
        tuned = bool(recipe.channel_steps or recipe.prune_steps or recipe.qat_steps)
        drawn = recipe.quantized and self.calibration is None
        return Trial(
            source=source,
            contents=self.contents[source],
            recipe=recipe.name,
            format=kind,
            seed=self.seed if tuned or drawn else None,
            calibration_images=images if drawn else None,
            calibration=self.calibration if recipe.quantized else None,
            max_minutes=self.max_minutes if tuned else None,
            steps=self.steps if tuned else None,
            max_drop=self.allowed if recipe.arithmetic == "mixed" else None,
            options=self.options,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """All that may be tried.

    Attributes:
        sources: run folders; several are a ladder of widths.
        formats: of the artifacts.
        recipes: names that are tried as they are.
        arithmetic: ends of names, such as int8 or qat-int4, that get channels and sparsity in front.
        channels: percent of the cost to remove, rising.
        sparsity: percent of the weights to set to zero, rising.
        images: counts of calibration images.
    """

    sources: tuple[str, ...]
    formats: tuple[Format, ...]
    recipes: tuple[str, ...] = ()
    arithmetic: tuple[str, ...] = ()
    channels: tuple[int, ...] = (0,)
    sparsity: tuple[int, ...] = (0,)
    images: tuple[int, ...] = (200,)

    def grid(self, settings: Settings) -> Iterator[Search]:
        """Every combination, each a search of one trial."""
        ladders = product(self.arithmetic, self.channels, self.sparsity)
        names = [*self.recipes, *(name for each in ladders if (name := named(*each)))]
        for trial in _trials(settings, self, names):
            yield _alone(trial)

    def ladders(self, settings: Settings, objective: Objective) -> Iterator[Search]:
        """For each combination of the rest, the most channels or zeros within the budget.

        Bytes: at each share of channels, as long as it holds the budget, the largest sparsity that does. Latency: the
        largest share of channels that does; zeros speed nothing up.
        """
        for trial in _trials(settings, self, self.recipes):
            yield _alone(trial)
        for source, kind, end, images in product(self.sources, self.formats, self.arithmetic, self.images):
            if kind not in _recipe(end).formats:
                continue

            make = _Maker(settings, source, kind, end, images)
            if objective == "bytes":
                yield _for_bytes(self.channels, self.sparsity, make, settings.allowed)
            else:
                yield _for_latency(self.channels, self.sparsity[0], make, settings.allowed)


def holds(outcome: Outcome, allowed: float) -> bool:
    """Whether a trial is done and within the budget."""
    return outcome.figures is not None and outcome.figures.loss <= allowed


def named(end: str, channels: int, sparsity: int) -> str | None:
    """The recipe of an end with channels and pruning in front; None where tfmot cannot do it."""
    pruned = f"pruned{sparsity:02d}-" if sparsity else ""
    if end.startswith("tfmot-"):
        return None if channels else f"tfmot-{pruned}{end.removeprefix('tfmot-')}"
    return (f"channels{channels:02d}-" if channels else "") + pruned + end


def _recipe(name: str) -> Recipe:
    recipe = recipe_named(name)
    if recipe is None:
        raise OptionError(f"there is no recipe {name!r}; valid: what docs/recipes.md lists")
    return recipe


def _trials(settings: Settings, space: Space, names: Sequence[str]) -> Iterator[Trial]:
    """Those that exist in a format, each once, the cheap ones (nothing fine-tuned) first."""
    wanted = {
        trial.key: trial
        for source, name, kind, images in product(space.sources, names, space.formats, space.images)
        if kind in (recipe := _recipe(name)).formats
        for trial in (settings.trial(source, recipe, kind, images),)
    }
    yield from sorted(wanted.values(), key=lambda trial: trial.max_minutes is not None)


def _alone(trial: Trial) -> Search:
    yield trial


@dataclass(frozen=True, slots=True)
class _Maker:
    """Trials of one combination, by channels and sparsity."""

    settings: Settings
    source: str
    kind: Format
    end: str
    images: int

    def __call__(self, channels: int, sparsity: int) -> Trial | None:
        """None where there is no such recipe in the format."""
        name = named(self.end, channels, sparsity)
        recipe = None if name is None else _recipe(name)
        if recipe is None or self.kind not in recipe.formats:
            return None
        return self.settings.trial(self.source, recipe, self.kind, self.images)


def _for_bytes(channels: tuple[int, ...], sparsity: tuple[int, ...], make: _Maker, allowed: float) -> Search:
    steps = rungs(sparsity)
    for share in channels:
        held = yield from _climb(steps, partial(make, share), allowed)
        if not held:
            return
        steps = steps[:held]  # a narrower network does not bear more zeros


def _for_latency(channels: tuple[int, ...], zeros: int, make: _Maker, allowed: float) -> Search:
    yield from _climb(rungs(channels), lambda share: make(share, zeros), allowed)


def _climb(
    steps: tuple[int, ...], make: Callable[[int], Trial | None], allowed: float
) -> Generator[Trial, Outcome, int]:
    """Bisects for the highest rung that holds, which the harm's growth makes right; how many do, 0 if none does."""
    low, high = -1, len(steps)
    while high - low > 1:
        middle = 0 if low < 0 else (low + high) // 2
        trial = make(steps[middle])
        held = False if trial is None else holds((yield trial), allowed)
        low, high = (middle, high) if held else (low, middle)
    return low + 1


def rungs(ends: tuple[int, ...]) -> tuple[int, ...]:
    """From the lowest to the highest in steps of 5; 0 and 5 to 95 are what recipes have."""
    return tuple(sorted({ends[0], *range(ends[0], ends[-1] + 1, STEP), ends[-1]}))
