"""The compression recipes. They are data: a new recipe is one entry in `RECIPES`.

A recipe is three choices, applied in this order:

    sparsity      0, or the fraction of prunable weights (Conv2D and Dense kernels) that magnitude pruning sets to zero
    fine-tuning   steps of distillation from the float parent: after pruning, and with quantization simulated (QAT)
    arithmetic    float32 · float16 weights · dynamic (int8 weights, activations quantized on the fly) · int8 throughout

"pruned50-int8" is sparsity 0.5, then static int8; "qat-int8" is int8 after quantization-aware fine-tuning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
    formats: tuple[Format, ...] = FORMATS

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


def parse_recipes(text: str) -> tuple[Recipe, ...]:
    """Reads a comma-separated list of recipe names, in order and without repeats.

    Raises:
        OptionError: a name is unknown, or there is none.
    """
    return tuple(RECIPES[name] for name in _names(text, "recipe", tuple(RECIPES)))


def parse_formats(text: str) -> tuple[Format, ...]:
    """Reads a comma-separated list of formats, in order and without repeats.

    Raises:
        OptionError: a format is unknown, or there is none.
    """
    chosen = _names(text, "format", FORMATS)
    return tuple(name for name in FORMATS if name in chosen)


def _names(text: str, what: str, valid: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [name for name in names if name not in valid]
    if unknown or not names:
        given = ", ".join(repr(name) for name in unknown) or repr(text)
        raise OptionError(f"unknown {what}: {given}; valid: {', '.join(valid)}, separated by commas")
    return names
