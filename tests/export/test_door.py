"""The whole door on a tiny network: files that describe themselves, a gate that holds, work that is not done twice."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handlens.artifact import Artifact
from handlens.engine import open_engine
from handlens.errors import DataError
from handlens_data.calibration.table import RangeTable

pytest.importorskip("tf2onnx")
pytest.importorskip("onnxruntime")

NAMES = "float32,float16,dynamic,int8,pruned50-int8,qat-int8"


@pytest.fixture(scope="module")
def exported(make_source: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, list[str]]:
    """(folder, outcome, lines said) of every recipe in both formats."""
    from handlens_export import door
    from handlens_export.prepare import Options
    from handlens_export.recipes import parse_recipes

    root = tmp_path_factory.mktemp("door")
    lines: list[str] = []
    outcome = door.export(
        make_source(),
        parse_recipes(NAMES),
        ("tflite", "onnx"),
        root / "out",
        keep=root / "keep",
        max_drop=10.0,
        options=Options(calibration_images=40, seed=5, steps=30),
        say=lines.append,
    )
    return root, outcome, lines


def test_every_recipe_and_format_is_written_and_nothing_else(exported: Any) -> None:
    root, outcome, lines = exported
    outcome.require()
    both = ("float32", "int8", "pruned50-int8")
    wanted = {f"tiny-{n}.tflite" for n in NAMES.split(",")} | {f"tiny-{n}.onnx" for n in both}
    assert {path.name for path in (root / "out").iterdir()} == wanted
    assert any("qat-int8 is not written as .onnx" in line for line in lines)


def test_each_file_says_what_it_is_and_answers_its_goldens(exported: Any) -> None:
    for item in exported[1].written:
        artifact = Artifact.open(item.artifact.path)
        manifest, compression = artifact.manifest, artifact.manifest.compression
        assert artifact.path.name == f"tiny-{compression.recipe}.{compression.format}"
        assert [(m.name, m.split, m.n) for m in manifest.metrics] == [("rank1", "val", 48)]
        assert [len(found["curve"]) for found in json.loads(artifact.extras["evaluation.json"]).values()] == [5]
        assert ("gate.json" in artifact.extras) == (compression.recipe != "float32")
        open_engine(artifact).close()  # replays the goldens
        assert (manifest.parity is not None) == (compression.recipe == "float32")
        int8 = compression.activations == "int8"
        assert (compression.calibration is not None) == int8
        if int8:
            assert compression.calibration.count == 40 and compression.calibration.seed == 5
            assert len(compression.calibration.ranges_sha256) == 64
            table = RangeTable.load(exported[0] / "keep" / f"tiny-{compression.recipe}.ranges.json")
            assert table.ranges["image"] == (-127 / 128, 1.0) and table.count == 40
        assert manifest.input.dtype == ("int8" if int8 and artifact.kind == "tflite" else "float32")


def test_pruned_files_are_sparse_and_int8_files_small(exported: Any) -> None:
    files = {item.artifact.path.name: item.artifact for item in exported[1].written}
    for kind in ("tflite", "onnx"):
        assert files[f"tiny-pruned50-int8.{kind}"].manifest.compression.sparsity >= 0.5
    assert files["tiny-int8.tflite"].model_size < files["tiny-float32.tflite"].model_size
    assert files["tiny-float16.tflite"].model_size < files["tiny-float32.tflite"].model_size


def test_fine_tuning_is_not_done_twice(
    exported: Any, make_source: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from handlens_export import door, prune, qat
    from handlens_export.prepare import Options
    from handlens_export.recipes import parse_recipes

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("fine-tuned again")

    monkeypatch.setattr(prune, "fine_tune", never)
    monkeypatch.setattr(qat, "fine_tune", never)
    options = Options(calibration_images=40, seed=5, steps=30)
    recipes = parse_recipes("pruned50-int8,qat-int8")
    again = door.export(
        make_source(), recipes, ("tflite",), tmp_path, keep=exported[0] / "keep", max_drop=10.0, options=options
    )
    before = {item.artifact.path.name: item.artifact for item in exported[1].written}
    for item in again.written:
        assert item.artifact.model == before[item.artifact.path.name].model
    with pytest.raises(AssertionError, match="again"):
        changed = replace(options, seed=6)
        door.export(make_source(), recipes, ("tflite",), tmp_path, keep=exported[0] / "keep", options=changed)


def test_a_table_of_ranges_makes_the_same_file_without_the_images(
    exported: Any, make_source: Callable[..., Any], tmp_path: Path
) -> None:
    from handlens_export import door
    from handlens_export.prepare import Options
    from handlens_export.recipes import parse_recipes

    table = RangeTable.load(exported[0] / "keep" / "tiny-int8.ranges.json")
    recipes, options = parse_recipes("int8"), Options(seed=99, calibration_images=3, ranges=table)
    again = door.export(make_source(), recipes, ("tflite",), tmp_path, keep=tmp_path, max_drop=10.0, options=options)
    before = {item.artifact.path.name: item.artifact for item in exported[1].written}["tiny-int8.tflite"]
    (after,) = (item.artifact for item in again.written)
    assert after.model == before.model
    assert after.manifest.compression.calibration == before.manifest.compression.calibration
    for name, wrong, said in (
        ("image", (0.0, 1.0), "image goes from 0 to 1; pixels of 0 to 255 become -"),
        (next(reversed(table.ranges)), (0.0, 0.0), "wider than nothing"),
    ):
        bad = replace(table, ranges=table.ranges | {name: wrong})
        with pytest.raises(DataError, match=said):
            door.export(make_source(), recipes, ("tflite",), tmp_path, keep=tmp_path, options=Options(ranges=bad))
    foreign = replace(table, ranges={"other": (0.0, 1.0)})
    with pytest.raises(DataError, match="another network"):
        door.export(make_source(), recipes, ("tflite",), tmp_path, keep=tmp_path, options=Options(ranges=foreign))


def test_what_loses_too_much_is_not_written_but_the_rest_is(make_source: Callable[..., Any], tmp_path: Path) -> None:
    from handlens.errors import GateFailed
    from handlens_export import door
    from handlens_export.prepare import Options
    from handlens_export.recipes import Recipe, parse_recipes

    source = make_source()

    def harsh(path: Path, split: str, engine: str | None) -> Any:
        found = source.evaluate(path, split, engine)
        return replace(found, outcomes=np.zeros(48)) if "dynamic" in path.name else found

    lines: list[str] = []
    recipes: tuple[Recipe, ...] = parse_recipes("dynamic,float16")
    out = tmp_path / "out"
    outcome = door.export(
        replace(source, evaluate=harsh), recipes, ("tflite",), out, keep=tmp_path, options=Options(), say=lines.append
    )
    assert [path.name for path in out.iterdir()] == ["tiny-float16.tflite"]
    with pytest.raises(GateFailed, match=r"tiny-dynamic\.tflite loses \d+\.\d\d points of rank1 on val"):
        outcome.require()


def test_an_interrupt_leaves_nothing_half_written(make_source: Callable[..., Any], tmp_path: Path) -> None:
    from handlens_export import door
    from handlens_export.recipes import parse_recipes

    def stop(path: Path, split: str, engine: str | None) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        door.export(
            make_source(evaluate=stop), parse_recipes("float32"), ("tflite",), tmp_path / "out", keep=tmp_path / "keep"
        )
    assert list((tmp_path / "out").iterdir()) == []


def test_recipes_without_any_of_the_formats_are_refused(make_source: Callable[..., Any], tmp_path: Path) -> None:
    from handlens.errors import OptionError
    from handlens_export import door
    from handlens_export.recipes import parse_recipes

    with pytest.raises(OptionError, match="float16 cannot be written as onnx"):
        door.export(make_source(), parse_recipes("float16"), ("onnx",), tmp_path / "out", keep=tmp_path)
