"""`handlens sensitivity`: bad input is one line; a run and a file of somebody's own become pages."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from handlens.errors import HandlensError
from handlens_export.commands.sensitivity import sensitivity


def call(*arguments: object) -> Result:
    app = Typer()
    app.command()(sensitivity)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments: object) -> str:
    result = call(*arguments)
    assert isinstance(result.exception, HandlensError), result.output
    assert result.exception.exit_code == 2
    return str(result.exception)


def test_bad_options_are_named_before_anything_is_loaded(tmp_path: Path) -> None:
    assert "'int9'" in refused(tmp_path, "--recipe", "int9")
    assert "valid: tflite, onnx" in refused(tmp_path, "--format", "mlmodel")
    assert "are several" in refused(tmp_path, "--recipe", "int8,mixed")
    assert "is a folder" in refused(tmp_path, "--out", tmp_path)
    assert "run.json" in refused(tmp_path) or "run folder" in refused(tmp_path)
    assert "--images is for a model file" in refused(tmp_path, "--images", tmp_path)


def test_a_recipe_without_int8_or_not_of_the_format(make_source: Callable[..., Any], tmp_path: Path) -> None:
    from handlens.errors import OptionError
    from handlens_export.harm.sensitivity import sensitivity as study
    from handlens_export.recipes import parse_recipes

    for name, kind, said in (
        ("float16", "tflite", "no layers in int8"),
        ("tfmot-int8", "tflite", "no layers in int8"),
        ("qat-int8", "onnx", "not written as onnx"),
    ):
        (recipe,) = parse_recipes(name)
        with pytest.raises(OptionError, match=said):
            study(make_source(), recipe, kind, keep=tmp_path)
    with pytest.raises(OptionError, match="valid: onnx"):
        study(make_source(formats=("onnx",)), *parse_recipes("int8"), "tflite", keep=tmp_path)


@pytest.mark.slow
def test_a_run_becomes_a_page_and_its_int8_file_is_the_exported_one(
    make_source: Callable[..., Any], tmp_path: Path
) -> None:
    from handlens_export import door
    from handlens_export.harm.sensitivity import sensitivity as study
    from handlens_export.prepare import Options
    from handlens_export.recipes import parse_recipes

    options = Options(calibration_images=40, seed=5)
    said: list[str] = []
    found = study(
        make_source(),
        *parse_recipes("int8"),
        "tflite",
        keep=tmp_path,
        top=1,
        max_drop=50.0,
        options=options,
        say=said.append,
    )
    outcome = door.export(
        make_source(),
        parse_recipes("int8"),
        ("tflite",),
        tmp_path / "out",
        keep=tmp_path,
        max_drop=50.0,
        options=options,
    )
    (written,) = outcome.written
    assert found.whole.bytes == len(written.artifact.model)
    assert found.whole.drop is not None and found.whole.drop.value == pytest.approx(written.verdict.drop.value)
    assert (found.recipe, found.n, found.repaired) == ("int8", 48, None)
    (worst,) = [layer for layer in found.layers if layer.alone is not None]
    assert worst.error == max(layer.error for layer in found.layers)
    assert all(layer.histogram is not None and layer.range is not None for layer in found.layers)
    seen = {layer.unit.name: layer.histogram for layer in found.layers}
    assert seen["stem_relu"] is not None and seen["stem_relu"].low == 0.0 and seen["stem_relu"].high <= 6.0


@pytest.mark.slow
def test_a_float_tflite_of_somebody_becomes_a_page(
    make_source: Callable[..., Any], images: Any, tmp_path: Path
) -> None:
    import cv2

    from handlens_export import door
    from handlens_export.recipes import parse_recipes

    outcome = door.export(
        make_source(), parse_recipes("float32"), ("tflite",), tmp_path / "float", keep=tmp_path / "keep"
    )
    folder = tmp_path / "images"
    folder.mkdir()
    for index, image in enumerate(images[:64]):
        cv2.imwrite(str(folder / f"{index}.png"), image[..., ::-1])
    out = tmp_path / "page.html"
    result = call(outcome.written[0].artifact.path, "--images", folder, "--top", 1, "--max-drop", 50, "-o", out)
    assert result.exit_code == 0, result.output
    data = json.loads(out.with_suffix(".json").read_text())
    assert (data["metric"], data["kind"], data["mixed"]) == ("agreement", "tflite", None)
    assert sum(row["alone"] is not None for row in data["layers"]) == 1
    assert data["int8"]["points_lost"]["value"] < 50
    assert "page.html and page.json: tiny-int8 loses" in result.output
