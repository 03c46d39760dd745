"""A float .tflite and .onnx go through the door: quantized, checked, gated, described as ours are."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from handlens.artifact import Artifact
from handlens.errors import GateFailed, OptionError
from handlens_export import door
from handlens_export.bring.load import load
from handlens_export.prepare import Options
from handlens_export.recipes import parse_recipes

MODELS = Path(__file__).parents[2] / "golden" / "models"
COUNT = 64  # pictures in `folder`


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_a_file_is_written_with_manifest_goldens_and_gate(
    kind: str, folder: Path, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    model = MODELS / f"tiny_float32.{kind}"
    source = load(model, manifest=manifest(kind), images=folder)
    said: list[str] = []
    recipes = "float32,int8,pruned50-int8" + (",dynamic" if kind == "tflite" else "")
    done = door.export(
        source, parse_recipes(recipes), ("tflite", "onnx"), tmp_path, keep=tmp_path / "kept", say=said.append
    )
    written = {item.artifact.manifest.compression.recipe: item for item in done.written}
    assert "int8" in written and "pruned50-int8" not in written
    assert any("mine is not written as pruned50-int8" in line for line in said)
    assert Artifact.open(tmp_path / f"mine-float32.{kind}").model == model.read_bytes()
    small = Artifact.open(tmp_path / f"mine-int8.{kind}")
    calibration = small.manifest.compression.calibration
    assert calibration is not None and calibration.count == COUNT - COUNT // 4  # the others are held out
    assert (calibration.dataset, calibration.split) == (folder.name, "train")
    assert small.manifest.compression.parameters in (560, 562) and small.manifest.task == "my-task"
    (metric,) = small.manifest.metrics
    assert metric.name == "agreement" and metric.n == COUNT // 4 and 0.98 < metric.value < 1
    assert json.loads(small.extras["gate.json"])["metric"] == "agreement"
    assert len(small.goldens) > 1 and "the float file's" in small.manifest.compression.notes
    if kind == "tflite":
        assert small.manifest.input.dtype == "int8"
        assert (tmp_path / "kept" / "mine-int8.ranges.json").is_file()


def test_a_table_of_ranges_gives_the_same_file_without_measuring(
    folder: Path, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    from handlens_data.calibration.table import RangeTable

    made = []
    for table in (None, tmp_path / "kept" / "mine-int8.ranges.json"):
        source = load(MODELS / "tiny_float32.tflite", manifest=manifest(), images=folder)
        options = Options() if table is None else Options(ranges=RangeTable.load(table), calibration_images=1)
        done = door.export(
            source, parse_recipes("int8"), ("tflite",), tmp_path, keep=tmp_path / "kept", options=options
        )
        made.append(done.written[0].artifact)
    assert made[0].model == made[1].model


def test_an_artifact_needs_no_manifest_beside_it(folder: Path, manifest: Callable[..., Path], tmp_path: Path) -> None:
    first = load(MODELS / "tiny_float32.tflite", manifest=manifest(), images=folder)
    door.export(first, parse_recipes("float32"), ("tflite",), tmp_path, keep=tmp_path)
    again = load(tmp_path / "mine-float32.tflite", images=folder)
    assert again.name == "mine" and again.formats == ("tflite",)
    assert not again.extras  # the float file's figures are not the small one's


def test_a_loss_beyond_the_limit_is_held_back_and_other_formats_refused(
    folder: Path, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    source = load(MODELS / "tiny_float32.tflite", manifest=manifest(), images=folder)
    done = door.export(source, parse_recipes("int8"), ("tflite",), tmp_path, keep=tmp_path, max_drop=0.0)
    with pytest.raises(GateFailed, match="points of agreement"):
        done.require()
    assert not list(tmp_path.glob("mine-int8*.tflite"))
    with pytest.raises(OptionError, match="a .tflite model"):
        door.export(source, parse_recipes("int8"), ("onnx",), tmp_path, keep=tmp_path)
    with pytest.raises(OptionError, match=r"a file cannot be trained.*"):
        door.export(source, parse_recipes("qat-int8"), ("tflite",), tmp_path, keep=tmp_path)


def test_mixed_gives_back_the_layers_that_the_budget_needs(
    folder: Path, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    source = load(MODELS / "tiny_float32.tflite", manifest=manifest(), images=folder)
    loose = door.export(source, parse_recipes("int8"), ("tflite",), tmp_path, keep=tmp_path, max_drop=100)
    lost = 1 - loose.written[0].evaluation.metrics["agreement"].value
    # Half of what int8 loses: some layer has to be float.
    done = door.export(source, parse_recipes("mixed"), ("tflite",), tmp_path, keep=tmp_path, max_drop=50 * lost)
    (item,) = done.written
    assert 1 - item.evaluation.metrics["agreement"].value <= lost / 2
    assert "layers in float: " in item.artifact.manifest.compression.notes
    assert item.artifact.manifest.compression.calibration is not None


def test_outcomes_pair_image_by_image(folder: Path, manifest: Callable[..., Path], tmp_path: Path) -> None:
    source = load(MODELS / "tiny_float32.tflite", manifest=manifest(), images=folder)
    door.export(source, parse_recipes("float32"), ("tflite",), tmp_path, keep=tmp_path)
    found = source.evaluate(tmp_path / "mine-float32.tflite", "val", None)
    assert np.array_equal(found.outcomes, np.ones(COUNT // 4))
