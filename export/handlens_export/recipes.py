"""The compression recipes: a name of a small grammar is all there is to know of one.

    [channelsNN-][prunedNN-][qat-]ARITHMETIC
    tfmot-[prunedNN-][clusteredNN-]int8

The parts are choices, applied in the order of the name:

    channels      NN% of the cost of inference goes with whole channels, which are really removed
    pruned        NN% of the prunable weights (Conv2D and Dense kernels) are set to zero by magnitude
    qat           steps of distillation from the float parent with quantization simulated; before int8, int4,
                  int4in8 and mixed
    arithmetic    float32 · float16 weights · dynamic (int8 weights, activations quantized on the fly) · int8
                  throughout · int16 activations with int8 weights · int4 weights with int8 activations · int4in8, the
                  same weights kept in int8 · mixed (int8 but for the fewest layers in float)

Channels and pruning end with distillation, too. "tfmot-" has tensorflow-model-optimization do it, as a second engine.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from handlens.errors import OptionError

Arithmetic = Literal["float32", "float16", "dynamic", "int8", "int16", "int4", "int4in8", "mixed"]
Format = Literal["tflite", "onnx"]
Engine = Literal["handlens", "tfmot"]

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
        engine: who fine-tunes: handlens, or tensorflow-model-optimization.
        clusters: different weights that each kernel may have, 0 for any; tfmot's alone.
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
    engine: Engine = "handlens"
    clusters: int = 0
    formats: tuple[Format, ...] = FORMATS

    @property
    def remade(self) -> bool:
        """Whether the float weights are others than the run's."""
        return self.channels > 0 or self.sparsity > 0

    @property
    def quantized(self) -> bool:
        """Whether activations are integers of a fixed range, all or most of them."""
        return self.arithmetic in ("int8", "int16", "int4", "int4in8", "mixed")

    @property
    def four_bits(self) -> bool:
        """Whether kernels have fifteen values a channel, however they are stored."""
        return self.arithmetic in ("int4", "int4in8")

    @property
    def weights(self) -> str:
        """The dtype of the stored weights, as the manifest names it."""
        return {"dynamic": "int8", "int16": "int8", "int4in8": "int8"}.get(self.arithmetic, self.arithmetic)

    @property
    def activations(self) -> str:
        """The dtype of the activations, as the manifest names it."""
        return _ACTIVATIONS.get(self.arithmetic, self.arithmetic)


_TFLITE: tuple[Format, ...] = ("tflite",)
_ACTIVATIONS = {"float16": "float32", "dynamic": "float32", "int4": "int8", "int4in8": "int8"}
_ARITHMETICS: dict[str, tuple[Arithmetic, str, tuple[Format, ...]]] = {
    "float32": ("float32", "as trained; what every other recipe is measured against", FORMATS),
    "float16": ("float16", "half-precision weights", _TFLITE),
    "dynamic": ("dynamic", "int8 weights, float activations quantized on the fly", _TFLITE),
    "int8": ("int8", "static int8 from calibration images", FORMATS),
    "int16": ("int16", "int8 weights, int16 activations", _TFLITE),
    "int4": ("int4", "int4 weights (depthwise ones int8), int8 activations", _TFLITE),
    "int4in8": ("int4in8", "the weights of int4 kept in int8: int8's speed, nearly int4's download", _TFLITE),
    "mixed": ("mixed", "int8 but for the fewest layers in float that keep the metric within --max-drop", FORMATS),
}
_THEN = {"float32": "float32", "int8": "static int8", "int4": "int4 weights, int8 activations"}
PRUNE_STEPS, CHANNEL_STEPS = 800, 2000
# Batches of QAT and its peak rate: fifteen levels a weight ask for more than a touch.
_QAT: dict[str, tuple[int, float]] = {
    "int8": (400, 5e-5),
    "int4": (800, 2e-4),
    "int4in8": (800, 2e-4),
    "mixed": (400, 5e-5),
}
_HANDLENS = re.compile(r"(?:channels(\d\d)-)?(?:pruned(\d\d)-)?(qat-)?(\w+)")
_TFMOT = re.compile(r"tfmot-(?:pruned(\d\d)-)?(?:clustered(\d\d)-)?int8")
_SHARES, _CLUSTERS = range(5, 96), range(2, 65)
GRAMMAR = (
    "[channelsNN-][prunedNN-][qat-]ARITHMETIC with NN from 05 to 95, ARITHMETIC one of "
    f"{', '.join(_ARITHMETICS)}, and qat- before {', '.join(_QAT)}; or tfmot-[prunedNN-][clusteredCC-]int8 with CC "
    "from 02 to 64; such as channels25-pruned50-int8"
)


def recipe_named(name: str) -> Recipe | None:
    """The recipe that a name spells, None if it spells none."""
    if match := _TFMOT.fullmatch(name):
        return _tfmot(name, match[1], match[2])
    match = _HANDLENS.fullmatch(name)
    if match is None or match[4] not in _ARITHMETICS or (match[3] and match[4] not in _QAT):
        return None
    if any(part is not None and int(part) not in _SHARES for part in match.groups()[:2]):
        return None
    arithmetic, summary, formats = _ARITHMETICS[match[4]]
    recipe = Recipe(name=name, summary=summary, arithmetic=arithmetic, formats=formats)
    remade = match[1] or match[2]
    ends = [_THEN.get(arithmetic, summary) if remade or match[3] else summary]
    if match[3]:
        steps, rate = _QAT[arithmetic]
        recipe = replace(recipe, qat_steps=steps, qat_rate=rate, formats=_TFLITE)
        ends.insert(0, "fine-tuning with quantization simulated")
    if match[2]:
        recipe = replace(recipe, sparsity=int(match[2]) / 100, prune_steps=PRUNE_STEPS)
        ends.insert(0, f"{int(match[2])}% of the weights zero")
    if match[1]:
        recipe = replace(recipe, channels=int(match[1]) / 100, channel_steps=CHANNEL_STEPS)
        ends.insert(0, f"{int(match[1])}% of the cost removed with whole channels")
    return replace(recipe, summary="; then ".join(ends))


def _tfmot(name: str, pruned: str | None, clustered: str | None) -> Recipe | None:
    """tensorflow-model-optimization always ends with QAT; its PQAT, CQAT and PCQAT keep what came before."""
    if (pruned and int(pruned) not in _SHARES) or (clustered and int(clustered) not in _CLUSTERS):
        return None
    ends = ["QAT and static int8 by tensorflow-model-optimization"]
    if clustered:
        ends.insert(0, f"{int(clustered)} different weights a kernel")
    if pruned:
        ends.insert(0, f"{int(pruned)}% of the weights zero")
    steps, rate = _QAT["int8"]
    return Recipe(
        name=name,
        summary="; then ".join(ends),
        arithmetic="int8",
        sparsity=int(pruned or 0) / 100,
        prune_steps=PRUNE_STEPS if pruned else 0,
        qat_steps=steps,
        qat_rate=rate,
        engine="tfmot",
        clusters=int(clustered or 0),
        formats=_TFLITE,
    )


_NAMES = (
    *_ARITHMETICS,
    "pruned50-int8",
    "qat-int8",
    "pruned50-qat-int8",
    "qat-int4",
    "pruned50-qat-int4",
    "qat-mixed",
    "tfmot-int8",
    "tfmot-pruned50-int8",
    "tfmot-clustered16-int8",
    "tfmot-pruned50-clustered16-int8",
)
# The ones that the documentation lists; the grammar has more.
RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in map(recipe_named, _NAMES) if recipe is not None}


def parse_recipes(text: str) -> tuple[Recipe, ...]:
    """Reads a comma-separated list of recipe names, in order and without repeats.

    Raises:
        OptionError: a name is unknown, or there is none.
    """
    found = {name: recipe_named(name) for name in _split(text)}
    _check(text, "recipe", [name for name, recipe in found.items() if recipe is None], GRAMMAR, found)
    return tuple(recipe for recipe in found.values() if recipe is not None)


def parse_formats(text: str) -> tuple[Format, ...]:
    """Reads a comma-separated list of formats, in order and without repeats.

    Raises:
        OptionError: a format is unknown, or there is none.
    """
    chosen = _split(text)
    _check(text, "format", [name for name in chosen if name not in FORMATS], ", ".join(FORMATS), chosen)
    return tuple(name for name in FORMATS if name in chosen)


def _split(text: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _check(text: str, what: str, unknown: Sequence[str], valid: str, names: Collection[str]) -> None:
    if unknown or not names:
        given = ", ".join(repr(name) for name in unknown) or repr(text)
        raise OptionError(f"unknown {what}: {given}; valid: {valid}, separated by commas")
