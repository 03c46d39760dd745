"""The manifest: what goes in comes out again, and what breaks a rule is refused by the field's name."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens.errors import ManifestInvalid, SchemaTooNew
from handlens.manifest import (
    INTEGER_RANGE,
    SCHEMA,
    Calibration,
    Compression,
    DataSource,
    InputSpec,
    Manifest,
    Metric,
    OutputSpec,
    Parity,
    Provenance,
    Threshold,
    Tolerance,
)

text = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc")), max_size=20)
name = text.filter(lambda value: value.strip() != "")
number = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=1e-9, max_value=1e9)
count = st.integers(0, 2**53)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def quantization(draw: st.DrawFn) -> dict[str, Any]:
    dtype = draw(st.sampled_from(["float32", "int8", "uint8"]))
    if dtype == "float32":
        return {"dtype": dtype}
    low, high = INTEGER_RANGE[dtype]
    return {"dtype": dtype, "quant_scale": draw(positive), "quant_zero_point": draw(st.integers(low, high))}


@st.composite
def inputs(draw: st.DrawFn) -> InputSpec:
    channels = draw(st.sampled_from([1, 3]))
    values = st.lists(number, min_size=channels, max_size=channels)
    return InputSpec(
        name=draw(name),
        height=draw(st.integers(1, 8192)),
        width=draw(st.integers(1, 8192)),
        channels=channels,
        layout=draw(st.sampled_from(["NHWC", "NCHW"])),
        colour={1: "GREY", 3: "RGB"}[channels],
        scale=tuple(draw(values)),
        offset=tuple(draw(values)),
        geometry=draw(st.sampled_from(["resize", "letterbox", "crop"])),
        **draw(quantization()),
    )


@st.composite
def outputs(draw: st.DrawFn) -> OutputSpec:
    return OutputSpec(
        name=draw(name),
        meaning=draw(text),
        shape=tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))),
        tolerance=Tolerance(absolute=abs(draw(number)), relative=abs(draw(number))),
        **draw(quantization()),
    )


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    low, high = sorted([draw(number), draw(number)])
    calibration = Calibration(
        dataset=draw(text), split=draw(text), count=1 + draw(st.integers(0, 999)), seed=draw(count),
        images_sha256="a" * 64, ranges_sha256="b" * 64,
    )  # fmt: skip
    return Manifest(
        task=draw(name),
        name=draw(name),
        version=draw(name),
        model_id=draw(st.just("") | st.text("0123456789abcdef", min_size=32, max_size=32)),
        input=draw(inputs()),
        outputs=tuple(draw(st.lists(outputs(), min_size=1, max_size=3, unique_by=lambda spec: spec.name))),
        labels=tuple(draw(st.lists(text, max_size=3))),
        decoding=draw(st.dictionaries(text, plain, max_size=3)),
        thresholds=(Threshold(target_fmr=0.001, value=draw(number), comparisons=draw(count), low=low, high=high),),
        metrics=(Metric(dataset=draw(text), split="val", name="rank1", n=5, value=draw(number), low=low, high=high),),
        compression=Compression(
            recipe=draw(text),
            format=draw(st.sampled_from(["tflite", "onnx"])),
            weights="int8",
            activations="int8",
            parameters=draw(count),
            sparsity=draw(st.floats(0, 1)),
            calibration=draw(st.none() | st.just(calibration)),
        ),  # fmt: skip
        provenance=Provenance(
            data=(DataSource(name=draw(name), licence=draw(name), split=draw(text), sha256=""),),
            weights_licence=draw(text),
            seed=draw(count),
            run=draw(text),
            versions=draw(st.dictionaries(text, text, max_size=2)),
            trained_seconds=abs(draw(number)),
        ),  # fmt: skip
        parity=draw(st.none() | st.just(Parity(max_abs_error=1e-5, tolerance=1e-4))),
    )


@given(manifests())
@settings(max_examples=60, deadline=None)
def test_round_trip_through_json(manifest: Manifest) -> None:
    assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.fixture
def document() -> dict[str, Any]:
    """A valid manifest as parsed JSON, for a test to break."""
    spec = InputSpec(name="image", height=8, width=4, channels=3, scale=(1.0,) * 3, offset=(0.0,) * 3)
    output = OutputSpec(name="out", meaning="m", shape=(1, 2), tolerance=Tolerance(absolute=0, relative=1e-3))
    manifest = Manifest(
        task="reid", name="n", version="1", input=spec, outputs=(output,),
        compression=Compression(recipe="r", format="onnx", weights="w", activations="a", parameters=1, sparsity=0),
        provenance=Provenance(data=(), weights_licence="w", seed=0, run="r", trained_seconds=0),
    )  # fmt: skip
    parsed: dict[str, Any] = json.loads(manifest.to_json())
    return parsed


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (["input", "height"], 0, "InputSpec.height is 0; valid: 1 to"),
        (["input", "height"], "8", "manifest.input.height"),
        (["input", "height"], True, "manifest.input.height"),
        (["input", "channels"], 4, "manifest.input.channels is 4; valid: 1, 3"),
        (["input", "channels"], 1, "RGB and BGR have 3, GREY has 1"),
        (["input", "scale"], [1.0], "InputSpec.scale has 1 values; expected 3"),
        (["input", "scale"], [1.0, "a", 1.0], r"manifest.input.scale\[1\]"),
        (["input", "dtype"], "int4", "valid: float32, int8, uint8"),
        (["input", "dtype"], "int8", "expected a scale above 0"),
        (["input", "quant_scale"], 0.5, "is float32 but has quant_scale"),
        (["input", "mean"], 1, "unknown key 'mean'"),
        (["input", "name"], "a\x1b[31m", "control characters"),
        (["outputs"], [], "at least one"),
        (["outputs", 0, "shape"], [1, 0], "OutputSpec.shape"),
        (["outputs", 0, "shape"], [2**20, 2**20], "OutputSpec.shape"),
        (["outputs", 0, "tolerance", "absolute"], -1, "both must be 0 or more"),
        (["outputs", 0, "tolerance"], None, "manifest.outputs"),
        (["model_id"], "xyz", "32 hex digits"),
        (["task"], " ", "Manifest.task is empty"),
        (["schema"], 0, "Manifest.schema is 0"),
        (["schema"], "1", "Manifest.schema"),
        (["labels"], "cat", "manifest.labels is 'cat'; expected a list"),
        (["decoding"], [], "manifest.decoding"),
        (["provenance", "seed"], 2**60, "manifest.provenance.seed"),
        (["compression", "sparsity"], 1.5, "valid: 0 to 1"),
    ],
)
def test_a_broken_rule_is_named(document: dict[str, Any], path: list[Any], value: object, says: str) -> None:
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ManifestInvalid, match=says):
        Manifest.from_json(json.dumps(document))


def test_a_missing_key_is_named(document: dict[str, Any]) -> None:
    del document["input"]["scale"]
    with pytest.raises(ManifestInvalid, match="manifest.input lacks scale"):
        Manifest.from_json(json.dumps(document))


def test_a_newer_schema_is_refused_by_that_name_whatever_else_is_new(document: dict[str, Any]) -> None:
    document |= {"schema": SCHEMA + 1, "brand_new": {}}
    with pytest.raises(SchemaTooNew, match=f"schema {SCHEMA + 1}.*up to {SCHEMA}.*pip install -U"):
        Manifest.from_json(json.dumps(document))


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "[]",
        "null",
        "{",
        '{"schema": NaN}',
        '{"schema": 1, "schema": 1}',
        "[" * 100_000,
        '{"schema": 1e999}',
        "9" * 5000,
    ],
)
def test_text_that_is_no_manifest_is_refused(broken: str) -> None:
    with pytest.raises(ManifestInvalid):
        Manifest.from_json(broken)


def test_a_key_given_twice_is_refused(document: dict[str, Any]) -> None:
    # Two readers could take one value each.
    twice = json.dumps(document).replace('"schema": 1', '"schema": 1, "task": "other"', 1)
    with pytest.raises(ManifestInvalid, match="repeats a key"):
        Manifest.from_json(twice)


def test_numbers_json_cannot_hold_are_refused_inside_too(document: dict[str, Any]) -> None:
    document["decoding"] = {"nested": [1, float("inf")]}
    with pytest.raises(ManifestInvalid, match="Infinity"):
        Manifest.from_json(json.dumps(document))


def test_python_values_are_stored_in_canonical_form() -> None:
    spec = InputSpec(
        name="x", height=np.int64(4), width=4, channels=3, scale=[np.float32(0.5), 1, 2], offset=np.zeros(3).tolist()
    )
    assert spec.scale == (0.5, 1.0, 2.0)
    assert [type(value) for value in (spec.height, *spec.scale)] == [int, float, float, float]
    assert spec.shape == (1, 4, 4, 3)
    assert dataclasses.replace(spec, layout="NCHW").shape == (1, 3, 4, 4)


def test_a_manifest_cannot_be_changed_in_place(document: dict[str, Any]) -> None:
    manifest = Manifest.from_json(json.dumps(document))
    with pytest.raises(dataclasses.FrozenInstanceError):
        manifest.name = "other"
