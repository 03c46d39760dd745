"""Quantization-aware training: never worse than it began, true to the file, and alive on JAX."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from handlens.manifest import InputSpec
from handlens_train.exportable import Match

EMBEDDING = {"embedding": Match("cosine")}


def spec() -> InputSpec:
    return InputSpec(name="image", height=32, width=16, channels=3, scale=(1 / 128,) * 3, offset=(-127 / 128,) * 3)


@pytest.fixture(scope="module")
def trained(keras_tf: Any, tiny: Any, images: np.ndarray, batch: np.ndarray) -> dict[str, Any]:
    """The tiny network, cut to half, calibrated on it, and fine-tuned with int8 simulated."""
    from handlens_export import fold, graph, ranges
    from handlens_export.distill import Plan
    from handlens_export.prune import prune
    from handlens_export.qat import quantization_aware

    whole = fold.for_inference(graph.trace(tiny, []))
    cut = prune(whole, list(images), spec(), 0.5, Plan(steps=0, rate=1.0), EMBEDDING)
    start = ranges.calibrate(cut, batch[:32], spec())
    plan = Plan(steps=60, rate=1e-3, batch=16, seed=1)
    after, found, note = quantization_aware(
        cut, whole, start, list(images[32:]), list(images[:32]), spec(), plan, EMBEDDING
    )
    return {"whole": whole, "cut": cut, "start": start, "after": after, "ranges": found, "note": note}


def test_it_ends_nearer_to_the_parent_and_says_so(trained: dict[str, Any], images: np.ndarray) -> None:
    from handlens_export import graph
    from handlens_export.distill import distance
    from handlens_export.ranges import with_fake_quant

    parent = graph.build(trained["whole"])
    before, after = (
        distance(graph.build(with_fake_quant(network, ends)), parent, list(images[:32]), spec(), EMBEDDING)
        for network, ends in ((trained["cut"], trained["start"]), (trained["after"], trained["ranges"]))
    )
    assert after < 0.8 * before
    assert "before" in trained["note"] and "after" in trained["note"]


def test_ranges_moved_but_those_that_are_prescribed(trained: dict[str, Any]) -> None:
    start, end = trained["start"], trained["ranges"]
    assert set(start) == set(end)
    np.testing.assert_allclose(end["image"], (-127 / 128, 1.0))
    moved = [name for name in start if not np.allclose(start[name], end[name], rtol=1e-3)]
    assert len(moved) > len(start) / 2


def test_zeros_stay_zero(trained: dict[str, Any]) -> None:
    from handlens_export.compressed import prunable

    before, after = prunable(trained["cut"]), prunable(trained["after"])
    assert all((after[name][kernel == 0] == 0).all() for name, kernel in before.items())
    assert any(not np.array_equal(after[name], kernel) for name, kernel in before.items())


def test_the_trained_ranges_and_zeros_are_what_is_written(trained: dict[str, Any], batch: np.ndarray) -> None:
    from handlens.engine import open_model
    from handlens_export import convert, graph, tflite_file
    from handlens_export.ranges import with_fake_quant

    simulated = graph.build(with_fake_quant(trained["after"], trained["ranges"]))
    model = convert.to_tflite(simulated, "fake-quantized")
    assert tflite_file.float_operators(model) == () and tflite_file.sparsity(model) >= 0.5
    operators = tflite_file.operators(model)
    scales = [op.outputs[0].scales[0] for op in operators] + [operators[0].inputs[0].scales[0]]
    for name, (low, high) in trained["ranges"].items():
        assert np.isclose(scales, (high - low) / 255, rtol=1e-4).any(), f"the range of {name} is not in the file"
    engine = open_model(model, "tflite")
    found = np.concatenate([engine.run({"image": image[None]})["embedding"] for image in batch[:16]])
    wanted = simulated.predict(batch[:16], verbose=0)["embedding"]
    steps = np.abs(found - wanted) / engine.outputs[0].quant_scale
    assert np.median(steps) < 1.5 and steps.max() < 10


def test_without_a_gain_the_beginning_is_returned(
    keras_tf: Any, tiny: Any, images: np.ndarray, batch: np.ndarray
) -> None:
    from handlens_export import fold, graph, ranges
    from handlens_export.distill import Plan
    from handlens_export.qat import quantization_aware

    whole = fold.for_inference(graph.trace(tiny, []))
    start = ranges.calibrate(whole, batch[:32], spec())
    wreck = Plan(steps=8, rate=0.5, batch=8, seed=1)  # a learning rate that only destroys
    network, found, _ = quantization_aware(
        whole, whole, start, list(images[32:64]), list(images[:32]), spec(), wreck, EMBEDDING
    )
    assert network is whole and found == start


JAX = """
import numpy as np, keras
from handlens.golden import generate, GENERATORS
from handlens.manifest import InputSpec
from handlens_export import fold, graph, ranges
from handlens_export.compressed import prunable, zero_fraction
from handlens_export.distill import Plan
from handlens_export.prune import prune
from handlens_export.qat import quantization_aware
from handlens_train.exportable import Match
assert keras.backend.backend() == "jax"
keras.utils.set_random_seed(0)
spec = InputSpec(name="image", height=12, width=8, channels=3, scale=(1 / 128,) * 3, offset=(-1.0,) * 3)
pictures = [generate(GENERATORS[i % len(GENERATORS)], i, 12, 8, 3) for i in range(32)]
image = keras.Input((12, 8, 3), name="image")
x = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(keras.layers.Conv2D(8, 3)(image)))
x = keras.layers.GlobalAveragePooling2D()(keras.layers.DepthwiseConv2D(3)(x))
model = keras.Model(image, {"embedding": keras.layers.Dense(6)(x)})
whole = fold.for_inference(graph.trace(model, []))
plan = Plan(steps=20, rate=1e-2, batch=8)
pruned = prune(whole, pictures, spec, 0.5, plan, {"embedding": Match("cosine")})
assert zero_fraction(pruned) == 0.5, zero_fraction(pruned)
kept = {name: kernel != 0 for name, kernel in prunable(pruned).items()}
assert all(not np.array_equal(prunable(whole)[n][m], prunable(pruned)[n][m]) for n, m in kept.items()), "nothing learnt"
start = ranges.calibrate(pruned, np.stack(pictures) / np.float32(128) - 1, spec)
how = {"embedding": Match("cosine")}
after, found, note = quantization_aware(pruned, whole, start, pictures[8:], pictures[:8], spec, plan, how)
assert found != start and zero_fraction(after) == 0.5, (found, start)
print("well")
"""


def test_pruning_and_qat_learn_under_jax_too() -> None:
    pytest.importorskip("jax")
    import os

    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", JAX], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "well", done.stderr[-2000:]
