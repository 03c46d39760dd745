"""Recipes are data: the table is consistent, and a list of names is read as a user means it."""

import pytest

from handlens.errors import OptionError
from handlens_export.recipes import RECIPES, parse_formats, parse_recipes


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
