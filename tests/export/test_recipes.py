"""Recipes are data: the table is consistent, and a list of names is read as a user means it."""

import pytest

from handlens.errors import OptionError
from handlens_export.recipes import CHANNEL_STEPS, RECIPES, parse_formats, parse_recipes


def test_names_are_read_in_order_without_repeats_and_spaces() -> None:
    assert [recipe.name for recipe in parse_recipes(" int8, float32,int8")] == ["int8", "float32"]
    assert parse_formats("onnx,tflite") == ("tflite", "onnx")


@pytest.mark.parametrize(("text", "bad"), [("int8,int9", "'int9'"), ("", "''"), (" , ", "' , '")])
def test_an_unknown_recipe_is_named_with_the_valid_ones(text: str, bad: str) -> None:
    with pytest.raises(OptionError, match="pruned50-int8") as caught:
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
    assert recipe.qat_steps == 0 or recipe.arithmetic == "int8", "QAT prepares for int8 alone"
    assert 0 <= recipe.sparsity < 1


@pytest.mark.parametrize("name", RECIPES)
def test_channels_go_before_any_recipe(name: str) -> None:
    base, (recipe,) = RECIPES[name], parse_recipes(f"channels40-{name}")
    assert recipe.name == f"channels40-{name}" and recipe.channels == 0.4 and recipe.channel_steps == CHANNEL_STEPS
    assert (recipe.arithmetic, recipe.sparsity, recipe.qat_steps) == (base.arithmetic, base.sparsity, base.qat_steps)
    assert recipe.formats == base.formats and recipe.summary.startswith("40% of the cost") and recipe.remade


@pytest.mark.parametrize("name", ["channels00-int8", "channels99-int8", "channels4-int8", "channels40", "channels40-x"])
def test_a_wrong_share_of_channels_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match=rf"'{name}'; valid: float32, .*channelsNN- \(NN from 05 to 95\) before any"):
        parse_recipes(name)
