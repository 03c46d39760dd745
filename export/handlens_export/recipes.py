"""The compression recipes. They are data: a new recipe is one entry in `RECIPES`.

A recipe is four choices, applied in this order:

    channels      0, or the fraction of the cost of inference that goes with whole channels, which are really removed
    sparsity      0, or the fraction of prunable weights (Conv2D and Dense kernels) that magnitude pruning sets to zero
    fine-tuning   steps of distillation from the float parent: after pruning, and with quantization simulated (QAT)
    arithmetic    float32 · float16 weights · dynamic (int8 weights, activations quantized on the fly) · int8 throughout

"pruned50-int8" is sparsity 0.5, then static int8; "qat-int8" is int8 after quantization-aware fine-tuning. Any of them
may begin with "channelsNN-": "channels40-int8" is without 40% of the cost, then static int8.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from handlens.errors import OptionError

Arithmetic = Literal["float32", "float16", "dynamic", "int8"]
Format = Literal["tflite", "onnx"]

FORMATS: tuple[Format, ...] = ("tflite", "onnx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to compress a network.

    Attributes:
        name: as the user gives it, and as the artifact's file name ends.
        summary: one line for people.
        arithmetic: of the exported model.
        sparsity: fraction of prunable weights to zero, 0..1.
        channels: fraction of the cost of inference to remove with whole channels, 0..1.
        channel_steps: batches of distillation after removing them.
        channel_rate: peak learning rate (Adam) of it.
        channel_rounds: the channels go in so many equal parts, each followed by its part of the distillation.
        block: weights go to zero in runs of so many neighbours of the file; a run is what gzip makes short, its least
            match is 3. Single weights (1) lose less accuracy, and save a third less.
        prune_steps: batches of distillation while and after pruning.
        qat_steps: batches of distillation with quantization simulated; 0 is post-training quantization.
        prune_rate: peak learning rate (Adam) of pruning.
        qat_rate: peak learning rate (Adam) of QAT.
        formats: the formats it can be written in.
    """

    name: str
    summary: str
    arithmetic: Arithmetic
    sparsity: float = 0.0
    block: int = 4
    prune_steps: int = 0
    qat_steps: int = 0
    prune_rate: float = 5e-4
    qat_rate: float = 5e-5
    channels: float = 0.0
    channel_steps: int = 0
    channel_rate: float = 5e-4
    channel_rounds: int = 1
    formats: tuple[Format, ...] = FORMATS

    @property
    def remade(self) -> bool:
        """Whether the float weights are others than the run's."""
        return self.channels > 0 or self.sparsity > 0

    @property
    def weights(self) -> str:
        """The dtype of the stored weights, as the manifest names it."""
        return "int8" if self.arithmetic == "dynamic" else self.arithmetic

    @property
    def activations(self) -> str:
        """The dtype of the activations, as the manifest names it."""
        return "int8" if self.arithmetic == "int8" else "float32"


_ALL = (
    Recipe(name="float32", summary="as trained; what every other recipe is measured against", arithmetic="float32"),
    Recipe(name="float16", summary="half-precision weights", arithmetic="float16", formats=("tflite",)),
    Recipe(
        name="dynamic",
        summary="int8 weights, float activations quantized on the fly",
        arithmetic="dynamic",
        formats=("tflite",),
    ),
    Recipe(name="int8", summary="static int8 from calibration images", arithmetic="int8"),
    Recipe(
        name="pruned50-int8",
        summary="half of the weights zero, then static int8: same speed, smaller once gzipped",
        arithmetic="int8",
        sparsity=0.5,
        prune_steps=800,
    ),
    Recipe(
        name="qat-int8",
        summary="static int8 after fine-tuning with quantization simulated",
        arithmetic="int8",
        qat_steps=400,
        formats=("tflite",),
    ),
    Recipe(
        name="pruned50-qat-int8",
        summary="half of the weights zero, kept so through quantization-aware fine-tuning",
        arithmetic="int8",
        sparsity=0.5,
        prune_steps=800,
        qat_steps=400,
        formats=("tflite",),
    ),
)
RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}
CHANNEL_STEPS = 2000
_VALID = (*RECIPES, "channelsNN- (NN from 05 to 95) before any of them")
_CHANNELS = re.compile(r"channels(\d\d)-(.+)")


def recipe_named(name: str) -> Recipe | None:
    """The recipe of a name: one of `RECIPES`, or one of them behind "channelsNN-", NN from 05 to 95; else None."""
    match = _CHANNELS.fullmatch(name)
    if match is None or match[2] not in RECIPES or not 5 <= int(match[1]) <= 95:
        return RECIPES.get(name)
    base = RECIPES[match[2]]
    summary = f"{int(match[1])}% of the cost removed with whole channels; then {base.summary}"
    if base.name == "float32":
        summary = f"{int(match[1])}% of the cost removed with whole channels, float32"
    return replace(base, name=name, summary=summary, channels=int(match[1]) / 100, channel_steps=CHANNEL_STEPS)


def parse_recipes(text: str) -> tuple[Recipe, ...]:
    """Reads a comma-separated list of recipe names, in order and without repeats.

    Raises:
        OptionError: a name is unknown, or there is none.
    """
    found = {name: recipe_named(name) for name in _split(text)}
    _check(text, "recipe", [name for name, recipe in found.items() if recipe is None], _VALID, found)
    return tuple(recipe for recipe in found.values() if recipe is not None)


def parse_formats(text: str) -> tuple[Format, ...]:
    """Reads a comma-separated list of formats, in order and without repeats.

    Raises:
        OptionError: a format is unknown, or there is none.
    """
    chosen = _split(text)
    _check(text, "format", [name for name in chosen if name not in FORMATS], FORMATS, chosen)
    return tuple(name for name in FORMATS if name in chosen)


def _split(text: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _check(text: str, what: str, unknown: Sequence[str], valid: Sequence[str], names: Collection[str]) -> None:
    if unknown or not names:
        given = ", ".join(repr(name) for name in unknown) or repr(text)
        raise OptionError(f"unknown {what}: {given}; valid: {', '.join(valid)}, separated by commas")
