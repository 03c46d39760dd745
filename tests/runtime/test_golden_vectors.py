"""The vectors that other languages replay are what this Python answers, today."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from handlens.artifact import Artifact

GOLDEN = Path(__file__).parents[1] / "golden"


def maker(name: str) -> ModuleType:
    """The script that writes vectors."""
    spec = importlib.util.spec_from_file_location(name, GOLDEN / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recorded(name: str) -> list[Any]:
    rows: list[Any] = json.loads((GOLDEN / name).read_text(encoding="utf-8"))
    return rows


@pytest.mark.parametrize("name", ["resize", "letterbox", "align_sweep", "tensor", "quantize"])
def test_images_and_tensors_come_out_as_recorded(name: str) -> None:
    rows = recorded(f"{name}.json")
    found = json.loads(json.dumps(list(maker("make_images").SWEEPS[f"{name}.json"]())))
    assert len(found) == len(rows) > 10
    for mine, row in zip(found, rows, strict=True):
        assert mine == row


def test_json_is_read_or_refused_as_recorded() -> None:
    row = maker("make_json").row
    for text, canonical in recorded("json.json"):
        assert row(text) == [text, canonical]


def test_changed_artifacts_are_refused_as_recorded() -> None:
    make = maker("make_refusals")
    rows = recorded("refusals.json")
    assert {row["refused"] for row in rows} >= {None, "ArtifactTampered", "ManifestInvalid", "GoldenInvalid"}
    for row in rows:
        assert make.refusal(make.edited(row)) == row["refused"], row


@pytest.mark.parametrize("name", ["tiny_float32.tflite", "tiny_int8.tflite", "tiny_float32.onnx"])
def test_the_artifacts_hold_the_models_beside_them(name: str) -> None:
    artifact = Artifact.open(GOLDEN / "artifacts" / name)
    assert artifact.model == (GOLDEN / "models" / name).read_bytes()
