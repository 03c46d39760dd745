"""Reads what a user wants swept: lists of numbers and names, checked before anything runs."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import get_args

from handlens.errors import OptionError
from handlens_export.recipes import Format, parse_recipes, recipe_named
from handlens_export.sweep.space import Objective, Space

SEARCHES = ("ladder", "grid")
ARITHMETIC = "int8,qat-int8,int4,qat-int4"


def numbers(text: str, option: str, valid: Collection[int], words: str) -> tuple[int, ...]:
    """A comma-separated list of whole numbers, rising and without repeats.

    Raises:
        OptionError: something else, or a number that is not valid.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    wrong = [part for part in parts if not part.isascii() or not part.isdigit() or int(part) not in valid]
    if wrong or not parts:
        raise OptionError(f"{option} is {', '.join(wrong) or text!r}; valid: {words}, separated by commas")
    return tuple(sorted({int(part) for part in parts}))


def shares(text: str, option: str) -> tuple[int, ...]:
    """Percentages that recipes have.

    Raises:
        OptionError: another.
    """
    return numbers(text, option, {0, *range(5, 96)}, "0, and 5 to 95 percent")


def ends(text: str) -> tuple[str, ...]:
    """Names that channels and pruning can stand in front of.

    Raises:
        OptionError: no recipe, or one that has these already.
    """
    found = parse_recipes(text)
    for recipe in found:
        if recipe.channels or recipe.sparsity:
            raise OptionError(
                f"--arithmetic names {recipe.name}, which has channels or pruning already; valid: its end, such as "
                "int8 or qat-int4, and --channels and --sparsity. --recipes takes whole names"
            )
    return tuple(recipe.name for recipe in found)


def one_of(text: str, option: str, valid: Sequence[str]) -> str:
    """A word.

    Raises:
        OptionError: another.
    """
    if text not in valid:
        raise OptionError(f"{option} is {text!r}; valid: {', '.join(valid)}")
    return text


def space(
    sources: Sequence[Path],
    formats: tuple[Format, ...],
    recipes: str | None,
    arithmetic: str | None,
    channels: str,
    sparsity: str,
    images: str,
) -> Space:
    """All that may be tried. With recipes and no arithmetic these are all; with neither, arithmetic is `ARITHMETIC`.

    Raises:
        OptionError: a list is wrong, or nothing in it can be written in any of the formats.
    """
    exact = tuple(recipe.name for recipe in parse_recipes(recipes)) if recipes is not None else ()
    chosen = arithmetic if arithmetic is not None or recipes is not None else ARITHMETIC
    names = ends(chosen) if chosen is not None else ()
    able = {kind for name in (*exact, *names) if (recipe := recipe_named(name)) for kind in recipe.formats}
    if not able & set(formats):
        raise OptionError(f"{', '.join((*exact, *names))} cannot be written as {', '.join(formats)}")
    return Space(
        sources=tuple(str(source) for source in sources),
        formats=formats,
        recipes=exact,
        arithmetic=names,
        channels=shares(channels, "--channels"),
        sparsity=shares(sparsity, "--sparsity"),
        images=numbers(images, "--calibration-images", range(1, 100_001), "counts of images from 1"),
    )


def objective(text: str) -> Objective:
    """What to make small.

    Raises:
        OptionError: neither bytes nor latency.
    """
    found: Objective = "bytes" if one_of(text, "--objective", get_args(Objective)) == "bytes" else "latency"
    return found
