"""Goldens of large outputs keep a sample, and it still tells a wrong engine."""

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
import tiny_faces
from fake_engine import FakeEngine
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens import golden
from handlens._sample import LIMIT, sample, sample_step, sampled_shape
from handlens.errors import GoldenInvalid
from handlens.manifest import Manifest, OutputSpec

SHAPE = (1, 300, 10)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=3).map(tuple))
@settings(deadline=None)
def test_a_sample_is_small_and_visits_every_channel(shape: tuple[int, ...]) -> None:
    count = math.prod(shape)
    kept = sample(np.arange(count, dtype=np.float32).reshape(shape))
    assert kept.shape == sampled_shape(shape) and kept.size <= LIMIT
    if count <= LIMIT:
        assert kept.shape == shape and sample_step(shape) == 1
    elif kept.size >= shape[-1]:
        assert set(kept.astype(int) % shape[-1]) == set(range(shape[-1]))


def large() -> tuple[Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]], Manifest]:
    """A model of 3,000 numbers, which follow the picture's brightness, and its manifest."""
    output = OutputSpec(name="map", meaning="numbers", shape=SHAPE, tolerance=golden.default_tolerance("float32"))
    manifest = tiny_faces.describe("tiny_detector", (), outputs=(output,), decoding={})

    def answer(feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        (image,) = feeds.values()
        return {"map": np.linspace(-1, 1, 3000).reshape(SHAPE) * image.mean() + image.std()}

    return answer, manifest


def test_a_large_output_costs_few_bytes_and_replays() -> None:
    answer, manifest = large()
    goldens = golden.record_goldens(FakeEngine(answer), manifest.input)
    golden.check_goldens(goldens, manifest)
    assert all(made.outputs["map"].shape == sampled_shape(SHAPE) for made in goldens)
    assert len(golden.to_parts(goldens)[golden.VALUES]) <= 4 * 4 * LIMIT
    again = golden.from_parts(*golden.to_parts(goldens).values())
    assert golden.replay(FakeEngine(answer), manifest, again).passed


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda value: value * 1.05, id="scaled"),
        pytest.param(lambda value: np.roll(value, 1), id="order changed"),
        pytest.param(lambda value: value[..., ::-1], id="channels reversed"),
        pytest.param(lambda value: np.where(np.arange(3000).reshape(SHAPE) == 1, np.nan, value), id="one NaN"),
        pytest.param(lambda value: sample(value.astype(np.float32)), id="only the sample"),
    ],
)
def test_a_wrong_engine_is_found_out_by_the_sample(spoil: Callable[[np.ndarray], np.ndarray]) -> None:
    answer, manifest = large()
    goldens = golden.record_goldens(FakeEngine(answer), manifest.input)
    wrong = FakeEngine(lambda feeds: {"map": spoil(answer(feeds)["map"])})
    assert not golden.replay(wrong, manifest, goldens).passed


def test_goldens_that_hold_a_whole_large_output_are_read_as_well() -> None:
    answer, manifest = large()
    engine = FakeEngine(answer)
    goldens = golden.record_goldens(engine, manifest.input)
    whole = [
        dataclasses.replace(
            made, outputs=engine.run({"image": golden._tensor(made.generator, made.seed, manifest.input)})
        )
        for made in goldens
    ]
    golden.check_goldens(whole, manifest)
    assert golden.replay(engine, manifest, whole).passed
    with pytest.raises(GoldenInvalid, match="whole in one golden"):
        golden.check_goldens([whole[0], *goldens[1:]], manifest)


def test_a_sample_of_another_size_is_refused() -> None:
    answer, manifest = large()
    goldens = golden.record_goldens(FakeEngine(answer), manifest.input)
    short = [dataclasses.replace(made, outputs={"map": made.outputs["map"][:-1]}) for made in goldens]
    with pytest.raises(GoldenInvalid, match="has outputs"):
        golden.check_goldens(short, manifest)
