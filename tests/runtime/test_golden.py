"""Golden vectors: the same bytes everywhere, and an engine that answers wrongly does not pass."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from handlens._patterns import Draws
from handlens.artifact import Artifact
from handlens.engine import Engine, open_engine, open_model
from handlens.errors import GoldenInvalid, OptionError
from handlens.golden import (
    GENERATORS,
    INDEX,
    VALUES,
    Golden,
    default_tolerance,
    from_parts,
    generate,
    record_goldens,
    replay,
    to_parts,
)
from handlens.manifest import InputSpec, Manifest

PATTERNS = Path(__file__).parents[1] / "golden" / "patterns.json"
Parts = Callable[[str], tuple[bytes, Manifest, tuple[Golden, ...]]]
Write = Callable[..., Artifact]


class Altered:
    """An engine whose answers are changed on their way out."""

    def __init__(self, engine: Engine, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
        self.name, self.version, self.inputs, self.outputs = engine.name, engine.version, engine.inputs, engine.outputs
        self._engine, self._change = engine, change

    def run(self, feeds: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.float32]]:
        return {name: self._change(value) for name, value in self._engine.run(feeds).items()}

    def close(self) -> None:
        self._engine.close()


def test_the_generator_of_numbers_is_splitmix64() -> None:
    # The first outputs for seed 1234567 as published with the algorithm; a draw below n is (output >> 33) % n.
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    draws = Draws(1234567)
    assert [draws.below(2**31) for _ in published] == [(number >> 33) % 2**31 for number in published]


def test_patterns_are_the_recorded_bytes() -> None:
    # The vectors that every language replays: generator, seed, height, width, channels, SHA-256.
    for row in json.loads(PATTERNS.read_text()):
        image = generate(row["generator"], row["seed"], row["height"], row["width"], row["channels"])
        assert image.shape == (row["height"], row["width"], row["channels"])
        assert hashlib.sha256(image.tobytes()).hexdigest() == row["sha256"], row


@given(st.sampled_from(GENERATORS), st.integers(0, 2**53), st.integers(1, 70), st.integers(1, 70))
@settings(max_examples=40, deadline=None)
def test_patterns_come_in_any_size(generator: str, seed: int, height: int, width: int) -> None:
    image = generate(generator, seed, height, width, 3)
    assert (image.shape, image.dtype) == ((height, width, 3), np.uint8)
    assert np.array_equal(image, generate(generator, seed, height, width, 3))
    grey = generate(generator, seed, height, width, 1)
    assert np.abs(grey[..., 0] - image @ np.array([0.299, 0.587, 0.114])).max() < 0.501


def test_patterns_and_seeds_differ() -> None:
    seen = {generate(name, seed, 64, 32, 3).tobytes() for name in GENERATORS for seed in range(5)}
    assert len(seen) == 5 * len(GENERATORS)
    assert all(generate(name, 1, 64, 32, 3).std() > 10 for name in GENERATORS)


def test_an_unknown_pattern_is_refused() -> None:
    with pytest.raises(OptionError, match="'photo'.*valid: gradient"):
        generate("photo", 1, 8, 8, 3)


def test_the_engine_that_recorded_them_passes(any_file: str, write: Write) -> None:
    made = write(any_file)
    verdict = replay(open_engine(made, check=False), made.manifest, made.goldens)
    assert verdict.passed
    assert len(verdict.rows) == 4
    assert all(row.max_abs_error == 0 and row.allowed > 0 for row in verdict.rows)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda value: value * 1.05, id="scaled by 5%"),
        pytest.param(lambda value: np.zeros_like(value), id="all zeros"),
        pytest.param(lambda value: np.roll(value, 1), id="order changed"),
        pytest.param(lambda value: value + np.eye(1, value.size, 3, dtype=np.float32) * 0.7, id="one element off"),
        pytest.param(lambda value: np.full_like(value, np.nan), id="NaN"),
        pytest.param(lambda value: value[:, :-1], id="one element short"),
    ],
)
def test_a_perturbed_engine_fails(
    any_file: str, write: Write, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> None:
    made = write(any_file)
    verdict = replay(Altered(open_engine(made, check=False), change), made.manifest, made.goldens)
    assert not verdict.passed
    assert verdict.worst.max_abs_error > verdict.worst.allowed


def test_a_difference_within_the_tolerance_passes(any_file: str, write: Write) -> None:
    made = write(any_file)
    spec = made.manifest.outputs[0]
    step = np.float32(spec.quant_scale or 1e-4)
    engine = Altered(open_engine(made, check=False), lambda value: value + step)
    assert replay(engine, made.manifest, made.goldens).passed


def test_an_input_that_comes_out_differently_is_refused(write: Write) -> None:
    made = write()
    engine = open_engine(made, check=False)
    other = [dataclasses.replace(golden, input_sha256="0" * 64) for golden in made.goldens]
    with pytest.raises(GoldenInvalid, match="pre-processing gives another tensor"):
        replay(engine, made.manifest, other)


@pytest.mark.parametrize("keep", [0.0, 0.01])
def test_outputs_that_hardly_vary_are_not_recorded(parts: Parts, keep: float) -> None:
    # What an untrained network does: a constant, give or take 1%.
    model, manifest, _ = parts("tiny_float32.tflite")
    engine = Altered(open_model(model, "tflite"), lambda value: (5 + keep * np.tanh(value)).astype(np.float32))
    with pytest.raises(GoldenInvalid, match="output embedding hardly varies"):
        record_goldens(engine, manifest.input)


def test_the_chosen_goldens_spread_more_than_the_first_ones(parts: Parts) -> None:
    model, manifest, _ = parts("tiny_float32.tflite")
    engine = open_model(model, "tflite")

    def closest(goldens: tuple[Golden, ...]) -> float:
        points = [golden.outputs["embedding"] for golden in goldens]
        pairs = [(a, b) for index, a in enumerate(points) for b in points[:index]]
        return min(float(np.linalg.norm(a - b)) for a, b in pairs)

    chosen = record_goldens(engine, manifest.input, count=4)
    first = record_goldens(engine, manifest.input, count=4, generators=GENERATORS[:2], seeds=(1, 2))
    assert closest(chosen) > closest(first)


goldens = st.lists(
    st.builds(
        Golden,
        generator=st.sampled_from(GENERATORS),
        seed=st.integers(0, 2**53),
        input_sha256=st.just("c" * 64),
        outputs=st.dictionaries(
            st.text("abcde", min_size=1, max_size=3),
            arrays.arrays(
                np.float32,
                arrays.array_shapes(max_dims=3, max_side=4),
                elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
            ),
            min_size=1,
            max_size=3,
        ),
    ),
    max_size=4,
)


@given(goldens)
@settings(max_examples=60, deadline=None)
def test_round_trip_through_bytes(recorded: list[Golden]) -> None:
    parts = to_parts(recorded)
    assert from_parts(parts[INDEX], parts[VALUES]) == tuple(recorded)


@pytest.mark.parametrize(
    ("index", "values"),
    [
        (b"{}", b""),
        (b"\xff", b""),
        (b"[1]", b""),
        (b'[{"generator": "noise", "seed": 1, "input_sha256": "", "outputs": {}}]', b""),
        (b'[{"generator": "photo", "seed": 1, "input_sha256": "%s", "outputs": {}}]' % (b"0" * 64), b""),
        (
            b'[{"generator": "noise", "seed": 1, "input_sha256": "%s", "outputs": {"a": [9, 9]}}]' % (b"0" * 64),
            bytes(8),
        ),
        (b'[{"generator": "noise", "seed": 1, "input_sha256": "%s", "outputs": {"a": [-1]}}]' % (b"0" * 64), b""),
        (b'[{"generator": "noise", "seed": 1, "input_sha256": "%s", "outputs": {"a": [1]}}]' % (b"0" * 64), bytes(8)),
        (
            b'[{"generator": "noise", "seed": 1, "input_sha256": "%s", "outputs": {"a": [1]}}]' % (b"0" * 64),
            b"\0\0\xc0\x7f",
        ),
    ],
)
def test_damaged_goldens_are_refused(index: bytes, values: bytes) -> None:
    with pytest.raises(GoldenInvalid):
        from_parts(index, values)


def test_default_tolerances_are_in_float_units() -> None:
    assert default_tolerance("int8", 0.1).absolute == pytest.approx(0.4)
    assert default_tolerance("float32").relative > 0
    with pytest.raises(OptionError, match="needs its quant_scale"):
        default_tolerance("uint8")


def test_a_grey_input_is_generated_grey(parts: Parts) -> None:
    spec = InputSpec(name="x", height=8, width=8, channels=1, colour="GREY", scale=(1.0,), offset=(0.0,))
    assert generate("figure", 3, spec.height, spec.width, spec.channels).shape == (8, 8, 1)
