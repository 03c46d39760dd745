"""Recipes are data: the table is consistent, and a list of names is read as a user means it."""

import pytest

from handlens.errors import OptionError
from handlens_export.recipes import CHANNEL_STEPS, PRUNE_STEPS, RECIPES, Recipe, parse_formats, parse_recipes


def test_names_are_read_in_order_without_repeats_and_spaces() -> None:
    assert [recipe.name for recipe in parse_recipes(" int8, float32,int8")] == ["int8", "float32"]
    assert parse_formats("onnx,tflite") == ("tflite", "onnx")


@pytest.mark.parametrize(("text", "bad"), [("int8,int9", "'int9'"), ("", "''"), (" , ", "' , '")])
def test_an_unknown_recipe_is_named_with_the_valid_ones(text: str, bad: str) -> None:
    with pytest.raises(OptionError, match="such as channels25-pruned50-int8") as caught:
        parse_recipes(text)
    assert bad in str(caught.value)


def test_an_unknown_format_is_named_with_the_valid_ones() -> None:
    with pytest.raises(OptionError, match="'coreml'; valid: tflite, onnx"):
        parse_formats("tflite,coreml")


@pytest.mark.parametrize("name", RECIPES)
def test_every_entry_makes_sense(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe.name == name and recipe.summary and recipe.formats
    assert (recipe.sparsity > 0) == (recipe.prune_steps > 0), "pruning without fine-tuning, or the other way round"
    assert recipe.qat_steps == 0 or recipe.quantized, "QAT prepares for integers alone"
    assert 0 <= recipe.sparsity < 1


@pytest.mark.parametrize("name", [name for name in RECIPES if not name.startswith("tfmot-")])
def test_channels_go_before_any_recipe(name: str) -> None:
    base, (recipe,) = RECIPES[name], parse_recipes(f"channels40-{name}")
    assert recipe.name == f"channels40-{name}" and recipe.channels == 0.4 and recipe.channel_steps == CHANNEL_STEPS
    assert (recipe.arithmetic, recipe.sparsity, recipe.qat_steps) == (base.arithmetic, base.sparsity, base.qat_steps)
    assert recipe.formats == base.formats and recipe.summary.startswith("40% of the cost") and recipe.remade


@pytest.mark.parametrize(
    "name",
    [
        "channels00-int8",
        "channels99-int8",
        "channels4-int8",
        "channels40",
        "channels40-x",
        "pruned96-int8",
        "pruned50",
        "pruned50-channels40-int8",
        "qat-float32",
        "qat-int16",
        "tfmot-float32",
        "tfmot-qat-int8",
        "tfmot-clustered01-int8",
        "channels40-tfmot-int8",
        "clustered16-int8",
    ],
)
def test_a_name_outside_the_grammar_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match=rf"'{name}'; valid: \[channelsNN-\]\[prunedNN-\]\[qat-\]ARITHMETIC with"):
        parse_recipes(name)


def test_the_numbers_of_older_recipes_stay_so_that_finished_work_fits() -> None:
    one, two = parse_recipes("pruned50-qat-int8,channels40-int8")
    assert (one.sparsity, one.prune_steps, one.prune_rate, one.block) == (0.5, 800, 5e-4, 4)
    assert (one.qat_steps, one.qat_rate) == (400, 5e-5)
    assert (two.channels, two.channel_steps, two.channel_rate, two.channel_rounds) == (0.4, 2000, 5e-4, 1)


def test_a_name_spells_every_choice() -> None:
    (recipe,) = parse_recipes("channels25-pruned70-qat-int4")
    assert (recipe.channels, recipe.sparsity, recipe.arithmetic) == (0.25, 0.7, "int4") and recipe.qat_steps
    assert (recipe.weights, recipe.activations, recipe.formats) == ("int4", "int8", ("tflite",))


def test_the_second_engine_has_clusters() -> None:
    def choices(name: str) -> tuple[object, ...]:
        (recipe,) = parse_recipes(name)
        assert isinstance(recipe, Recipe) and recipe.qat_steps, "always with QAT"
        return recipe.engine, recipe.sparsity, recipe.prune_steps, recipe.clusters, recipe.arithmetic, recipe.formats

    assert choices("tfmot-int8") == ("tfmot", 0, 0, 0, "int8", ("tflite",))
    assert choices("tfmot-pruned60-clustered08-int8") == ("tfmot", 0.6, PRUNE_STEPS, 8, "int8", ("tflite",))
